"""Sets of problems as a user names them: a file, a hub id, or situations of the symbolic teacher."""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from fdd_edge import catalog, hub
from fdd_edge.data import choose_files, load_format, read_dataset
from fdd_edge.data.splits import CARD, SUFFIXES
from fdd_edge.errors import FddError, no_file
from fdd_edge.ondevice.options import option
from fdd_edge.records import Problem
from fdd_edge.runs.fingerprint import Json

__all__ = ["DatasetOptions", "FetchedSet", "check_set", "fetch_set", "read_set"]

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

    @property
    def label(self) -> str:
        """The set's name, by default taken from its path; empty if the path gives none."""
        stem = self.path.replace(":", "-") if self.is_symbolic else Path(self.path).name.split(".")[0]
        return self.name or re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("._-")

    @property
    def is_symbolic(self) -> bool:
        """Whether the symbolic teacher generates it."""
        return self.path.startswith(_SYMBOLIC)

    @property
    def is_on_hub(self) -> bool:
        """Whether it is a hub id: it has that form, and is neither a file here nor named like one."""
        named_as_file = Path(self.path).suffix in (*SUFFIXES, ".xml")
        return hub.is_hub_id(self.path) and not named_as_file and not Path(self.path).exists()

    def fingerprint(self) -> Json:
        """Return what the problems depend on besides the files' contents; their location does not matter."""
        return {
            "name": self.label,
            "symbolic": self.path if self.is_symbolic else None,
            "format": self.format,
            "limit": self.limit,
            "max_operations": self.max_operations,
        }


class FetchedSet(NamedTuple):
    """A set whose files are on this machine.

    Attributes:
        options: What was asked for.
        files: Where they are; none for a symbolic set.
        commit: The hub commit they belong to; None for a set that is not on the hub.
    """

    options: DatasetOptions
    files: tuple[Path, ...]
    commit: str | None = None


def check_set(spec: DatasetOptions) -> None:
    """Refuse what can be known to be wrong without a network.

    Raises:
        FddError: A file is missing, a format is unknown, or a key does not apply to the path.
    """
    if not spec.is_on_hub:
        if not spec.is_symbolic:
            _check_file(spec.path)
        given = [key for key in ("split", "subset", "revision") if getattr(spec, key) is not None]
        if given:
            raise FddError(f"`{given[0]}` applies to hub ids only, and {spec.path} is not one; remove it.")
    if spec.is_symbolic:
        _symbolic_split(spec.path)
    elif spec.max_operations is not None:
        raise FddError(
            f"`max_operations` applies to symbolic:train and symbolic:heldout only, not to {spec.path}; remove it."
        )
    if spec.format is not None:
        load_format(spec.format)


def _check_file(path: str) -> None:
    file = Path(path).expanduser()
    if not file.exists() and not file.is_absolute():
        # A run folder may have been moved, or the command was started elsewhere.
        raise FddError(f"{path} does not exist. Relative paths start at the current folder, {Path.cwd()}.")
    if not file.is_file():
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
    check_set(spec)
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
    return FetchedSet(spec, tuple(found[name] for name in names), repository.commit)


class ReadSet(NamedTuple):
    """The problems of a set, and the items that were skipped: ``set``, ``item`` and ``reason``."""

    problems: list[Problem]
    skipped: list[dict[str, str]]


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
    dataset = read_dataset(*files, format=spec.format, name=spec.label, limit=spec.limit)
    skipped = [{"set": spec.label, "item": s.item, "reason": s.reason} for s in dataset.skipped]
    return ReadSet(dataset.problems, skipped)


def _symbolic_split(path: str) -> Literal["train", "heldout"]:
    match path.removeprefix(_SYMBOLIC):
        case "train":
            return "train"
        case "heldout":
            return "heldout"
    raise FddError(f"There is no {path}. Known: symbolic:train and symbolic:heldout.")
