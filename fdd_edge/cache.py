"""The folder for files that can be created again."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fdd_edge.errors import FddError

__all__ = ["CACHE_LOCK", "cache_alone", "cache_dir", "cache_folder"]

CACHE_LOCK = ".lock"
"""The file whose lock every process that uses the cache shares until it ends; who deletes holds it alone."""

_held: dict[Path, int] = {}
"""Descriptors of the locks that this process holds, by cache."""

_opening = threading.Lock()


def cache_dir() -> Path:
    """Return ``$FDD_EDGE_CACHE``, or ``fdd-edge`` in the user's cache folder; it may not exist yet."""
    if named := os.environ.get("FDD_EDGE_CACHE"):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fdd-edge"


def cache_folder(kind: str) -> Path:
    """Return the folder for one kind of files, which nobody cleans until this process ends; it may not exist yet."""
    cache = cache_dir()
    # A cache that cannot be locked, such as one that is only readable, is used as it is.
    with suppress(OSError):
        _lock(cache, fcntl.LOCK_SH)
    return cache / kind


@contextmanager
def cache_alone() -> Iterator[None]:
    """Keep other processes from using the cache while the block runs.

    Raises:
        FddError: One is using it, or it cannot be locked.
    """
    cache = cache_dir()
    try:
        _lock(cache, fcntl.LOCK_EX | fcntl.LOCK_NB, again=True)
    except BlockingIOError:
        raise FddError(f"{cache} is in use by another fdd-edge; clean it when that has finished.") from None
    except OSError as error:
        raise FddError(f"{cache} cannot be locked: {error.strerror}.") from None
    try:
        yield
    finally:
        with suppress(OSError):
            _lock(cache, fcntl.LOCK_SH, again=True)


def _lock(cache: Path, kind: int, *, again: bool = False) -> None:
    """Lock a cache; unless ``again``, a lock that this process has is kept as it is."""
    with _opening:
        if cache in _held and not again:
            return
        if cache not in _held:
            cache.mkdir(parents=True, exist_ok=True)
            _held[cache] = os.open(cache / CACHE_LOCK, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        fcntl.flock(_held[cache], kind)
