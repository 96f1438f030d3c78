"""Outputs that are complete or absent: built next to their final path, then renamed into it.

This package is the only place that builds under a temporary name and renames.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from fdd_edge.progress import announce

__all__ = [
    "build_once",
    "delete",
    "partial_of",
    "publish",
    "replacing",
    "scratch_folder",
    "write_atomic",
    "write_shared",
]


def partial_of(output: Path) -> Path:
    """Return the path of an output while it is being built."""
    return output.with_name(f".{output.name}.partial")


def write_atomic(path: Path, text: str) -> None:
    """Write a text as UTF-8; what was there before stays until the new file is complete."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write a file to; when the block ends without an error, the file takes the place of ``path``."""
    partial = partial_of(path)
    partial.parent.mkdir(parents=True, exist_ok=True)
    yield partial
    partial.replace(path)


def write_shared(path: Path, content: bytes) -> None:
    """Write a file that several processes may write at the same time, each the same content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(partial).replace(path)


def publish(built: Path, final: Path) -> None:
    """Give a finished file or folder on the same disk its final path, at which nothing may exist."""
    built.rename(final)


@contextmanager
def scratch_folder(output: Path) -> Iterator[Path]:
    """Yield an empty folder next to an output, from which ``publish`` can move files to it; deleted at the end.

    Folders for the same output that killed processes left are deleted first.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    for left in output.parent.glob(f".{escape(output.name)}-*-*"):
        pid = left.name.split("-")[-2]
        if pid.isdecimal() and not _is_running(int(pid)):
            announce(f"deleting {left}, left by a process that was killed")
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-{os.getpid()}-") as name:
        yield Path(name)


def _is_running(pid: int) -> bool:
    """Return whether there is such a process, of any user."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass
    except (ProcessLookupError, OverflowError):
        return False
    return True


def build_once(folder: Path, build: Callable[[Path], object]) -> Path:
    """Return a cached folder, built first if it is missing.

    Several processes may build it at the same time: each builds its own copy, and the first one to finish wins, so
    their copies must be interchangeable.

    Args:
        folder: Final path.
        build: Fills the empty folder it is given.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as temporary:
        partial = Path(temporary) / folder.name
        partial.mkdir()
        build(partial)
        try:
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder


def delete(path: Path) -> None:
    """Delete a file, a link, or a folder with everything in it; a missing path is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
