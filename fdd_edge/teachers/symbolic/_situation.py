"""What a situation and a further step are: entries of a shelf of YAML files, so that a new one needs no Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["END", "Number", "Result", "Situation", "Slots", "Step"]

Number = int | float
Slots = dict[str, str | Number]


class Result(NamedTuple):
    """What the last line of a situation or a step gives, for the steps that go on from it.

    Attributes:
        kind: Says which steps fit: "stock" (things someone holds), "money", "cost", "share", "age" ..., and "number"
            where only steps do that suit any number.
        phrase: A noun phrase for it: "the {items} {he} had left"; it tells the numbers that only the question does.
        who: The subject a step begins with; "they" where several people hold it.
        noun: What a "number" counts: "cars".
    """

    kind: str
    phrase: str = ""
    who: str = "{name}"
    noun: str = ""


END = Result("end")
"""A result from which no step goes on."""


@dataclass(frozen=True)
class Situation:
    """A kind of school problem.

    Every text is a template: ``{a}`` is a number, ``{p:$}`` money, ``{d:d}`` a number that is never spelled out,
    ``{items}`` a word of the list of that name, ``{name}``, ``{friend}`` and ``{third}`` people. All numbers that a
    text counts things with are 2 or more, so that plurals are right.

    Attributes:
        name: Unique; stored with every problem.
        kind: What it is about: "total", "change", "comparison" ...
        tell: Ways to tell what happened, without the question.
        ask: Ways to ask for the result; each holds the only question mark.
        program: The assignments; the last one's name stands for the result until it becomes ``answer``.
        numbers: How each number is drawn, in order; see `draw_numbers`.
        where: A condition on the numbers, or nothing.
        decimals: 2 where results may be dollars and cents; else all of them are whole.
        words: For each slot the name of a list of words, or the words.
        aside: Sentences with a number ``{x}`` that the answer does not need.
        result: What it gives.
        held_out: Kept for evaluation: no teacher writes from it.
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
    """A further step, which goes on from the result of a situation or of another step.

    Attributes:
        name: Unique; stored with every problem that has it.
        of: The kinds of result it fits.
        tell: Ways to tell it; ``{phrase}`` and ``{who}`` come from the result before, ``{pal}`` is one more person.
        ask: Ways to ask for its result.
        program: The assignments; ``{prev}`` is the variable of the result before.
        numbers: How each number is drawn; ``prev`` is the value of the result before.
        where: A condition on the numbers, or nothing.
        decimals: 2 where its results may be dollars and cents.
        result: What it gives.
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
