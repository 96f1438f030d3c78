"""A plan beside what really happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fdd_edge.planning.figures_planned import Figure, Unit

__all__ = ["Compared", "compare"]


@dataclass(frozen=True)
class Compared:
    """One figure of a plan, and the real one.

    Attributes:
        name: Of the figure.
        unit: What is counted.
        low: The lowest that was expected.
        high: The highest.
        real: What it was.
        ratio: The real one divided by the middle of what was expected; None if that is 0.
    """

    name: str
    unit: Unit
    low: float
    high: float
    real: float
    ratio: float | None


def compare(planned: Sequence[Figure], real: Mapping[str, float]) -> list[Compared]:
    """Return the figures that are known on both sides, in the order of the plan."""
    return [
        Compared(
            figure.name,
            figure.unit,
            figure.low,
            figure.high,
            real[figure.name],
            real[figure.name] / figure.span.middle if figure.span.middle else None,
        )
        for figure in planned
        if figure.name in real
    ]
