"""Which files of a data set's repository hold a split: as its card declares, else by the names they usually have.

The card is the YAML at the top of ``README.md``; the usual names are ``main/train-00000-of-00001.parquet``,
``train/*.parquet``, ``train.jsonl`` and their like (huggingface.co/docs/hub/datasets-data-files-configuration).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from fdd_edge.errors import FddError, did_you_mean

__all__ = ["CARD", "SUFFIXES", "choose_files"]

CARD = "README.md"
SUFFIXES = (".parquet", ".jsonl", ".json")
"""What can be read of a data set on the hub."""

_NO_DATA = {"dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json"}
_SHARD = re.compile(r"(?P<index>\d+)-of-(?P<count>\d+)(?:-[0-9a-f]{16})?$")
_SHOWN = 8


class _Declared(NamedTuple):
    """What a card says: the file patterns of every split of every subset, and the subset that is meant by none."""

    subsets: dict[str, dict[str, list[str]]]
    default: str | None


def choose_files(
    id: str, files: Iterable[str], *, split: str | None, subset: str | None, card: str | None = None
) -> list[str]:
    """Return the files that hold a split, in the order of their rows.

    Args:
        id: The data set's name, for what is said where nothing fits.
        files: Every file of the repository.
        split: Such as ``train``; None where there is only one.
        subset: What the hub calls a configuration, such as ``main``; None where there is only one.
        card: Text of the repository's ``README.md``.

    Raises:
        FddError: Nothing fits, or several files do; says what is there and which key decides.
    """
    every = list(files)
    data = sorted(name for name in every if _is_data(name))
    if not data:
        raise FddError(_without_data(id, every))
    declared = _declared(card or "")
    chosen = _as_declared(id, data, declared, split, subset) if declared.subsets else _by_name(id, data, split, subset)
    _refuse_gaps(id, chosen)
    return chosen


def _is_data(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix in SUFFIXES and path.name not in _NO_DATA and not any(p.startswith(".") for p in path.parts)


def _without_data(id: str, files: Sequence[str]) -> str:
    kinds = " ".join(f"*{suffix}" for suffix in SUFFIXES)
    scripts = [name for name in files if name.endswith(".py")]
    if scripts:
        return (
            f"{id} is a data set made by a script ({scripts[0]}), and scripts of strangers are not run; "
            "the hub often has a copy in files: try revision: refs/convert/parquet."
        )
    return f"{id} holds no {kinds}, which are what can be read; there are: {_listed(files)}."


def _declared(card: str) -> _Declared:
    import yaml

    head = re.match(r"---\s*\n(.*?)\n---\s*(?:\n|$)", card, re.DOTALL)
    try:
        content = yaml.safe_load(head[1]) if head else None
    except yaml.YAMLError:
        content = None  # a stranger's card; the files' names are left
    configs = content.get("configs") if isinstance(content, dict) else None
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
        raise FddError(f"{id} declares {', '.join(patterns)}; what can be read there is: {_listed(data)}.")
    return chosen


def _one_of(id: str, key: str, asked: str | None, there: Iterable[str]) -> str:
    names = sorted(there)
    if asked is None and len(names) == 1:
        return names[0]
    if asked is None:
        raise FddError(f"{id} has several {key}s: name one under `{key}`: {', '.join(names)}.")
    if asked not in names:
        raise FddError(f"{id} has no {key} {asked!r}.{did_you_mean(asked, names)} There are: {', '.join(names)}.")
    return asked


def _by_name(id: str, data: Sequence[str], split: str | None, subset: str | None) -> list[str]:
    words = {key: word for key, word in (("split", split), ("subset", subset)) if word is not None}
    groups: dict[str, list[str]] = {}
    for name in data:
        if all(_has_word(name, word) for word in words.values()):
            groups.setdefault(_group(name, split), []).append(name)
    if len(groups) == 1:
        return next(iter(groups.values()))
    asked = " and ".join(f"{key} {word!r}" for key, word in words.items())
    if not groups:
        there = sorted({_group(name, None) for name in data})
        keys = " and ".join(f"`{key}`" for key in words)
        raise FddError(f"{id} has no file for {asked}; there are: {_listed(there)}. Name a word of one under {keys}.")
    key = "split" if split is None else "subset"
    of = f" of {asked}" if asked else ""
    raise FddError(f"{id} has several files{of}: {_listed(sorted(groups))}. Name a word of one under `{key}`.")


def _has_word(name: str, word: str) -> bool:
    """Say whether a path has a word, with a mark or an end on both its sides."""
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", name) is not None


def _group(name: str, split: str | None) -> str:
    """Return what the files that make up one split have in common."""
    path = PurePosixPath(name)
    if split is not None and split in path.parts[:-1]:
        return f"{path.parent}/*{path.suffix}"
    stem = "*" if path.stem.isdigit() else _SHARD.sub("*", path.stem)
    return path.with_name(stem + path.suffix).as_posix()


def _refuse_gaps(id: str, chosen: Sequence[str]) -> None:
    """Refuse a split that lacks a part, as in a cache that was filled by halves."""
    parts = [found for name in chosen if (found := _SHARD.search(PurePosixPath(name).stem))]
    if parts and len(parts) == len(chosen) and len(chosen) != int(parts[0]["count"]):
        raise FddError(f"{id} has {len(chosen)} of {int(parts[0]['count'])} parts of {_group(chosen[0], None)}.")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "none") + more
