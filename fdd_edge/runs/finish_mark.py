"""The marks inside a folder while it is being built, and until the manifest records it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from fdd_edge.runs.hashing import HashCache

__all__ = ["BEGUN", "FINISHED", "Mark", "begin", "finish", "others_in", "read_mark"]

BEGUN, FINISHED = ".fingerprint", ".finished"
"""Names of the marks. They hold a folder's fingerprint, on a second line the hash of what was finished, and on a third
one the names of its files: what else is in the folder is somebody's."""

_NO_HASH = "0" * 64
"""Keeps the place of that hash."""

_ROOM = " " * 3900
"""Keeps the place of the names, within one block of a disk: to finish on a full one, no more room is needed."""


class Mark(NamedTuple):
    """What a mark says.

    Attributes:
        wanted: The fingerprint.
        content: The hash of what was finished.
        names: Its files; None if the mark does not list them.
    """

    wanted: str
    content: str
    names: list[str] | None

    def is_begun(self, wanted: str) -> bool:
        """Return whether work with this fingerprint was begun, and not finished."""
        return (self.wanted, self.content) == (wanted, _NO_HASH)

    def is_intact(self, folder: Path, hashes: HashCache) -> bool:
        """Return whether the files that were finished are there, with the same content."""
        if self.names is None:
            return self.content == hashes.of(folder)
        try:
            return self.content == hashes.of_files(folder, self.names)
        except (OSError, ValueError):
            return False


def begin(folder: Path, wanted: str) -> None:
    """Mark a folder as begun."""
    (folder / BEGUN).write_text(f"{wanted}\n{_NO_HASH}\n{_ROOM}", encoding="ascii")


def finish(folder: Path, wanted: str, hashes: HashCache) -> None:
    """Mark a folder as finished, with its files and the hash of their content."""
    mark, names = folder / BEGUN, hashes.names_in(folder)
    with mark.open("r+", encoding="ascii") as file:
        file.write(f"{wanted}\n{hashes.of_files(folder, names)}\n{json.dumps(names)}")
    mark.replace(folder / FINISHED)


def read_mark(folder: Path, name: str) -> Mark | None:
    """Return what is in one of the marks, or None if the folder does not have it."""
    path = folder / name
    if folder.is_symlink() or not path.is_file():
        return None
    wanted, _, rest = path.read_bytes().decode("ascii", errors="replace").partition("\n")
    content, _, listed = rest.partition("\n")
    return Mark(wanted, content, _names(listed))


def _names(listed: str) -> list[str] | None:
    """Read the names in a mark back; None if they are damaged, or were not written yet."""
    try:
        names = json.loads(listed)
    except (ValueError, RecursionError):
        return None
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return names if is_list else None


def others_in(folder: Path, ours: Iterable[str]) -> list[str]:
    """Return the files and links in a folder that this tool did not make, given those that it did."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    known = {*ours, BEGUN, FINISHED}
    entries = (path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir())
    return [name for path in entries if (name := str(path.relative_to(folder))) not in known]
