"""Turns completions into verdicts, and verdicts into a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from fdd_edge.intervals import Interval, clustered_wilson
from fdd_edge.ondevice.protocol import Completion
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.records import Problem, same_answer
from fdd_edge.runs.fingerprint import Json

__all__ = ["Summary", "same_question", "score", "summarize"]


class Summary(NamedTuple):
    """The result of one artifact on one data set.

    Attributes:
        n: Number of completions.
        correct: Number of completions with the gold answer.
        accuracy: correct / n.
        ci95: Interval of the accuracy, see ``clustered_wilson``: replies to the same problem are not independent.
        distinct: Number of different problems; the same question under several ids is one.
        verdicts: Number of completions per verdict, 0 for verdicts that did not occur.
    """

    n: int
    correct: int
    accuracy: float
    ci95: Interval
    distinct: int
    verdicts: dict[str, int]

    def to_row(self) -> dict[str, Json]:
        """Return the JSON object."""
        return self._asdict() | {"ci95": list(self.ci95)}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Summary:
        """Read the JSON object back."""
        interval, distinct = Interval(*row["ci95"]), row.get("distinct", row["n"])
        return cls(row["n"], row["correct"], row["accuracy"], interval, distinct, row["verdicts"])


def score(completions: Sequence[Completion], problems: Mapping[str, Problem]) -> list[Completion]:
    """Set the verdict to ``correct`` or ``wrong`` if it is open: the device has no gold answers."""
    scored = []
    for completion in completions:
        if completion.verdict is None and completion.answer is not None:
            right = same_answer(completion.answer, problems[completion.problem_id].answer)
            completion = replace(completion, verdict=Verdict.correct if right else Verdict.wrong)
        scored.append(completion)
    return scored


def summarize(completions: Sequence[Completion], problems: Mapping[str, Problem]) -> Summary:
    """Count the verdicts of scored completions.

    Args:
        completions: The completions.
        problems: Their problems by id.

    Raises:
        ValueError: There are no completions.
    """
    counts = Counter(str(c.verdict) for c in completions)
    correct = counts[Verdict.correct]
    n = len(completions)
    verdicts = {str(v): counts[v] for v in Verdict}
    found: dict[str, list[bool]] = {}
    for completion in completions:
        question = same_question(problems[completion.problem_id].question)
        found.setdefault(question, []).append(completion.verdict is Verdict.correct)
    interval = clustered_wilson([(sum(own), len(own)) for own in found.values()])
    return Summary(n, correct, correct / n, interval, len(found), verdicts)


def same_question(question: str) -> str:
    """Return a text that is equal for questions that differ only in case and white space."""
    return " ".join(question.casefold().split())
