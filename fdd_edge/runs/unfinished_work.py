"""Unfinished work of one command, set aside when another one is to write to the same output, and taken back later."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from fdd_edge.progress import warn
from fdd_edge.runs.hashing import sha256_of

__all__ = ["set_aside", "take_back"]


def set_aside(folder: Path, made_from: str, marks: Collection[str]) -> None:
    """Move unfinished work next to its place, and say so, unless it is empty.

    Args:
        folder: The work, which bears this tool's mark.
        made_from: The fingerprint in its mark, which may be damaged.
        marks: Names of the files that are marks, not work.
    """
    files = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    if not any(path.name not in marks and path.lstat().st_size for path in files):
        return
    kept = _place_of(folder, made_from)
    n = 1
    while os.path.lexists(kept):
        kept, n = _place_of(folder, f"{made_from} {n}"), n + 1
    folder.rename(kept)
    warn(
        f"{folder} holds unfinished work of another command (other files, options or version), or its mark is damaged. "
        f"It is kept as {kept}: the same command for this output resumes it. Delete it if you do not need it."
    )


def take_back(folder: Path, wanted: str, marks: Collection[str]) -> bool:
    """Move work that was set aside under this fingerprint back to its place, if that is free; return whether it was."""
    kept = _place_of(folder, wanted)
    if os.path.lexists(folder) or kept.is_symlink():
        return False
    found = [path for mark in marks if (path := kept / mark).is_file() and not path.is_symlink()]
    if not any(path.read_bytes().startswith(f"{wanted}\n".encode()) for path in found):
        return False
    kept.rename(folder)
    return True


def _place_of(folder: Path, made_from: str) -> Path:
    return folder.with_name(f"{folder.name}-{sha256_of(made_from)[:8]}")
