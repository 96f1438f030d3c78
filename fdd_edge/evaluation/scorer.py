"""Turns completions into verdicts, and verdicts into a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fdd_edge.evaluation.scored_reply import ScoredReply
from fdd_edge.evaluation.voting import Votes, count_votes
from fdd_edge.evaluation.wording import same_question
from fdd_edge.intervals import Interval, clustered_wilson
from fdd_edge.ondevice.protocol import Completion
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.records import Problem
from fdd_edge.runs.fingerprint import Json

__all__ = ["Summary", "score", "summarize"]


class Summary(NamedTuple):
    """The result of one artifact on one data set.

    Attributes:
        n: Number of completions.
        correct: Number of completions with the gold answer.
        accuracy: correct / n.
        ci95: Interval of the accuracy, see ``clustered_wilson``: replies to the same problem are not independent.
        distinct: Number of different problems; the same question under several ids is one.
        verdicts: Number of completions per verdict, 0 for verdicts that did not occur.
        votes: What several replies per problem come to; None for one reply each.
    """

    n: int
    correct: int
    accuracy: float
    ci95: Interval
    distinct: int
    verdicts: dict[str, int]
    votes: Votes | None = None

    def to_row(self) -> dict[str, Json]:
        """Return the JSON object."""
        row = self._asdict() | {"ci95": list(self.ci95)}
        votes = row.pop("votes")
        return row if votes is None else row | {"votes": votes.to_row()}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Summary:
        """Read the JSON object back."""
        interval, distinct = Interval(*row["ci95"]), row.get("distinct", row["n"])
        votes = Votes.from_row(row["votes"]) if "votes" in row else None
        return cls(row["n"], row["correct"], row["accuracy"], interval, distinct, row["verdicts"], votes)


def score(completions: Sequence[Completion], problems: Mapping[str, Problem]) -> list[ScoredReply]:
    """Put completions next to their problems, and judge their answers: the device has no gold answers."""
    return [ScoredReply.of(one, problems[one.problem_id]).judged() for one in completions]


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
    return Summary(n, correct, correct / n, interval, len(found), verdicts, count_votes(completions, problems))
