"""A model that is read for minutes: what comes of it counts only if nothing wrote to its files meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from fdd_edge.errors import FddError
from fdd_edge.ondevice.model_files import artifact_files, hash_model
from fdd_edge.runs.hashing import HashCache

__all__ = ["unchanged", "watch", "written_meanwhile"]


@contextmanager
def unchanged(path: Path, doing: str, *, sha256: str | None = None) -> Iterator[str]:
    """Yield the hash of a model; when the block ends, refuse its result if the model is not the same any more.

    A file that was changed and changed back has the same content, so each file's inode and times are compared too.

    Args:
        path: A model file, or the folder of a float model.
        doing: What is done with it, for the message, such as "compared".
        sha256: The hash that it must have, if something has been made from it already.

    Raises:
        FddError: It was written to, or something was moved to its name.
    """
    was_touched = watch(path)
    before = _hash(path)
    if sha256 is not None and before != sha256:
        raise written_meanwhile(path, doing)
    yield before
    if was_touched() or _hash(path) != before:
        raise written_meanwhile(path, doing)


def watch(path: Path) -> Callable[[], bool]:
    """Return a function that says whether a model's files were written to or replaced since."""
    before = _states(path)
    return lambda: _were_touched(before, _states(path))


def written_meanwhile(path: Path, doing: str) -> FddError:
    """Return the error about a model that was changed while something was ``doing`` it."""
    return FddError(
        f"{path} was changed while it was being {doing}, so the result belongs to no model. Run the command again when "
        "nothing writes to it."
    )


def _hash(path: Path) -> str:
    return HashCache().of(path) if path.is_dir() else hash_model(path)


class _State(NamedTuple):
    """What tells whether a file was written to or replaced, and what explains a later time of change otherwise."""

    content: tuple[int, int, int, int]
    ctime: int
    attributes: tuple[int, int, int, int]


def _states(path: Path) -> dict[Path, _State]:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else artifact_files(path)
    return {file: _state(file.stat()) for file in files if file.is_file()}


def _state(found: os.stat_result) -> _State:
    content = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    return _State(content, found.st_ctime_ns, (found.st_mode, found.st_nlink, found.st_uid, found.st_gid))


def _were_touched(before: dict[Path, _State], after: dict[Path, _State]) -> bool:
    """Return whether a file was written to or replaced; chmod and a new hard link leave it the same."""
    if before.keys() != after.keys():
        return True
    for file, old in before.items():
        new = after[file]
        if new.content != old.content or (new.ctime != old.ctime and new.attributes == old.attributes):
            return True
    return False
