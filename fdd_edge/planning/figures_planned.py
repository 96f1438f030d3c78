"""The figures of a plan: what each is called, its unit, and where it is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from fdd_edge.planning.span import Span

__all__ = ["Figure", "Unit"]

Unit = Literal["problems", "calls", "tokens", "cost", "seconds", "bytes"]


@dataclass(frozen=True)
class Figure:
    """One number of a plan.

    Attributes:
        name: Its name; the real number of a finished run has the same one.
        unit: What is counted.
        low: The lowest that is expected.
        high: The highest.
        basis: Where it is from, in a few words.
    """

    name: str
    unit: Unit
    low: float
    high: float
    basis: str = ""

    @classmethod
    def of(cls, name: str, unit: Unit, span: Span, basis: str = "") -> Self:
        """Return the figure of a span."""
        return cls(name, unit, span.low, span.high, basis)

    @property
    def span(self) -> Span:
        """From the lowest to the highest."""
        return Span(self.low, self.high)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read the JSON object back.

        Raises:
            ValueError: It is none.
        """
        found = cls(**row)
        numbers = (found.low, found.high)
        if any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers):
            raise ValueError("not a number")
        if found.unit not in get_args(Unit) or not isinstance(found.name, str) or not isinstance(found.basis, str):
            raise ValueError("not a figure")
        return found
