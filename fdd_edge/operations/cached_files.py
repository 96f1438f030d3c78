"""What the cache holds, what of it can be deleted, and what it costs to make that again.

Only names that this package makes are ever deleted: ``FDD_EDGE_CACHE`` may name a folder that holds other things too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge.cache import CACHE_LOCK, cache_alone, cache_dir
from fdd_edge.errors import FddError
from fdd_edge.ondevice.board_store import MODELS, RUNNERS, VENV, WAVES, WHEELS, lock_board
from fdd_edge.ondevice.protocol import RunnerError
from fdd_edge.operations.attention_choice import ATTENTION
from fdd_edge.operations.machine_speed import SPEEDS
from fdd_edge.result_base import Result
from fdd_edge.runs.atomic import delete
from fdd_edge.runs.marked_folder import is_marked, sweep

__all__ = ["CacheInfo", "CachedKind", "clean_cache", "list_cache"]

_BOARD_LOCK = "lock"
_DAY = 24 * 60 * 60.0


@dataclass(frozen=True)
class CachedKind(Result):
    """One kind of files in the cache.

    Attributes:
        name: What it is called; usually the name of its folder.
        description: What these files are.
        bytes: Their size.
        entries: How many there are.
        deletable: Whether ``fdd-edge cache --clean`` deletes them.
        again: What it costs to make them again, or what deletes them if that command does not.
    """

    name: str
    description: str
    bytes: int
    entries: int
    deletable: bool
    again: str


@dataclass(frozen=True)
class CacheInfo(Result):
    """What the cache holds; iterating over it yields the kinds.

    Attributes:
        path: The cache's folder; it may not exist.
        kinds: What it holds.
        freed: Bytes that were deleted.
    """

    path: Path
    kinds: Sequence[CachedKind] = field(repr=False)
    freed: int = 0

    @property
    def bytes(self) -> int:
        """Size of everything in it."""
        return sum(kind.bytes for kind in self.kinds)

    @property
    def deletable_bytes(self) -> int:
        """Size of what ``fdd-edge cache --clean`` deletes."""
        return sum(kind.bytes for kind in self.kinds if kind.deletable)

    def __iter__(self) -> Iterator[CachedKind]:
        return iter(self.kinds)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``fdd-edge cache --json`` prints."""
        sizes = {"bytes": self.bytes, "deletable_bytes": self.deletable_bytes, "freed": self.freed}
        return {"path": str(self.path)} | sizes | {"kinds": [kind.to_dict() for kind in self.kinds]}

    def _table_rows(self) -> Iterable[Mapping[str, Any]]:
        return [kind.to_dict() for kind in self.kinds]

    def _shown(self) -> Iterable[tuple[str, object]]:
        return [("cache", str(self.path)), *((kind.name, f"{kind.bytes / 1e6:.1f} MB") for kind in self.kinds)]


class _Kind(NamedTuple):
    """A folder of the cache, what we call files in it, and what is said about them."""

    names: re.Pattern[str]
    description: str
    deletable: bool
    again: str


_TARGETS_CLEAN = "not deleted here, but by `fdd-edge targets clean NAME`; made by `fdd-edge targets create NAME` in "
_BOARD = "this machine as a board: not deleted here, but by `fdd-edge targets clean NAME`"
_MACHINE = r"(aarch64|x86_64)-[0-9a-f]{12}"

_KINDS = {
    "students": _Kind(
        re.compile(r"(tiny|tiny-t5|(checked|gguf|merged|readable|vocab)-[0-9a-f]+(-\d+)?)-v\d+"),
        "students that were converted, merged or made, and their vocabularies",
        True,
        "made again when next used: up to a minute for a 135M student",
    ),
    "hub": _Kind(re.compile(r".+"), "links to files in Hugging Face's cache", True, "made again when next used"),
    RUNNERS: _Kind(re.compile(r"runner-[0-9a-f]{16}\.pyz"), "packed runners", True, "packed again in a moment"),
    SPEEDS: _Kind(
        re.compile(r"[0-9a-f]{32}\.json"),
        "how fast this machine trains and decodes students, by which runs are planned",
        True,
        "measured again when next used: some seconds",
    ),
    ATTENTION: _Kind(
        re.compile(r"[0-9a-f]{64}\.json"),
        "which attention targets decode with, as measured there",
        True,
        "measured again when next used: some seconds",
    ),
    "log.txt": _Kind(re.compile(r"log\.txt"), "the output of a tool that failed", True, "of no use later"),
    "certificates": _Kind(
        re.compile(r"[0-9a-f]{64}"),
        "certificates that were made here: without them, those next to files are only claims",
        False,
        "not deleted; made again by `fdd-edge parity`, in minutes",
    ),
    "ledger": _Kind(
        re.compile(r"calls\.sqlite(-wal|-shm)?"),
        "the ledger of calls to language models: every reply, so that none is paid twice",
        False,
        "not deleted; what it holds was paid",
    ),
    "wheels": _Kind(
        re.compile(r".+"), "llama-cpp-python as `make` compiled it", False, "not deleted; compiled again in minutes"
    ),
    "runtimes": _Kind(re.compile(rf"{_MACHINE}(-site.*)?"), "compiled runtimes", False, f"{_TARGETS_CLEAN}5 minutes"),
    "roots": _Kind(
        re.compile(rf"{_MACHINE}(-.+)?"), "sysroots of emulated targets", False, f"{_TARGETS_CLEAN}a minute"
    ),
    **{name: _Kind(re.compile(r".+"), f"{name} on a board", False, _BOARD) for name in (MODELS, WAVES, WHEELS, VENV)},
}
"""Everything that we write to a cache, by folder or file; boards have their models in a folder of the same name."""

_LEFTOVERS = _Kind(re.compile(r""), "what killed processes had not finished", True, "of no use")
_OTHER = _Kind(re.compile(r""), "files that are not from this version of fdd-edge", False, "not deleted")

_SWEPT = ("students", RUNNERS, "runtimes", "roots")
"""Folders in which something is built under another name first."""

_OLD_LEFTOVER = re.compile(r"\.[a-z0-9_]{8}|tmp[a-z0-9_]{8}\.partial")
"""Names of what earlier versions left when they were killed."""


def list_cache() -> CacheInfo:
    """Return what the cache holds."""
    cache = cache_dir()
    found = _found(cache)
    kinds = {"leftovers": _LEFTOVERS, **_KINDS, "other": _OTHER}
    return CacheInfo(
        cache,
        [
            CachedKind(
                name, kind.description, sum(map(_size, found[name])), len(found[name]), kind.deletable, kind.again
            )
            for name, kind in kinds.items()
            if found.get(name)
        ],
    )


def clean_cache() -> CacheInfo:
    """Delete what the cache holds and can easily be made again; return what is left.

    Raises:
        FddError: Another process is using the cache.
    """
    cache = cache_dir()
    if not cache.is_dir():
        return list_cache()
    with cache_alone(), _board_alone(cache):
        before = list_cache().bytes
        found = _found(cache)
        for name in _SWEPT:
            sweep(cache / name)
        for name in ("leftovers", *(name for name, kind in _KINDS.items() if kind.deletable)):
            for path in found.get(name, ()):
                if name == "hub":
                    _delete_links(path)
                elif not is_marked(path):
                    delete(path)
        left = list_cache()
    return replace(left, freed=before - left.bytes)


def _found(cache: Path) -> dict[str, list[Path]]:
    """Return what lies in the cache, by kind."""
    found: dict[str, list[Path]] = {}
    for path in _inside(cache):
        kind = _KINDS.get(path.name)
        if path.name in (CACHE_LOCK, _BOARD_LOCK):
            continue
        if kind is None or path.is_symlink():
            found.setdefault("other", []).append(path)
            continue
        for entry in _inside(path) if path.is_dir() else [path]:
            if is_marked(entry) or _is_old_leftover(entry, kind.names):
                found.setdefault("leftovers", []).append(entry)
            else:
                found.setdefault(path.name if kind.names.fullmatch(entry.name) else "other", []).append(entry)
    return found


def _inside(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(folder.iterdir())
    return []


def _is_old_leftover(path: Path, names: re.Pattern[str]) -> bool:
    """Return whether an earlier version left this more than a day ago: a partial file, or a folder around one of ours.

    An earlier version does not lock what it is making.
    """
    if path.parent.name not in _SWEPT or not _OLD_LEFTOVER.fullmatch(path.name) or path.is_symlink():
        return False
    if time.time() - path.lstat().st_mtime < _DAY:
        return False
    inside = _inside(path)
    return path.is_file() or (len(inside) == 1 and names.fullmatch(inside[0].name) is not None)


def _size(path: Path) -> int:
    """Return the size of a file, or of everything in a folder; links count as such."""
    total = 0
    with suppress(OSError):
        paths = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
        for one in paths:
            found = one.lstat()
            total += 0 if one.is_dir() and not one.is_symlink() else found.st_size
    return total


def _delete_links(folder: Path) -> None:
    """Delete the links in a folder, and the folders that are empty then; there is nothing else of ours."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.is_dir():
        for path in _inside(folder):
            _delete_links(path)
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def _board_alone(cache: Path) -> Iterator[None]:
    """Keep runners from starting here while the block runs, if this machine is a board whose folder is the cache."""
    if not (cache / _BOARD_LOCK).is_file():
        yield
        return
    try:
        with lock_board(cache):
            yield
    except RunnerError as error:
        raise FddError(f"{cache} is in use: {error}") from None
