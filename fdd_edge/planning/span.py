"""A number that is known to lie between two others."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Span"]


@dataclass(frozen=True)
class Span:
    """From ``low`` to ``high``; the same twice for a number that is known."""

    low: float
    high: float

    @classmethod
    def of(cls, value: float) -> Span:
        """Return a number that is known."""
        return cls(value, value)

    @property
    def middle(self) -> float:
        """The number to compare with."""
        return (self.low + self.high) / 2

    def __add__(self, other: Span | float) -> Span:
        return (
            Span(self.low + other.low, self.high + other.high)
            if isinstance(other, Span)
            else Span(self.low + other, self.high + other)
        )

    def __mul__(self, factor: float) -> Span:
        return Span(self.low * factor, self.high * factor)

    def or_else(self, other: Span) -> Span:
        """Return from the lowest to the highest of two."""
        return Span(min(self.low, other.low), max(self.high, other.high))

    def times(self, other: Span) -> Span:
        """Return the product of two numbers that are not below 0."""
        return Span(self.low * other.low, self.high * other.high)

    def at_most(self, most: float) -> Span:
        """Return it, cut off at a limit."""
        return Span(min(self.low, most), min(self.high, most))
