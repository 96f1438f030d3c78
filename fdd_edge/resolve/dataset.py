"""Sets of problems as a user names them: a file, a hub id, or situations of the symbolic teacher."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from fdd_edge import hub
from fdd_edge.data import FORMATS, choose_files, read_dataset
from fdd_edge.data.splits import CARD, SUFFIXES
from fdd_edge.errors import FddError, did_you_mean, no_file
from fdd_edge.records import Problem

__all__ = ["DatasetSpec", "check_set", "dataset_files", "fetch_set", "read_set"]

_SYMBOLIC = "symbolic:"
_SYMBOLIC_DEFAULT = 500


@dataclass(frozen=True)
class DatasetSpec:
    """A set of problems.

    Attributes:
        name: What its problems' ids begin with.
        path: A file, a hub id, ``symbolic:train`` or ``symbolic:heldout``.
        format: None recognises it from the content.
        limit: Take the first so many; None takes all.
        max_operations: Of the symbolic teacher: operations a problem may have; None for as many as it writes.
        split: Which part of a hub id, such as ``train``.
        subset: Which of its subsets, such as ``main``.
        revision: Branch, tag or commit of a hub id.
        files: Where ``fetch_set`` put the files of a hub id.
        commit: What they are of.
    """

    name: str
    path: str
    format: str | None = None
    limit: int | None = None
    split: str | None = None
    subset: str | None = None
    revision: str | None = None
    files: tuple[Path, ...] = ()
    commit: str | None = None
    max_operations: int | None = None

    @property
    def is_symbolic(self) -> bool:
        """Whether the symbolic teacher makes it."""
        return self.path.startswith(_SYMBOLIC)

    @property
    def is_on_hub(self) -> bool:
        """Whether it is a hub id: of that form, and neither a file here nor named as one."""
        named_as_file = Path(self.path).suffix in (*SUFFIXES, ".xml")
        return hub.is_hub_id(self.path) and not named_as_file and not Path(self.path).exists()

    def params(self) -> dict[str, Any]:
        """Return what the problems depend on beside the files' content; their place is the machine's affair."""
        symbolic = self.path if self.is_symbolic else None
        params = {"name": self.name, "symbolic": symbolic, "format": self.format, "limit": self.limit}
        return params if self.max_operations is None else params | {"max_operations": self.max_operations}


def check_set(spec: DatasetSpec) -> None:
    """Refuse what can be known to be wrong without a network.

    Raises:
        FddError: A file is missing, a format is unknown, or a key does not go with the path.
    """
    if not spec.is_on_hub:
        if not spec.is_symbolic and not Path(spec.path).expanduser().is_file():
            raise no_file(spec.path)
        given = [key for key in ("split", "subset", "revision") if getattr(spec, key) is not None]
        if given:
            raise FddError(f"{spec.path} is no hub id, so {given[0]} chooses nothing there: leave it out.")
    if spec.is_symbolic:
        _symbolic_split(spec.path)
    elif spec.max_operations is not None:
        raise FddError(f"max_operations is for symbolic:train and symbolic:heldout, not for {spec.path}: leave it out.")
    if spec.format is not None and spec.format not in FORMATS:
        near = did_you_mean(spec.format, FORMATS)
        raise FddError(f"There is no data format {spec.format!r}.{near} Known: {', '.join(FORMATS)}.")


def fetch_set(spec: DatasetSpec, *, commits: MutableMapping[str, str] | None = None) -> DatasetSpec:
    """Download, or find in the hub's cache, the files of a set on the hub; return any other set as it is.

    Args:
        spec: The set.
        commits: Commits that are known, see ``hub.find``.

    Raises:
        FddError: It cannot be had, or no file or several fit; says what is there.
        MissingExtraError: The hub's client is not installed.
    """
    check_set(spec)
    if not spec.is_on_hub:
        return spec
    repository = hub.find("dataset", spec.path, spec.revision, commits=commits)
    card = None
    if CARD in repository.files:
        card = hub.fetch(repository, [CARD])[CARD].read_text(encoding="utf-8", errors="replace")
    try:
        names = choose_files(spec.path, repository.files, split=spec.split, subset=spec.subset, card=card)
    except FddError as error:
        raise error if repository.listed else FddError(f"In the hub's cache, without a network: {error}") from None
    found = hub.fetch(repository, names)
    return replace(spec, files=tuple(found[name] for name in names), commit=repository.commit)


def dataset_files(specs: Sequence[DatasetSpec]) -> list[Path]:
    """Return the files behind data sets, all of which are on this machine."""
    return [file for spec in specs if not spec.is_symbolic for file in _files(spec)]


def read_set(spec: DatasetSpec, *, seed: int) -> tuple[list[Problem], list[dict[str, str]]]:
    """Read one set: its problems, and the items that were skipped, each with its reason.

    Raises:
        FddError: The set is unknown, broken, or holds nothing usable.
    """
    if spec.is_symbolic:
        from fdd_edge.teachers.symbolic import generate

        split, n = _symbolic_split(spec.path), spec.limit or _SYMBOLIC_DEFAULT
        return generate(split, n, seed, max_operations=spec.max_operations, name=spec.name), []
    dataset = read_dataset(*_files(spec), format=spec.format, name=spec.name, limit=spec.limit)
    skipped = [{"set": spec.name, "item": s.item, "reason": s.reason} for s in dataset.skipped]
    return dataset.problems, skipped


def _files(spec: DatasetSpec) -> tuple[Path, ...]:
    return spec.files or (Path(spec.path).expanduser(),)


def _symbolic_split(path: str) -> Literal["train", "heldout"]:
    match path.removeprefix(_SYMBOLIC):
        case "train":
            return "train"
        case "heldout":
            return "heldout"
    raise FddError(f"{path} does not exist; there are symbolic:train and symbolic:heldout.")
