"""What a teacher is: it writes rationales for problems, and new problems from old ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

from fdd_edge.records import Problem

__all__ = ["Declined", "Draft", "Teacher"]


class Draft(NamedTuple):
    """A new problem as a teacher hands it over; the caller sets id, parent, origin, depth, round and teacher.

    Attributes:
        question: The text a student is asked.
        program: Its rationale, in normal form.
        answer: What the program gives.
        extra: What the teacher wants to find again in ``Problem.extra``.
    """

    question: str
    program: str
    answer: int | float
    extra: Mapping[str, Any] = MappingProxyType({})


class Declined(NamedTuple):
    """A teacher's refusal of one problem.

    Attributes:
        problem_id: The problem that was asked for.
        teacher: The name of the teacher.
        reason: A short slug such as ``number_stands_twice``, fit for counting.
    """

    problem_id: str
    teacher: str
    reason: str


@runtime_checkable
class Teacher(Protocol):
    """Asynchronous and batched, so that a model behind an API fits; one result per problem, in order."""

    name: str
    writes_problems: bool

    async def rationale(self, problems: Sequence[Problem]) -> list[str | Declined]:
        """Write a program in normal form for each problem."""
        ...

    async def complexify(
        self, problems: Sequence[Problem], *, per_problem: int, seed: int
    ) -> list[list[Draft] | Declined]:
        """Write up to ``per_problem`` harder variations of each problem."""
        ...

    async def similar(
        self, problems: Sequence[Problem], *, per_problem: int, seed: int
    ) -> list[list[Draft] | Declined]:
        """Write up to ``per_problem`` new problems of about the same complexity for each problem."""
        ...
