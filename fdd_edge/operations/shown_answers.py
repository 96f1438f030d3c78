"""A few questions whose answers a run shows in full: which ones, and what a model answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fdd_edge.feedback import sample_pool
from fdd_edge.ondevice.language import LineValue, line_values
from fdd_edge.ondevice.protocol import Completion
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.records import Problem

__all__ = ["ShownAnswer", "choose_questions", "read_answers"]

_SHORT = 200
"""Letters of a question that is read at a glance: two and a half lines of 80 columns."""

_LONGEST_REPLY = 500
"""Letters that are kept of a reply without a program."""


@dataclass(frozen=True)
class ShownAnswer:
    """A question, and what a model answered.

    Attributes:
        dataset: The set that it is from.
        question: The question.
        expected: The right answer.
        correct: Whether the model gave it.
        answer: The number that it gave; None if it gave none.
        verdict: What became of the reply.
        detail: What exactly was wrong; None if nothing was, or the verdict says it all.
        lines: The lines of its program, each with the value that it computes; empty if there is no program.
        text: The beginning of a reply without a program.
    """

    dataset: str
    question: str
    expected: int | float
    correct: bool
    answer: int | float | None
    verdict: str
    detail: str | None
    lines: list[LineValue]
    text: str

    def to_row(self) -> dict[str, Any]:
        """Return the JSON object."""
        return asdict(self) | {"lines": [line._asdict() for line in self.lines]}


def choose_questions(problems: Sequence[Problem], n: int, seed: int) -> list[Problem]:
    """Draw questions that are short enough to be read, whoever solves them; the shortest if too few are short."""
    by_length = sorted(problems, key=lambda problem: len(problem.question))
    short = [problem for problem in problems if len(problem.question) <= _SHORT]
    return sample_pool(short if len(short) >= n else by_length[:n], n, seed)


def read_answers(evaluation: Path, dataset: str, problems: Sequence[Problem]) -> list[ShownAnswer]:
    """Return what was answered to some of the questions of an evaluation, in the order of the questions."""
    found: dict[str, Completion] = {}
    for row in read_rows(evaluation):
        found.setdefault(row.problem_id, row)
    return [_answer(dataset, problem, found[problem.id]) for problem in problems if problem.id in found]


def _answer(dataset: str, problem: Problem, row: Completion) -> ShownAnswer:
    return ShownAnswer(
        dataset=dataset,
        question=problem.question,
        expected=problem.answer,
        correct=row.verdict == "correct",
        answer=row.answer,
        verdict=str(row.verdict),
        detail=row.detail,
        lines=[] if row.program is None else line_values(row.program),
        text="" if row.program is not None else row.text.strip()[:_LONGEST_REPLY],
    )
