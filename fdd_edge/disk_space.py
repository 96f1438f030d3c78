"""Checks that output fits on the disk, before the work that writes it begins."""

from __future__ import annotations

import shutil
from pathlib import Path

from fdd_edge.errors import FddError

__all__ = ["check_disk", "check_room", "format_bytes"]

_FLOAT_BYTES = 4


def check_disk(folder: Path, parameters: int, *, copies: float) -> None:
    """Refuse to start work whose output does not fit on the disk.

    Args:
        folder: Where the output goes; it need not exist yet.
        parameters: Number of weights of the model.
        copies: How many float32 copies of the model will be written.

    Raises:
        FddError: The disk has too little free space.
    """
    check_room(folder, round(parameters * _FLOAT_BYTES * copies))


def check_room(folder: Path, needed: int) -> None:
    """Refuse to write ``needed`` bytes into a folder that has less space; it need not exist yet.

    Raises:
        FddError: The disk has too little free space.
    """
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise FddError(
            f"{folder} needs about {format_bytes(needed)} of disk space, but only {format_bytes(free)} are free. Free "
            "some space, or choose another disk."
        )


def format_bytes(number: int) -> str:
    """Return a number of bytes in MB or GB, such as ``92.1 MB``."""
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"
