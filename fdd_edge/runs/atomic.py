"""Outputs that are complete or absent: built next to their final path, then renamed into it.

This package is the only place that builds under a temporary name and renames.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.progress import announce
from fdd_edge.runs.full_disk import full_disk_detected
from fdd_edge.runs.marked_folder import marked_folder, sweep
from fdd_edge.runs.own_files import is_abandoned, marked

__all__ = [
    "build_once",
    "check_output",
    "clear_partial_file",
    "delete",
    "discard",
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


def check_output(output: Path) -> None:
    """Refuse an output folder that cannot be replaced by a finished one.

    Raises:
        FddError: It is the current folder, which would be deleted under the shell that is in it, or has no name.
    """
    if not output.name or output.resolve() == Path.cwd():
        raise FddError(f"{output} cannot be replaced by a finished folder; choose a new folder.")


def write_atomic(path: Path, text: str) -> None:
    """Write a text as UTF-8; what was there before stays until the new file is complete."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write a file to; when the block ends without an error, the file takes the place of ``path``.

    Raises:
        FddError: Something that this tool did not make has the temporary name.
    """
    partial = partial_of(path)
    partial.parent.mkdir(parents=True, exist_ok=True)
    clear_partial_file(partial)
    yield partial
    partial.replace(path)


def clear_partial_file(partial: Path) -> None:
    """Delete the file that a killed process left under a temporary name, so that none is written through a link.

    Raises:
        FddError: It is not a file: this tool did not make it.
    """
    if not os.path.lexists(partial):
        return
    if not stat.S_ISREG(partial.lstat().st_mode):
        raise FddError(f"{partial} is in the way, and fdd-edge did not make it; move it elsewhere.")
    partial.unlink()


def write_shared(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file that several processes may write at the same time, each the same content.

    Args:
        path: The file; a link in its place is replaced, not followed.
        content: Its content.
        mode: Who may read and write it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        Path(partial).replace(path)
    except OSError:
        Path(partial).unlink(missing_ok=True)
        raise


def publish(built: Path, final: Path) -> None:
    """Give a finished file or folder on the same disk its final path, at which nothing may exist.

    Raises:
        FddError: Something does.
    """
    if os.path.lexists(final):
        raise FddError(f"{final} already exists; choose another folder, or delete it.")
    try:
        built.rename(final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        raise FddError(f"{final} already exists; choose another folder, or delete it.") from None


@contextmanager
def scratch_folder(output: Path) -> Iterator[Path]:
    """Yield an empty folder next to an output, from which ``publish`` can move files to it; deleted at the end.

    Folders for the same output that killed processes left are deleted first: those that bear this tool's mark.

    Raises:
        FddError: Another process has such a folder, so it is writing to the same output.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with _one_at_a_time(output.parent):
            ours = re.compile(rf"\.{re.escape(output.name)}-[a-z0-9_]{{8}}")
            for left in output.parent.iterdir():
                abandoned = is_abandoned(left) if ours.fullmatch(left.name) and left not in _IN_USE else None
                if abandoned:
                    announce(f"deleting {left}, left by a process that was killed")
                    shutil.rmtree(left, ignore_errors=True)
                elif abandoned is False:
                    raise FddError(
                        f"Another process is writing to {output}; wait for it, or stop it. If there is none, delete "
                        f"{left}."
                    )
            prefix = f".{output.name}-"
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=output.parent, prefix=prefix)))
            stack.enter_context(marked(folder))
            _IN_USE.add(folder)
            stack.callback(_IN_USE.discard, folder)
        with full_disk_detected(output.parent, folder):
            yield folder


_IN_USE: set[Path] = set()
"""The scratch folders of this process."""


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Lock a folder, if its disk can, so that of two processes that start together one sees what the other made."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def build_once(folder: Path, build: Callable[[Path], object]) -> Path:
    """Return a cached folder, built first if it is missing.

    Several processes may build it at the same time: each builds its own copy, and the first one to finish wins, so
    their copies must be interchangeable. Copies that killed processes left next to it are deleted.

    Args:
        folder: Final path.
        build: Fills the empty folder it is given.
    """
    sweep(folder.parent)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with marked_folder(folder.parent, ".fdd-edge-making") as temporary:
        partial = temporary / folder.name
        partial.mkdir()
        with full_disk_detected(folder.parent, partial):
            build(partial)
        try:
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder


def discard(folder: Path) -> None:
    """Delete a cached folder that other processes may be looking at: it disappears at once, or is gone already."""
    with marked_folder(folder.parent, ".fdd-edge-discarding") as temporary, suppress(FileNotFoundError):
        folder.rename(temporary / folder.name)


def delete(path: Path) -> None:
    """Delete a file, a link, or a folder with everything in it; a missing path is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
