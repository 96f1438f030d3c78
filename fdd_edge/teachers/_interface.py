"""The interface of a teacher, which writes programs for problems, and new problems from old ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

from fdd_edge.records import Problem

__all__ = ["Declined", "Draft", "Rationale", "Stocked", "Teacher"]


class Draft(NamedTuple):
    """A new problem as a teacher returns it; the caller sets its id, parent, origin, depth, round and teacher.

    Attributes:
        question: The text that a student is asked.
        program: Its program, in normal form.
        answer: The answer of the program.
        notes: What the teacher needs to write another problem from this one; stored in ``Problem.teacher_notes``.
    """

    question: str
    program: str
    answer: int | float
    notes: Mapping[str, Any] = MappingProxyType({})


class Rationale(NamedTuple):
    """A program for a problem, with what is to be noted about it.

    Attributes:
        program: In normal form.
        notes: As those of a ``Draft``.
    """

    program: str
    notes: Mapping[str, Any] = MappingProxyType({})


class Declined(NamedTuple):
    """A teacher's refusal of one problem.

    Attributes:
        problem_id: Id of the problem.
        teacher: Name of the teacher.
        reason: A short slug such as ``number_occurs_twice``; reasons are counted and reported.
    """

    problem_id: str
    teacher: str
    reason: str


@runtime_checkable
class Teacher(Protocol):
    """Writes programs and problems.

    The methods are asynchronous and take many problems, so that a teacher can call a model in parallel. Each
    returns one result per problem, in the same order.

    """

    @property
    def name(self) -> str:
        """Recorded with every problem that the teacher writes."""

    @property
    def writes_problems(self) -> bool:
        """Whether ``complexify`` and ``similar`` write anything."""

    async def rationale(self, problems: Sequence[Problem]) -> Sequence[str | Rationale | Declined]:
        """Return a program in normal form for each problem, or why there is none."""
        ...

    async def complexify(
        self, problems: Sequence[Problem], *, per_problem: int, seed: int
    ) -> list[list[Draft] | Declined]:
        """Return up to ``per_problem`` harder variations of each problem, or why there are none."""
        ...

    async def similar(
        self, problems: Sequence[Problem], *, per_problem: int, seed: int
    ) -> list[list[Draft] | Declined]:
        """Return up to ``per_problem`` new problems of similar complexity for each problem, or why there are none."""
        ...


@runtime_checkable
class Stocked(Teacher, Protocol):
    """A teacher that does not write its problems but has a stock of them, and gives out each once in a run.

    It remembers nothing: what a run has used is in the run's files, so that a resumed run goes on as it would have.
    """

    def without(self, questions: Iterable[str]) -> Self:
        """Return this teacher without the problems of these questions: those a run knows, or was given before."""
        ...
