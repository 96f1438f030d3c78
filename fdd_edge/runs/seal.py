"""A folder's seal: the hash of its name and content, in a file inside it, checked before the folder is used again."""

from __future__ import annotations

from pathlib import Path

from fdd_edge.runs.hashing import HashCache, sha256_of

__all__ = ["SEAL", "is_intact", "seal"]

SEAL = ".sha256"
"""Name of the file."""


def seal(folder: Path) -> None:
    """Write a folder's seal, after everything else in it. It covers the name: content of another name is another's."""
    (folder / SEAL).write_text(_hash(folder), encoding="ascii")


def is_intact(folder: Path) -> bool:
    """Return whether a folder has a seal, and its name and content are still those that were sealed."""
    try:
        return (folder / SEAL).read_bytes() == _hash(folder).encode("ascii")
    except OSError:
        return False


def _hash(folder: Path) -> str:
    return sha256_of(f"{folder.name}\0{HashCache(ignored=(SEAL,)).of(folder)}")
