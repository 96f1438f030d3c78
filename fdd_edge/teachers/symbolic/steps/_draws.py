"""What the further steps draw their numbers with; each draw returns None where the value before admits none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from fdd_edge.teachers.symbolic._situation import Number, Result, Step

__all__ = ["END", "Draw", "between", "beyond", "divisor", "make_step", "nothing_if_even", "part"]

Draw = Callable[[Random, Number], Mapping[str, Number] | None]

END = Result("end", "")


def nothing_if_even(rng: Random, value: Number) -> Mapping[str, Number] | None:
    """Draw nothing; the value must be even."""
    return {} if value >= 4 and value % 2 == 0 else None


def between(slot: str, low: int, high: int) -> Draw:
    """Draw a number that needs nothing of the value before, except that there is one."""
    return lambda rng, value: {slot: rng.randint(low, high)} if value > 0 else None


def part(slot: str) -> Draw:
    """Draw a whole number from 2 to less than the value."""
    return lambda rng, value: {slot: rng.randint(2, int(value) - 1)} if value > 4 else None


def divisor(slot: str, low: int = 2, high: int = 12) -> Draw:
    """Draw a number that divides the value and leaves 2 or more."""

    def draw(rng: Random, value: Number) -> Mapping[str, Number] | None:
        divisors = [d for d in range(low, high + 1) if value % d == 0 and value / d >= 2]
        return {slot: rng.choice(divisors)} if divisors else None

    return draw


def beyond(slot: str, most: int) -> Draw:
    """Draw a round number above the value."""
    return lambda rng, value: {slot: (int(value) // 5 + 1) * 5 + 5 * rng.randint(0, most // 5)} if value > 0 else None


def make_step(
    name: str,
    of: str,
    bodies: tuple[str, ...],
    asks: tuple[str, ...],
    program: tuple[str, ...],
    numbers: Draw,
    result: Result,
) -> Step:
    """Make a step; it needs one more person where its text names ``pal``."""
    friend = any("{pal" in text for text in bodies)
    return Step(name, frozenset(of.split()), bodies, asks, program, numbers, result, friend)
