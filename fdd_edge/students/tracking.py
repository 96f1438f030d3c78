"""Which experiment trackers a training reports to, and under which names."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex

from fdd_edge.errors import FddError
from fdd_edge.students.training_options import Tracker

__all__ = ["Tracking", "check_trackers", "new_id"]


@dataclass(frozen=True)
class Tracking:
    """Where one training reports to.

    Attributes:
        trackers: Which trackers.
        folder: Gets TensorBoard's event files. The others have places of their own.
        name: What trackers call the training.
        id: Another one for each training; a call that goes on from a checkpoint has that of the call before. It is
            empty until the training begins.
        student: What trackers call the student, instead of its folder.
    """

    trackers: tuple[Tracker, ...]
    folder: Path
    name: str
    id: str = ""
    student: str = ""


def new_id() -> str:
    """Return an id that no other training has, on any machine."""
    return token_hex(8)


def check_trackers(trackers: tuple[Tracker, ...]) -> None:
    """Refuse trackers that are not installed.

    Raises:
        FddError: One is not; the message says how to install it.
    """
    for name in trackers:
        found = find_spec(name)
        if found is None or found.origin is None:  # a mere folder of that name, such as wandb makes where it runs
            raise FddError(f"{name} is not installed. Install it with: pip install {name}")
