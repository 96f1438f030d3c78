"""What a situation and a further step are: data and a small function each, so that a new one is an entry in a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

__all__ = ["Number", "Result", "Situation", "Slots", "Step"]

Number = int | float
Slots = dict[str, str | Number]


class Result(NamedTuple):
    """What the last line of a situation or a step gives, for the steps that go on from it.

    Attributes:
        kind: Says which steps fit: "stock" (things someone holds), "money", "cost", "share", "gap" ...
        phrase: A noun phrase for it that tells no number: "the {items} {he} had left".
        who: The subject a step begins with; "they" where several people hold it.
    """

    kind: str
    phrase: str
    who: str = "{name}"


@dataclass(frozen=True)
class Situation:
    """A kind of school problem.

    Every text is a template. Bodies and questions go together in any combination, and all numbers a body counts things
    with are 2 or more, so that plurals are right.

    Attributes:
        name: Unique; stored with every problem.
        kind: What it is about: "total", "change", "comparison" ...
        bodies: Ways to tell what happened, without the question.
        asks: Ways to ask for the result; each holds the only question mark.
        program: The assignments; the last one's name stands for the result until it becomes ``answer``.
        numbers: Draws the numbers, such that every result is non-negative, and whole where things are counted.
        result: What it gives.
        words: Slots that are drawn from a list of words.
        people: How many people it needs (1 to 3), as ``name``, ``friend`` and ``third``.
        held_out: Kept for evaluation: no teacher writes from it.
    """

    name: str
    kind: str
    bodies: tuple[str, ...]
    asks: tuple[str, ...]
    program: tuple[str, ...]
    numbers: Callable[[Random], Mapping[str, Number]]
    result: Result
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    people: int = 1
    held_out: bool = False


@dataclass(frozen=True)
class Step:
    """A further step, which goes on from the result of a situation or of another step.

    Attributes:
        name: Unique; stored with every problem that has it.
        of: The kinds of result it fits.
        bodies: Ways to tell it; ``{phrase}`` and ``{who}`` come from the result before.
        asks: Ways to ask for its result.
        program: The assignments; ``{prev}`` is the variable of the result before.
        numbers: Draws the numbers for the value before, or returns None where no sane ones exist.
        result: What it gives.
        friend: Whether it needs one more person, as ``pal``.
    """

    name: str
    of: frozenset[str]
    bodies: tuple[str, ...]
    asks: tuple[str, ...]
    program: tuple[str, ...]
    numbers: Callable[[Random, Number], Mapping[str, Number] | None]
    result: Result
    friend: bool = False
