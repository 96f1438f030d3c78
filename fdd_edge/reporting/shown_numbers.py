"""Figures as a report shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from fdd_edge.intervals import Interval

__all__ = [
    "ORIGINS",
    "SHORT_HASH",
    "counted",
    "in_words",
    "megabytes",
    "p_value",
    "percent",
    "points",
    "rate",
    "share",
    "span",
]

SHORT_HASH = 12
"""Digits of a hash that tell it from all others of a run."""

ORIGINS = {"seed": "seed", "complex": "harder", "similar": "similar", "own": "the student’s own"}
"""What problems are called, by where they come from."""

MINUS = "\u2212"
_DASH, _THIN = "\u2013", "\u00a0"


def percent(part: float) -> str:
    """Return a share in percent."""
    return f"{100 * part:.1f}{_THIN}%"


def span(interval: Interval | Sequence[float]) -> str:
    """Return an interval of a share in percent; it stays on one line."""
    low, high = interval
    return f"{100 * low:.1f}{_DASH}{100 * high:.1f}{_THIN}%"


def share(part: float, interval: Interval | Sequence[float], *, named: bool = False) -> str:
    """Return a share with its interval.

    Args:
        part: The share.
        interval: Its interval.
        named: Whether to say that it is one.
    """
    return f"{percent(part)} ({f'95{_THIN}% interval ' if named else ''}{span(interval)})"


def points(change: float) -> str:
    """Return a difference between two shares in points, with its sign."""
    shown = f"{100 * change:+.1f}"
    return "0.0" if float(shown) == 0 else shown.replace("-", MINUS)


def p_value(p: float) -> str:
    """Return a p value."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def megabytes(size: float) -> str:
    """Return a size in megabytes."""
    return f"{size / 1e6:,.1f}" if size < 1e8 else f"{size / 1e6:,.0f}"


def rate(per_second: float | None) -> str:
    """Return a speed, or a dash if it was not measured."""
    return _DASH if per_second is None else f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.1f}"


def counted(n: int, one: str, several: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{n:,} {one if n == 1 else several or one + 's'}"


def in_words(counts: Mapping[str, int], names: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return counts as a list: ``28 easy, 68 hard``."""
    return ", ".join(f"{n:,} {names.get(name, name.replace('_', ' '))}" for name, n in counts.items() if n)
