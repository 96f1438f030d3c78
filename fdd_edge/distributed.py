"""The processes that ``accelerate launch`` has started, read from the environment without importing torch."""

from __future__ import annotations

import os

__all__ = ["is_first_process", "local_world_size", "rank", "world_size"]


def world_size() -> int:
    """Return the number of processes that train together, on all machines."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_world_size() -> int:
    """Return the number of these processes on this machine, which share its cores."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def rank() -> int:
    """Return the number of this process, starting at 0."""
    return int(os.environ.get("RANK", "0"))


def is_first_process() -> bool:
    """Return whether this process is the one that writes files and messages."""
    return rank() == 0
