"""Temporary folders that name their process and are locked by it, so that what a killed process left can be deleted.

A kill leaves them behind, in the system's folder for temporary files or in the cache. The system releases the lock of a
process that is gone, so the next process can tell them from those in use. Nothing is deleted by its name alone.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fdd_edge.progress import debug
from fdd_edge.runs.own_files import MARK, is_abandoned, marked

__all__ = ["is_marked", "marked_folder", "sweep", "sweep_temporary", "temporary_folder"]

_NAME = re.compile(r"\.?fdd-edge-[a-z]+-(\d+)-[a-z0-9_]{8}")


@contextmanager
def temporary_folder(purpose: str) -> Iterator[Path]:
    """Yield an empty folder for temporary files, deleted at the end; those of killed processes are deleted first.

    Args:
        purpose: A word for its name.
    """
    sweep_temporary()
    with marked_folder(Path(tempfile.gettempdir()), f"fdd-edge-{purpose}") as folder:
        yield folder


@contextmanager
def marked_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a folder that holds nothing but its mark; deleted at the end.

    Args:
        parent: Folder to create it in.
        prefix: How its name begins: ``fdd-edge-`` and a word, after a dot if it is hidden.
    """
    with tempfile.TemporaryDirectory(dir=parent, prefix=f"{prefix}-{os.getpid()}-") as name, marked(Path(name)):
        try:
            yield Path(name)
        finally:
            _delete_content(Path(name))


def is_marked(path: Path) -> bool:
    """Return whether a path is a marked folder, of a process that runs or was killed."""
    return _NAME.fullmatch(path.name) is not None and is_abandoned(path) is not None


def sweep_temporary() -> None:
    """Delete the temporary folders that killed processes of this user left."""
    sweep(Path(tempfile.gettempdir()))


def sweep(parent: Path) -> int:
    """Delete the marked folders in a folder whose processes are gone, if they are this user's.

    Returns:
        How many were deleted.
    """
    swept = 0
    with suppress(OSError):
        for path in parent.iterdir():
            if _NAME.fullmatch(path.name) and _is_own(path) and is_abandoned(path) and _is_deleted(path):
                debug(f"deleted {path}, which a process that was killed had left")
                swept += 1
    return swept


def _is_own(path: Path) -> bool:
    found = path.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _is_deleted(path: Path) -> bool:
    """Delete a folder; return whether it is gone."""
    _delete_content(path)
    with suppress(OSError):
        (path / MARK).unlink()
        path.rmdir()
    return not path.exists()


def _delete_content(folder: Path) -> None:
    """Delete all but the mark, which has to be the last: a folder without it would stay for ever."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != MARK:
            with suppress(OSError):
                path.unlink()
