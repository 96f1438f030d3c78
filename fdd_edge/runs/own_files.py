"""Files and folders that only this tool makes: how they are recognised, and never reached through a link.

A run folder, or a folder next to an output, may come from somebody else, or hold something of the user's under a name
that this tool writes to.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.progress import warn

__all__ = ["MARK", "MARK_TEXT", "NO_LOCKS", "is_abandoned", "marked", "open_own", "refuse_links"]

NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""How a file system, such as some of NFS, says that it has no locks."""

MARK = ".fdd-edge-scratch"
"""The file in such a folder that its process keeps locked."""

MARK_TEXT = b"fdd-edge makes and deletes the folder of this file; the process that uses it holds a lock on it.\n"


def open_own(path: Path) -> int:
    """Open a file that this tool empties and writes to, created if it is missing; return its descriptor.

    Raises:
        FddError: It is a link or something else that this tool did not make.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise FddError(f"{path} is a link, which fdd-edge does not write through; delete it.") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise FddError(f"{path} is not a file that fdd-edge made; move it elsewhere, or delete it.")
    return descriptor


def refuse_links(folder: Path, *, allowed: Collection[Path] = ()) -> None:
    """Refuse a folder of this tool's that holds a link: what is written there would land somewhere else.

    Args:
        folder: A run, or unfinished work.
        allowed: Links that this tool makes.

    Raises:
        FddError: There is another one.
    """
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            if path.is_symlink() and path not in allowed:
                raise FddError(
                    f"{path} is a link, and fdd-edge makes none there. Put what it leads to in its place, or delete it."
                )


@contextmanager
def marked(folder: Path) -> Iterator[None]:
    """Mark a new, empty folder as this tool's while the block runs: ``is_abandoned`` once this process is dead."""
    descriptor = os.open(folder / MARK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        # Locked while it is empty, because a mark counts once its text is complete.
        if not _locks(descriptor):
            warn(f"The disk of {folder.parent} has no locks: do not start a second command that writes there.")
        os.write(descriptor, MARK_TEXT)
        yield
    finally:
        os.close(descriptor)


def is_abandoned(folder: Path) -> bool | None:
    """Return whether a folder is of this tool, and of a process that is dead; None if it is not this tool's at all."""
    if folder.is_symlink():
        return None
    try:
        descriptor = os.open(folder / MARK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode) or os.pread(descriptor, 1024, 0) != MARK_TEXT:
            return None
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False  # in use, or on a disk without locks, where nobody can know
    finally:
        os.close(descriptor)


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return False
    return True
