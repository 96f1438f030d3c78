"""The figures and first differences of a certificate's items, as JSON and as text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fdd_edge.intervals import wilson

__all__ = ["excerpt", "first_different", "interval", "percent", "rounded", "side_by_side"]

_BEFORE, _AFTER = 12, 24
"""Characters of an excerpt around a difference."""


def first_different(one: Sequence[object], other: Sequence[object]) -> int:
    """Return the first position at which two sequences differ, or the length of the shorter one."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def excerpt(text: str, position: int) -> str:
    """Return the text around a position, long enough to find it again."""
    return text[max(0, position - _BEFORE) : position + _AFTER]


def side_by_side(reference: str, file: str) -> dict[str, str]:
    """Return what the reference and the file write around their first difference."""
    position = first_different(reference, file)
    return {"reference writes": excerpt(reference, position), "file writes": excerpt(file, position)}


def percent(successes: int, n: int) -> str:
    """Return a share in per cent with its 95 % interval; "-" of nothing."""
    if not n:
        return "-"
    low, high = wilson(successes, n)
    return f"{100 * successes / n:.1f} % ({100 * low:.1f}-{100 * high:.1f})"


def interval(successes: int, n: int) -> list[float] | None:
    """Return the 95 % interval of a share; None of nothing."""
    return [round(end, 4) for end in wilson(successes, n)] if n else None


def rounded(value: float) -> float | None:
    """Return a figure with four digits; None for a number that JSON cannot hold."""
    return float(f"{value:.4g}") if np.isfinite(value) else None
