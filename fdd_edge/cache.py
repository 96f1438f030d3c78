"""The folder for files that can be created again."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """Return ``$FDD_EDGE_CACHE``, or ``fdd-edge`` in the user's cache folder; it may not exist yet."""
    if named := os.environ.get("FDD_EDGE_CACHE"):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fdd-edge"
