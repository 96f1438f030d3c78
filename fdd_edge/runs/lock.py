"""One process at a time on a run or another output. When a process dies, the system releases its lock."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.progress import warn
from fdd_edge.runs.own_files import NO_LOCKS, open_own

__all__ = ["is_held", "output_lock", "refuse_held", "run_lock"]

_PID_DIGITS = 20
"""More than any process id has."""


@contextmanager
def run_lock(path: Path) -> Iterator[None]:
    """Hold the lock file of a run, which stays.

    Raises:
        FddError: Another process holds it, whose process id is named; or it is a link, or not a lock file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path) as descriptor:
        _lock(descriptor, path.parent, "on this run")
        yield


def is_held(path: Path) -> bool:
    """Return whether a process holds the lock file of a run; nothing is created or changed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # the disk has no locks
    finally:
        os.close(descriptor)
    return False


def refuse_held(path: Path) -> None:
    """Refuse a run whose lock file a process holds, as ``run_lock`` does; nothing is created or changed.

    Raises:
        FddError: A process does, whose process id is named.
    """
    if is_held(path):
        raise _in_use(path.parent, path.read_bytes()[:_PID_DIGITS])


@contextmanager
def output_lock(output: Path) -> Iterator[None]:
    """Hold a lock for an output while it is built; the lock file next to it is deleted at the end.

    Raises:
        FddError: Another process holds it, whose process id is named; or it is a link, or not a lock file.
    """
    path = output.with_name(f".{output.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with _opened(path) as descriptor:
            _lock(descriptor, output, "for this output")
            # The process that held it may have deleted the file after we opened it: then this locks nothing.
            if not _is_at(descriptor, path):
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = open_own(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _lock(descriptor: int, what: Path, where: str) -> None:
    """Lock an open file, and write this process's id into it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _in_use(what, os.pread(descriptor, _PID_DIGITS, 0)) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        warn(f"The disk of {what} has no locks: do not start a second command {where}.")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)


def _in_use(what: Path, written: bytes) -> FddError:
    """Return the error that names the process of which the lock file holds the id."""
    text = written.strip()
    holder = text.decode("ascii") if text.isdigit() else "?"
    return FddError(f"{what} is in use by process {holder}; wait for it, or stop it.")
