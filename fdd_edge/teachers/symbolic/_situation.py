"""Situations and further steps. Both are entries of YAML files, so that adding one takes no Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["END", "Forms", "Number", "Result", "Situation", "Slots", "Step"]

Number = int | float
Slots = dict[str, str | Number]

Forms = Mapping[str, str | Number]
"""Slots and the forms derived from them, with which templates are filled."""


class Result(NamedTuple):
    """The result of a situation or a step, as the next step sees it.

    Attributes:
        kind: Determines which steps can follow: "stock" (things that someone holds), "money", "cost", "share", "age"
            ..., or "number" if only steps that fit any number can.
        phrase: A noun phrase for it: "the {items} {he} had left". It contains the numbers that only the question has.
        who: The subject of the next step's text; "they" if several people hold the result.
        noun: What a "number" counts: "cars".
    """

    kind: str
    phrase: str = ""
    who: str = "{name}"
    noun: str = ""


END = Result("end")
"""A result that no step can follow."""


@dataclass(frozen=True)
class Situation:
    """A kind of school problem.

    Every text is a template: ``{a}`` is a number, ``{p:$}`` an amount of money, ``{d:d}`` a number that is never
    spelled out, ``{items}`` a word from the list of that name, and ``{name}``, ``{friend}`` and ``{third}`` are people.
    Numbers that count things are at least 2, so that plurals are right.

    Attributes:
        name: Unique name, stored with every problem.
        kind: Its subject: "total", "change", "comparison" ...
        tell: Versions of the text without the question.
        ask: Versions of the question; each contains the only question mark.
        program: The assignments; the last one becomes ``answer`` unless a step follows.
        numbers: How each number is drawn, in order; see ``draw_numbers``.
        where: A condition on the numbers, or an empty string.
        decimals: 2 if results may be dollars and cents; otherwise all results are whole.
        words: The words of each slot.
        aside: Sentences with a number ``{x}`` that the answer does not need.
        result: Its result.
        held_out: Whether it is kept for evaluation; no teacher writes from it.
    """

    name: str
    kind: str
    tell: tuple[str, ...]
    ask: tuple[str, ...]
    program: tuple[str, ...]
    numbers: Mapping[str, str]
    where: str = ""
    decimals: int = 0
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    aside: tuple[str, ...] = ()
    result: Result = END
    held_out: bool = False


@dataclass(frozen=True)
class Step:
    """A further step, which continues from the result of a situation or of another step.

    Attributes:
        name: Unique name, stored with every problem that has the step.
        of: The kinds of result it can follow.
        tell: Versions of its text; ``{phrase}`` and ``{who}`` come from the previous result, ``{pal}`` is a new person.
        ask: Versions of its question.
        program: The assignments; ``{prev}`` is the variable of the previous result.
        numbers: How each number is drawn; ``prev`` is the value of the previous result.
        where: A condition on the numbers, or an empty string.
        decimals: 2 if its results may be dollars and cents.
        result: Its result.
    """

    name: str
    of: frozenset[str]
    tell: tuple[str, ...]
    ask: tuple[str, ...]
    program: tuple[str, ...]
    numbers: Mapping[str, str]
    where: str = ""
    decimals: int = 0
    result: Result = END
