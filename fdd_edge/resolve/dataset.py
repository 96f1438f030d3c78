"""Sets of problems as a user names them: a file, a hub id, or situations of the symbolic teacher."""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from fdd_edge import catalog, hub
from fdd_edge.data import STDIN, Columns, choose_files, is_stream, load_format, read_dataset
from fdd_edge.data.splits import CARD, SUFFIXES, license_of
from fdd_edge.errors import FddError, no_file
from fdd_edge.ondevice.options import option
from fdd_edge.records import Problem
from fdd_edge.runs.fingerprint import Json
from fdd_edge.runs.hashing import hash_files

__all__ = [
    "DatasetOptions",
    "FetchedSet",
    "check_set",
    "columns_of",
    "describe_set",
    "fetch_set",
    "find_set",
    "format_of",
    "read_set",
]

_SYMBOLIC = "symbolic:"
_SYMBOLIC_DEFAULT = 500


@dataclass(frozen=True)
class DatasetOptions:
    """A set of problems, as a config or a command names it."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    path: str = field(metadata={"description": "file, hub id, symbolic:train or symbolic:heldout"})
    name: str | None = option(None, "name of the set; default: from the path", pattern=catalog.NAME)
    format: str | None = option(None, "data format, or `module:attribute`; default: recognised from the content")
    limit: int | None = option(None, "take the first N problems", ge=1)
    max_operations: int | None = option(None, "for a symbolic set: maximum operations per problem", ge=1)
    split: str | None = option(None, "split of a hub id, such as train")
    subset: str | None = option(None, "subset of a hub id that has several, such as main")
    revision: str | None = option(None, "branch, tag or commit of a hub id")
    question_field: str | None = option(None, "column of the question, for rows in no known format", min_length=1)
    answer_field: str | None = option(
        None,
        "column of the answer, for rows in no known format: a number, or a solution that marks it",
        min_length=1,
    )
    weight: float | None = option(
        None, "for data.train: how often it is trained on, relative to the other sets; default: 1", gt=0, le=100
    )

    @property
    def label(self) -> str:
        """The set's name, by default taken from its path; empty if the path gives none."""
        if self.is_stream:
            return self.name or "stdin"
        stem = self.path.replace(":", "-") if self.is_symbolic else Path(self.path).name.split(".")[0]
        return self.name or re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("._-")

    @property
    def is_symbolic(self) -> bool:
        """Whether the symbolic teacher generates it."""
        return self.path.startswith(_SYMBOLIC)

    @property
    def is_stream(self) -> bool:
        """Whether it can be read only once: ``-``, which is standard input, or a pipe."""
        return is_stream(Path(self.path).expanduser())

    @property
    def columns(self) -> Columns | None:
        """The columns of question and answer, if any is named."""
        return columns_of(self.question_field, self.answer_field)

    @property
    def is_on_hub(self) -> bool:
        """Whether it is a hub id: it has that form, and is neither a file here nor named like one."""
        named_as_file = Path(self.path).suffix in (*SUFFIXES, ".xml", ".gz")
        return hub.is_hub_id(self.path) and not named_as_file and not Path(self.path).exists()

    def fingerprint(self) -> Json:
        """Return what the problems depend on besides the files' contents; their location does not matter."""
        # Keys that are not set are left out, or the stages of runs made before there were these keys would be outdated.
        named = {"question_field": self.question_field, "answer_field": self.answer_field}
        return {
            "name": self.label,
            "symbolic": self.path if self.is_symbolic else None,
            "format": self.format,
            "limit": self.limit,
            "max_operations": self.max_operations,
            **{key: name for key, name in named.items() if name is not None},
        }


def columns_of(question_field: str | None, answer_field: str | None) -> Columns | None:
    """Return the columns to read if any is named; the other has its usual name."""
    if question_field is None and answer_field is None:
        return None
    return Columns(question_field or Columns.question, answer_field or Columns.answer)


class FetchedSet(NamedTuple):
    """A set whose files are on this machine.

    Attributes:
        options: What was asked for.
        files: Where they are; none for a symbolic set.
        commit: The hub commit they belong to; None for a set that is not on the hub.
        license: What the card of a set on the hub names; None if it names none, and for every other set.
    """

    options: DatasetOptions
    files: tuple[Path, ...]
    commit: str | None = None
    license: str | None = None


def check_set(spec: DatasetOptions, *, read_once: bool = False) -> None:
    """Refuse what can be known to be wrong without a network.

    Args:
        spec: The set.
        read_once: Whether it will be read only once, as by `eval`, so that it may be a pipe.

    Raises:
        FddError: A file is missing, a format is unknown, or a key does not apply to the path.
    """
    if spec.is_stream and not read_once:
        raise FddError(f"{spec.path} is a pipe, and a run reads its data again when it resumes; name a file.")
    if not spec.is_on_hub:
        if not spec.is_symbolic:
            _check_file(spec.path)
        given = [key for key in ("split", "subset", "revision") if getattr(spec, key) is not None]
        if given:
            raise FddError(f"`{given[0]}` applies to hub ids only, and {spec.path} is not one; remove it.")
    else:
        _check_names(spec)
    if spec.is_symbolic:
        _symbolic_split(spec.path)
    elif spec.max_operations is not None:
        raise FddError(
            f"`max_operations` applies to symbolic:train and symbolic:heldout only, not to {spec.path}; remove it."
        )
    fields = [key for key in ("question_field", "answer_field") if getattr(spec, key) is not None]
    if fields and spec.is_symbolic:
        raise FddError(f"`{fields[0]}` applies to files and hub ids only, and {spec.path} is neither; remove it.")
    if fields and spec.format is not None:
        raise FddError(f"`{fields[0]}` names a column in place of a format; remove it, or `format: {spec.format}`.")
    if spec.format is not None:
        load_format(spec.format)


def _check_names(spec: DatasetOptions) -> None:
    """Refuse a revision, subset or split of a hub id that is none: paths are made of them.

    Raises:
        FddError: It is.
    """
    if spec.revision is not None:
        hub.check_revision(spec.path, spec.revision)
    for key, name in (("split", spec.split), ("subset", spec.subset)):
        if name is not None and (not name.isprintable() or ".." in name or "\\" in name or name.startswith("/")):
            raise FddError(f"{spec.path} can have no {key} {name[:80]!r}: use a name that its page on the hub shows.")


def _check_file(path: str) -> None:
    file = Path(path).expanduser()
    if not file.exists() and not file.is_absolute() and path != STDIN:
        # A run folder may have been moved, or the command was started elsewhere.
        raise FddError(f"{path} does not exist. Relative paths start at the current folder, {Path.cwd()}.")
    if not file.is_file() and not is_stream(file):
        raise no_file(path)


def fetch_set(spec: DatasetOptions, *, commits: MutableMapping[str, str] | None = None) -> FetchedSet:
    """Find the files of a set; those of a hub id are downloaded, or found in the hub's cache.

    Args:
        spec: The set.
        commits: Known commits, see ``hub.find``.

    Raises:
        FddError: The set is not available, or no file or several match; says what there is.
        MissingExtraError: The hub's client is not installed.
    """
    check_set(spec, read_once=True)
    if not spec.is_on_hub:
        return FetchedSet(spec, () if spec.is_symbolic else (Path(spec.path).expanduser(),))
    repository = hub.find("dataset", spec.path, spec.revision, commits=commits)
    card = None
    if CARD in repository.files:
        card = hub.fetch(repository, [CARD])[CARD].read_text(encoding="utf-8", errors="replace")
    try:
        names = choose_files(spec.path, repository.files, split=spec.split, subset=spec.subset, card=card)
    except FddError as error:
        raise error if repository.listed else FddError(f"In the hub's cache, without a network: {error}") from None
    found = hub.fetch(repository, names)
    return FetchedSet(spec, tuple(found[name] for name in names), repository.commit, license_of(card))


def find_set(spec: DatasetOptions) -> FetchedSet | None:
    """Find the files of a set that are on this machine; None for a hub id that is not in the hub's cache.

    Raises:
        FddError: A file is missing, or a key does not apply to it.
    """
    if not spec.is_on_hub:
        return fetch_set(spec)
    check_set(spec)
    repository = hub.find_cached("dataset", spec.path, spec.revision)
    if repository is None:
        return None
    card = None
    if CARD in repository.files:
        card = hub.fetch(repository, [CARD])[CARD].read_text(encoding="utf-8", errors="replace")
    try:
        names = choose_files(spec.path, repository.files, split=spec.split, subset=spec.subset, card=card)
    except FddError:
        return None  # the cache has other files of it
    found = hub.fetch(repository, names)
    return FetchedSet(spec, tuple(found[name] for name in names), repository.commit, license_of(card))


class ReadSet(NamedTuple):
    """The problems of a set, its format, and the items that were skipped: ``set``, ``item`` and ``reason``."""

    problems: list[Problem]
    skipped: list[dict[str, str]]
    format: str | None = None


def read_set(spec: DatasetOptions, files: Sequence[Path], *, seed: int) -> ReadSet:
    """Read one set.

    Args:
        spec: The set.
        files: Its files; none for a symbolic set.
        seed: Draws the problems of a symbolic set.

    Raises:
        FddError: The set is unknown, broken, or holds nothing usable.
    """
    if spec.is_symbolic:
        from fdd_edge.teachers.symbolic import generate

        split, n = _symbolic_split(spec.path), spec.limit or _SYMBOLIC_DEFAULT
        return ReadSet(generate(split, n, seed, max_operations=spec.max_operations, name=spec.label), [])
    dataset = read_dataset(*files, format=spec.format, name=spec.label, limit=spec.limit, columns=spec.columns)
    skipped = [{"set": spec.label, "item": s.item, "reason": s.reason} for s in dataset.skipped]
    return ReadSet(dataset.problems, skipped, dataset.format)


def describe_set(fetched: FetchedSet, format: str | None) -> dict[str, Json]:
    """Return what an evaluation says about the set that it asked: name, path, sha256, format, limit, and other keys.

    Args:
        fetched: The set.
        format: Its format; None for a symbolic set.
    """
    options = fetched.options
    about: dict[str, Json] = {"name": options.label, "path": options.path, "sha256": None}
    about |= {"format": format, "limit": options.limit}
    keys = ("max_operations", "split", "subset", "revision", "question_field", "answer_field")
    about |= {key: value for key in keys if (value := getattr(options, key)) is not None}
    if fetched.files and not options.is_stream:
        about["sha256"] = hash_files(fetched.files)
    return about if fetched.commit is None else about | {"id": options.path, "revision": fetched.commit}


def format_of(fetched: FetchedSet) -> str | None:
    """Return the format of a set that was read before; None for a symbolic set, or if it cannot be read any more."""
    if fetched.options.is_symbolic:
        return None
    try:
        return read_set(fetched.options, fetched.files, seed=0).format
    except (FddError, OSError):
        return None


def _symbolic_split(path: str) -> Literal["train", "heldout"]:
    match path.removeprefix(_SYMBOLIC):
        case "train":
            return "train"
        case "heldout":
            return "heldout"
    raise FddError(f"There is no {path}. Known: symbolic:train and symbolic:heldout.")
