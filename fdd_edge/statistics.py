"""Intervals for shares of right answers."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

__all__ = ["Interval", "wilson"]

_Z95 = 1.959963984540054


class Interval(NamedTuple):
    """A 95 % interval, between 0 and 1."""

    low: float
    high: float


def wilson(successes: int, n: int) -> Interval:
    """Return Wilson's score interval for a share (Wilson 1927; no continuity correction).

    Raises:
        ValueError: There are no trials, or more successes than trials.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is no share")
    p, z2 = successes / n, _Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # The ends are exact where nothing or everything succeeded; rounding must not push past them.
    return Interval(0.0 if successes == 0 else centre - half, 1.0 if successes == n else centre + half)
