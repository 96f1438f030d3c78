"""Confidence intervals and tests for shares of correct answers: of one model, or of two on the same problems."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, comb, sqrt
from statistics import fmean, stdev
from typing import NamedTuple

__all__ = [
    "Interval",
    "clustered_share_difference",
    "clustered_wilson",
    "holm",
    "independent_difference",
    "mcnemar",
    "paired_difference",
    "paired_share_difference",
    "problems_needed",
    "wilson",
]

_Z95 = 1.959963984540054
_Z_POWER = 0.8416212335729143
"""The 80 % point of the normal distribution: how often a difference of the named size would be seen."""


class Interval(NamedTuple):
    """A 95 % confidence interval of a share, or of a difference between shares."""

    low: float
    high: float


def wilson(successes: float, n: float) -> Interval:
    """Return Wilson's score interval for a share (Wilson 1927; no continuity correction).

    Args:
        successes: How many; any share of the trials.
        n: Number of independent trials: problems, not replies.

    Raises:
        ValueError: There are no trials, or there are more successes than trials.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is not a share")
    p, z2 = successes / n, _Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # At 0 % and 100 % one end is exact; rounding must not push it out of [0, 1].
    return Interval(0.0 if successes == 0 else centre - half, 1.0 if successes == n else centre + half)


def clustered_wilson(problems: Sequence[tuple[float, float]]) -> Interval:
    """Return the interval of a share of replies when several belong to one problem.

    Replies to one problem are not independent trials, so the problems are counted: Wilson's interval of as many trials,
    or of the effective sample size (Rao and Scott 1992, "A simple method for the analysis of clustered binary data") if
    that is smaller, because a few problems have most of the replies. With one reply to each problem it is Wilson's own.

    Args:
        problems: For each problem, the replies that are right and their number.

    Raises:
        ValueError: There are no replies.
    """
    right, n = (sum(counts) for counts in zip(*problems, strict=True)) if problems else (0.0, 0.0)
    if n <= 0:
        raise ValueError("a share needs at least one reply")
    share = right / n
    trials: float = len(problems)
    if 0 < right < n:
        variance = sum((own - share * asked) ** 2 for own, asked in problems) / n**2
        trials = min(trials, share * (1 - share) / variance) if variance else trials
    else:
        trials = min(trials, n**2 / sum(asked**2 for _, asked in problems))
    return wilson(share * trials if right < n else trials, trials)


def independent_difference(share: float, interval: Interval, share2: float, interval2: Interval) -> Interval:
    """Return the interval of the difference between two shares of different problems, first minus second.

    Newcombe 1998 ("Interval estimation for the difference between independent proportions"), method 10, which is made
    of the interval of each share.
    """
    return Interval(
        share - share2 - sqrt((share - interval.low) ** 2 + (interval2.high - share2) ** 2),
        share - share2 + sqrt((interval.high - share) ** 2 + (share2 - interval2.low) ** 2),
    )


def mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided p value of McNemar's exact test that gains and losses are equally likely.

    Args:
        gained: Number of problems that only the second model solves.
        lost: Number of problems that only the first model solves.
    """
    n = gained + lost
    tail: int = sum(comb(n, k) for k in range(min(gained, lost) + 1))
    return min(1.0, 2 * tail / (1 << n))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for their number, in the same order (Holm 1979, "A simple sequentially rejective...").

    If those below 0.05 are called differences, no true equality is called one in 95 % of such sets of comparisons,
    however the comparisons depend on each other.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, (len(p_values) - rank) * p_values[index])
        adjusted[index] = min(1.0, largest)
    return adjusted


def problems_needed(gained: float, lost: float, n: float, *, difference: float) -> int:
    """Return how many problems would show a difference with 80 % power, at 5 % and two-sided, by McNemar's test.

    Connor 1987 ("Sample size for testing differences in proportions for the paired-sample design"): it depends on how
    many problems change at all. That share is estimated with one more change in two more problems, as in
    ``paired_share_difference``.

    Args:
        gained: Number of problems that only the second model solves.
        lost: Number of problems that only the first model solves.
        n: Number of problems.
        difference: Between the two shares.

    Raises:
        ValueError: The difference is not between 0 and 1.
    """
    if not 0 < difference <= 1:
        raise ValueError(f"a difference of {difference} is not between 0 and 1")
    changed = max((gained + lost + 1) / (n + 2), difference)  # a difference needs as many changes
    root = _Z95 * sqrt(changed) + _Z_POWER * sqrt(changed - difference**2)
    return ceil(root**2 / difference**2)


def paired_share_difference(gained: float, lost: float, n: float) -> Interval:
    """Return the interval of the difference between two shares of the same problems, second minus first.

    Agresti and Min 2005 ("Simple improved confidence intervals for comparing matched proportions"): half a problem is
    added to each cell of the paired table; otherwise a few changed answers look more certain than they are.

    Args:
        gained: Number of problems that only the second model solves.
        lost: Number of problems that only the first model solves.
        n: Number of problems.

    Raises:
        ValueError: There are no problems, or more of them changed than there are.
    """
    if n <= 0 or gained + lost > n:
        raise ValueError(f"{gained} gained and {lost} lost of {n} are not shares")
    centre = (gained - lost) / (n + 2)
    half = _Z95 * sqrt(((gained + lost + 1) / (n + 2) - centre**2) / (n + 2))
    return Interval(max(-1.0, centre - half), min(1.0, centre + half))


def clustered_share_difference(problems: Sequence[tuple[float, float, float]]) -> Interval:
    """Return the interval of ``paired_share_difference`` when several replies belong to one problem.

    The problems are counted, fewer if a few have most of the replies (Kish 1965, "Survey Sampling"), or the effective
    sample size if that is smaller, as in ``clustered_wilson``. With one reply to each problem it is the interval of
    ``paired_share_difference``.

    Args:
        problems: For each problem, the replies that only the second model gets right, those that only the first one
            does, and all.

    Raises:
        ValueError: There are no replies.
    """
    gained, lost, n = (sum(counts) for counts in zip(*problems, strict=True)) if problems else (0.0, 0.0, 0.0)
    if n <= 0:
        raise ValueError("a difference needs at least one reply")
    mean = (gained - lost) / n
    variance = sum((own - other - mean * asked) ** 2 for own, other, asked in problems) / n**2
    of_one_reply = (gained + lost) / n - mean**2
    effective = of_one_reply / variance if variance else n
    # Kish's size is at most the number of problems, and near 1 if one problem has nearly all the replies.
    trials = min(n**2 / sum(asked**2 for _, _, asked in problems), effective)
    scaled = gained / n * trials
    return paired_share_difference(scaled, min(lost / n * trials, trials - scaled), trials)


def paired_difference(differences: Sequence[float]) -> Interval:
    """Return the interval of the mean of paired differences, by the normal approximation.

    Args:
        differences: One number per problem: the score of one model minus that of the other. With several training
            seeds, the mean over the seeds: seeds share problems, so the problems are the independent units.

    Raises:
        ValueError: There are fewer than two problems.
    """
    if len(differences) < 2:
        raise ValueError("an interval needs at least two problems")
    half = _Z95 * stdev(differences) / sqrt(len(differences))
    return Interval(fmean(differences) - half, fmean(differences) + half)
