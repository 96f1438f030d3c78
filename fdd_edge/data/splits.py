"""Finds the files of a split in a data set's repository: as its card declares, or by their usual names.

The card is the YAML at the top of ``README.md``; usual names are ``main/train-00000-of-00001.parquet``,
``train/*.parquet`` or ``train.jsonl`` (huggingface.co/docs/hub/datasets-data-files-configuration).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from fdd_edge.errors import FddError, did_you_mean

__all__ = ["CARD", "SUFFIXES", "TABLES", "choose_files", "license_of"]

CARD = "README.md"
TABLES = (".csv", ".tsv")
"""Taken if there is nothing else: repositories often hold a list of their files, or of results, as CSV."""

SUFFIXES = (".parquet", ".jsonl", ".json", *TABLES)
"""The file types that can be read from a data set on the hub; each may be gzipped as well: ``train.jsonl.gz``."""

_NO_DATA = {"dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json"}
_SHARD = re.compile(r"(?P<index>\d+)-of-(?P<count>\d+)(?:-[0-9a-f]{16})?$")
_GZIPPED = ".gz"
_SHOWN = 8
_LONGEST_LICENSE = 200
"""Characters; the hub's own names have a few dozen at most."""


class _Declared(NamedTuple):
    """What a card declares: the file patterns of every split of every subset, and the default subset."""

    subsets: dict[str, dict[str, list[str]]]
    default: str | None


def choose_files(
    id: str, files: Iterable[str], *, split: str | None, subset: str | None, card: str | None = None
) -> list[str]:
    """Return the files that hold a split, in the order of their rows.

    Args:
        id: The data set's name, for messages.
        files: All files of the repository.
        split: Such as ``train``; None if there is only one.
        subset: Such as ``main``, which the hub calls a configuration; None if there is only one.
        card: Text of the repository's ``README.md``.

    Raises:
        FddError: No file or several sets of files match; the message lists what there is and which key to set.
    """
    every = list(files)
    data = sorted(name for name in every if _is_data(name))
    data = [name for name in data if not name.removesuffix(_GZIPPED).endswith(TABLES)] or data
    if not data:
        raise FddError(_without_data(id, every))
    declared = _declared(card or "")
    chosen = _as_declared(id, data, declared, split, subset) if declared.subsets else _by_name(id, data, split, subset)
    _refuse_gaps(id, chosen)
    return chosen


def license_of(card: str | None) -> str | None:
    """Return the license that a card names, or several; None if it names none.

    Args:
        card: Text of the repository's ``README.md``.
    """
    from fdd_edge.bounded_yaml import front_matter

    named = front_matter(card or "").get("license")
    names = [one for one in (named if isinstance(named, list) else [named]) if isinstance(one, str) and one.strip()]
    return ", ".join(" ".join(one.split()) for one in names)[:_LONGEST_LICENSE] or None


def _is_data(name: str) -> bool:
    path = PurePosixPath(name.removesuffix(_GZIPPED))
    return path.suffix in SUFFIXES and path.name not in _NO_DATA and not any(p.startswith(".") for p in path.parts)


def _without_data(id: str, files: Sequence[str]) -> str:
    kinds = " ".join(f"*{suffix}" for suffix in SUFFIXES)
    scripts = [name for name in files if name.endswith(".py")]
    if scripts:
        return (
            f"{id} is loaded by a script ({scripts[0]}), and scripts from the hub are not run. "
            "The hub often has a converted copy: try revision: refs/convert/parquet."
        )
    return f"{id} has no files of a type that can be read ({kinds}). It has: {_listed(files)}."


def _declared(card: str) -> _Declared:
    from fdd_edge.bounded_yaml import front_matter

    configs = front_matter(card).get("configs")
    subsets: dict[str, dict[str, list[str]]] = {}
    default = None
    for config in configs if isinstance(configs, list) else ():
        splits = _patterns(config.get("data_files")) if isinstance(config, dict) else {}
        name = config.get("config_name", "default") if splits else None
        if isinstance(name, str):
            subsets[name] = splits
            default = name if name == "default" or config.get("default") is True else default
    return _Declared(subsets, default)


def _patterns(data_files: Any) -> dict[str, list[str]]:
    if isinstance(data_files, str):
        return {"train": [data_files]}
    splits: dict[str, list[str]] = {}
    for entry in data_files if isinstance(data_files, list) else ():
        split, paths = (entry.get("split"), entry.get("path")) if isinstance(entry, dict) else ("train", entry)
        listed = paths if isinstance(paths, list) else [paths]
        if isinstance(split, str):
            splits.setdefault(split, []).extend(path for path in listed if isinstance(path, str))
    return splits


def _as_declared(id: str, data: Sequence[str], declared: _Declared, split: str | None, subset: str | None) -> list[str]:
    splits = declared.subsets[_one_of(id, "subset", subset or declared.default, declared.subsets)]
    patterns = splits[_one_of(id, "split", split, splits)]
    chosen = [name for name in data if any(fnmatchcase(name, pattern) for pattern in patterns)]
    if not chosen:
        raise FddError(f"The card of {id} declares {', '.join(patterns)}, but there is only: {_listed(data)}.")
    return chosen


def _one_of(id: str, key: str, wanted: str | None, available: Iterable[str]) -> str:
    names = sorted(available)
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted is None:
        raise FddError(f"{id} has several {key}s; set `{key}` to one of: {', '.join(names)}.")
    if wanted not in names:
        raise FddError(f"{id} has no {key} {wanted!r}.{did_you_mean(wanted, names)} Known: {', '.join(names)}.")
    return wanted


def _by_name(id: str, data: Sequence[str], split: str | None, subset: str | None) -> list[str]:
    words = {key: word for key, word in (("split", split), ("subset", subset)) if word is not None}
    groups: dict[str, list[str]] = {}
    for name in data:
        if all(_has_word(name, word) for word in words.values()):
            groups.setdefault(_group(name, split), []).append(name)
    if len(groups) == 1:
        return next(iter(groups.values()))
    wanted = " and ".join(f"{key} {word!r}" for key, word in words.items())
    if not groups:
        available = sorted({_group(name, None) for name in data})
        keys = " and ".join(f"`{key}`" for key in words)
        raise FddError(
            f"{id} has no file for {wanted}. It has: {_listed(available)}. Set {keys} to a word of one of these names."
        )
    key = "split" if split is None else "subset"
    matching = f" for {wanted}" if wanted else ""
    raise FddError(
        f"{id} has several files{matching}: {_listed(sorted(groups))}. Set `{key}` to a word of one of these names."
    )


def _has_word(name: str, word: str) -> bool:
    """Return whether a path contains a whole word, delimited by punctuation or the ends of the path."""
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", name) is not None


def _group(name: str, split: str | None) -> str:
    """Return the pattern that the files of one split have in common."""
    path = PurePosixPath(name.removesuffix(_GZIPPED))
    suffix = path.suffix + (_GZIPPED if name.endswith(_GZIPPED) else "")
    if split is not None and split in path.parts[:-1]:
        return f"{path.parent}/*{suffix}"
    stem = "*" if path.stem.isdigit() else _SHARD.sub("*", path.stem)
    return path.with_name(stem + suffix).as_posix()


def _refuse_gaps(id: str, chosen: Sequence[str]) -> None:
    """Refuse a split with missing parts, as in a cache that was only partly filled."""
    parts = [found for name in chosen if (found := _SHARD.search(PurePosixPath(name.removesuffix(_GZIPPED)).stem))]
    if parts and len(parts) == len(chosen) and len(chosen) != int(parts[0]["count"]):
        raise FddError(
            f"{id} has only {len(chosen)} of the {int(parts[0]['count'])} parts of {_group(chosen[0], None)}."
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "none") + more
