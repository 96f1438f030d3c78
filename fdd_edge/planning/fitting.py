"""What would have to shrink for a plan to fit: the smallest change of one key that does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Knob", "Shrunk", "shrink"]


@dataclass(frozen=True)
class Knob:
    """A key that makes a run smaller.

    Attributes:
        key: Its path, as ``--set`` takes it.
        value: What it is now, or what it amounts to.
        least: The smallest value that still makes a run.
        whole: Whether it is a whole number.
        template: What is set, with ``@`` for the value; default: the value itself.
    """

    key: str
    value: float
    least: float
    whole: bool = True
    template: str = "@"

    def setting(self, value: float) -> str:
        """Return ``KEY=VALUE``."""
        return f"{self.key}={self.template.replace('@', f'{value:.0f}' if self.whole else f'{value:g}')}"


@dataclass(frozen=True)
class Shrunk:
    """A change that makes a plan fit.

    Attributes:
        setting: ``KEY=VALUE``, for ``--set``.
        value: The figure that was too large, with it.
    """

    setting: str
    value: float


_STEPS = 12


def shrink(knobs: Sequence[Knob], limit: float, again: Callable[[str], float | None]) -> list[Shrunk]:
    """Return for each key the largest value with which a figure fits, if there is one.

    Args:
        knobs: The keys.
        limit: What the figure may be.
        again: Plans again with ``KEY=VALUE``; returns the figure, or None if that cannot be planned.
    """
    found = []
    for knob in knobs:
        if knob.value <= knob.least:
            continue
        least = knob.setting(knob.least)
        value = again(least)
        if value is None or value > limit:
            continue
        low, high, best = knob.least, knob.value, Shrunk(least, value)
        for _ in range(_STEPS):
            middle = float((low + high) // 2) if knob.whole else round((low + high) / 2, 2)
            if middle in (low, high):
                break
            value = again(knob.setting(middle))
            if value is not None and value <= limit:
                low, best = middle, Shrunk(knob.setting(middle), value)
            else:
                high = middle
        found.append(best)
    return found
