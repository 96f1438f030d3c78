"""A reply next to what was asked and what was expected: a line of ``rows.jsonl``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from fdd_edge.ondevice.judging import explain
from fdd_edge.ondevice.protocol import Completion
from fdd_edge.ondevice.verdicts import SCORED, Verdict
from fdd_edge.records import Problem, same_answer

__all__ = ["ScoredReply"]


@dataclass(frozen=True)
class ScoredReply(Completion):
    """A completion with its problem. Devices send completions, because gold answers stay on the host.

    Attributes:
        question: The question; None in a file of a version that did not write it.
        gold: The expected answer; None in such a file.
    """

    question: str | None = None
    gold: int | float | None = None

    @classmethod
    def of(cls, completion: Completion, problem: Problem) -> Self:
        """Put a completion next to its problem; its verdict stays as it is."""
        return cls(**vars(completion) | {"question": problem.question, "gold": problem.answer})

    def judged(self) -> Self:
        """Return the same with the verdict ``correct`` or ``wrong``, if it has an answer that is not judged yet."""
        if self.verdict is not None or self.answer is None or self.gold is None:
            return self
        return replace(self, verdict=Verdict.correct if same_answer(self.answer, self.gold) else Verdict.wrong)

    def explained(self) -> str:
        """Return the answer, or why there is none, for people."""
        if self.answer is None and (self.verdict is None or self.verdict in SCORED):
            return "none, although the verdict says otherwise: somebody has changed this row"
        return explain(self).removeprefix("answer: ")

    def to_row(self) -> dict[str, Any]:
        """Return the JSON object: the problem comes first, as a person reads it."""
        row = super().to_row()
        first = {key: row.pop(key) for key in ("problem_id", "sample", "question", "gold")}
        return first | row
