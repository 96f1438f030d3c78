"""Two models on the same problems: the difference between their shares, and whether chance explains it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fdd_edge.evaluation.scored_reply import ScoredReply
from fdd_edge.evaluation.wording import same_question
from fdd_edge.intervals import Interval, clustered_share_difference, mcnemar, problems_needed
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.runs.fingerprint import Json

__all__ = ["Difference", "compare_replies"]

_POINTS = 0.02
"""The difference for which ``needed`` is given."""


class Difference(NamedTuple):
    """How a second model did compared with a first one, on the same problems.

    Attributes:
        n: Replies of each; where several replies to a problem vote, their majority is one.
        distinct: Different problems; the same question under several ids is one.
        first: Share of right replies of the first.
        second: Share of right replies of the second.
        ci95: Interval of ``second - first``, see ``clustered_share_difference``.
        gained: Problems that the second solves, or solves more often, and the first does not.
        lost: The reverse.
        p: Of McNemar's exact test that gains and losses are equally likely.
        needed: How many problems would show a difference of 2 points, see ``problems_needed``.
    """

    n: int
    distinct: int
    first: float
    second: float
    ci95: Interval
    gained: int
    lost: int
    p: float
    needed: int

    @property
    def change(self) -> float:
        """The second share minus the first."""
        return self.second - self.first

    def to_row(self) -> dict[str, Json]:
        """Return the JSON object."""
        return self._asdict() | {"difference": self.change, "ci95": list(self.ci95)}


def compare_replies(pairs: Sequence[tuple[ScoredReply, ScoredReply]]) -> Difference:
    """Compare two models by their replies to the same problems.

    Args:
        pairs: The first model's reply and the second's, for each problem and sample.

    Raises:
        ValueError: There are none.
    """
    problems: dict[str, list[tuple[bool, bool]]] = {}
    for first, second in pairs:
        question = first.question if first.question is not None else second.question
        key = f"id {first.problem_id}" if question is None else same_question(question)
        problems.setdefault(key, []).append((first.verdict is Verdict.correct, second.verdict is Verdict.correct))
    counts = [(sum(b > a for a, b in own), sum(a > b for a, b in own), len(own)) for own in problems.values()]
    gained, lost = sum(up > down for up, down, _ in counts), sum(down > up for up, down, _ in counts)
    n = len(pairs)
    return Difference(
        n=n,
        distinct=len(problems),
        first=sum(a for own in problems.values() for a, _ in own) / max(n, 1),
        second=sum(b for own in problems.values() for _, b in own) / max(n, 1),
        ci95=clustered_share_difference(counts),
        gained=gained,
        lost=lost,
        p=mcnemar(gained, lost),
        needed=problems_needed(gained, lost, len(problems), difference=_POINTS),
    )
