"""What ``accelerate launch`` says of the processes it has started, without importing torch."""

from __future__ import annotations

import os

__all__ = ["is_first_process", "local_world_size", "rank", "world_size"]


def world_size() -> int:
    """Return how many processes train together, on all machines."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_world_size() -> int:
    """Return how many of them share this machine's cores."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def rank() -> int:
    """Return which of them this process is, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_first_process() -> bool:
    """Say whether this process is the one that writes."""
    return rank() == 0
