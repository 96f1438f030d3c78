"""What changed on the same problems: from round to round, and from target to target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from fdd_edge.evaluation import Difference, compare_replies, holm
from fdd_edge.intervals import Interval, wilson
from fdd_edge.pipeline.same_sets import SamePair, pair_replies
from fdd_edge.reporting.run_facts import RunFacts

__all__ = ["RoundChange", "TargetDifference", "round_changes", "target_differences"]


@dataclass(frozen=True)
class RoundChange:
    """How the judge's artifact of a round did compared with the one before.

    Attributes:
        dataset: The set.
        before: The first one: ``untuned``, or a round.
        after: The second one.
        difference: Shares, flips and p.
        p_holm: That p, adjusted for how many changes are listed.
    """

    dataset: str
    before: str
    after: str
    difference: Difference
    p_holm: float


@dataclass(frozen=True)
class TargetDifference:
    """Problems of a set that only one of two targets solves: the judge's, or another one.

    Attributes:
        target: The other target.
        dataset: The set.
        n: Problems that both were asked.
        flipped: Those that only one of both solves.
        ci95: Interval of their share.
    """

    target: str
    dataset: str
    n: int
    flipped: int
    ci95: Interval


def round_changes(run: RunFacts) -> list[RoundChange]:
    """Compare each round with the one before on the problems that both were asked, the first one with the student.

    Raises:
        FddError: Two rounds have different problems under one id.
    """
    numbers = [one.number for one in run.rounds]
    pairs = [(None, numbers[0]), *pairwise(numbers)]
    found = []
    for first, second in pairs:
        before, after = run.judged(first), run.judged(second)
        for name in run.sets:
            if name in before and name in after:
                difference = compare_replies(pair_replies(SamePair(before[name], after[name])).both)
                named = "untuned" if first is None else f"round {first}"
                found.append(RoundChange(name, named, f"round {second}", difference, difference.p))
    adjusted = holm([change.difference.p for change in found])
    return [replace(change, p_holm=p) for change, p in zip(found, adjusted, strict=True)]


def target_differences(run: RunFacts) -> list[TargetDifference]:
    """Find the problems that only the judge's target solves, or only another one.

    The problems that a round labels run on the judge's target alone, so labels themselves cannot be compared.

    Raises:
        FddError: The targets have different problems under one id.
    """
    return list(_differences(run))


def _differences(run: RunFacts) -> Iterator[TargetDifference]:
    judged = run.judged(run.shown.number)
    for target in run.targets[1:]:
        for name in run.sets:
            other = run.elsewhere(target, name)
            if other is not None and name in judged:
                found = compare_replies(pair_replies(SamePair(judged[name], other)).both)
                flipped = found.gained + found.lost
                yield TargetDifference(target, name, found.distinct, flipped, wilson(flipped, found.distinct))
