"""A bank: problems with programs, found by their question or by what is near."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from fdd_edge.records import Problem, same_answer
from fdd_edge.teachers.recorded._nearness import Nearness

__all__ = ["Bank", "question_key"]

_TYPOGRAPHY = str.maketrans(
    dict.fromkeys("‘’‚‛′ʼ`", "'")
    | dict.fromkeys("“”„‟″«»", '"')
    | dict.fromkeys("‐‑‒–—―−", "-")
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad")
    | {"…": "..."}
)
"""One character for all that differ only in how they are set, and none for those that nobody sees."""


def question_key(question: str) -> str:
    """Return what two wordings of one question have in common: white space, case and typography do not count."""
    return " ".join(unicodedata.normalize("NFC", question).translate(_TYPOGRAPHY).casefold().split())


@dataclass(frozen=True, eq=False)
class Bank:
    """Problems in the order of their file, and what is looked up among them, which is made once.

    Attributes:
        problems: Each with its program, in normal form, and with its operations counted.
    """

    problems: Sequence[Problem]

    @cached_property
    def by_question(self) -> Mapping[str, Sequence[int]]:
        """The positions of the problems of a question, by its key."""
        found: dict[str, list[int]] = defaultdict(list)
        for position, problem in enumerate(self.problems):
            found[question_key(problem.question)].append(position)
        return MappingProxyType(found)

    @cached_property
    def offered(self) -> Mapping[str, int]:
        """The positions of the problems that may be given out, by key: one per question.

        A question with two answers is left out, because one of them is wrong.
        """
        return {
            key: positions[0]
            for key, positions in self.by_question.items()
            if all(same_answer(self.problems[p].answer, self.problems[positions[0]].answer) for p in positions[1:])
        }

    @cached_property
    def nearness(self) -> Nearness:
        """The index that finds what is near.

        Raises:
            MissingExtraError: bm25s is not installed.
        """
        return Nearness([problem.question for problem in self.problems])
