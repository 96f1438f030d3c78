"""Intervals and tests against formulae written another way: exact sums, and the roots that define them."""

from __future__ import annotations

import random
from decimal import Decimal, getcontext
from fractions import Fraction
from math import comb, sqrt
from statistics import fmean

import pytest

from fdd_edge.evaluation import Summary, mcnemar, paired_difference, paired_share_difference, summarize, wilson
from fdd_edge.intervals import clustered_share_difference, independent_difference
from fdd_edge.ondevice.protocol import Completion
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.records import Problem

getcontext().prec = 50
Z = Decimal("1.959963984540054235524594430520551570")
"""The 97.5 % point of the normal distribution."""
EXACT = pytest.approx


def wilson_by_its_equation(successes: float, n: int) -> tuple[float, float]:
    """The two p for which (share - p)^2 = z^2 p (1 - p) / n."""
    share, count = Decimal(successes) / Decimal(n), Decimal(n)
    a, b, c = 1 + Z**2 / count, -(2 * share + Z**2 / count), share**2
    root = (b * b - 4 * a * c).sqrt()
    return float((-b - root) / (2 * a)), float((-b + root) / (2 * a))


@pytest.mark.parametrize("n", [1, 2, 7, 60, 1319, 10**6])
def test_the_ends_of_wilsons_interval_solve_its_equation(n: int) -> None:
    for successes in sorted({0, 1, n // 3, n // 2, n - 1, n}):
        assert list(wilson(successes, n)) == EXACT(wilson_by_its_equation(successes, n), abs=1e-12)
    assert list(wilson(n / 3, n)) == EXACT(wilson_by_its_equation(n / 3, n), abs=1e-12)


@pytest.mark.parametrize(
    ("successes", "n", "interval"),
    [
        (0, 7, (0.0, 0.3543304350666875)),
        (5, 7, (0.3589344518326191, 0.9177810759959432)),
        (33, 50, (0.521538260502326, 0.775630507774999)),
        (200, 1319, (0.1332875451732673, 0.17199579481270239)),
        (1319, 1319, (0.9970960550146962, 1.0)),
    ],
)
def test_wilsons_interval_is_that_of_statsmodels(successes: int, n: int, interval: tuple[float, float]) -> None:
    """``statsmodels.stats.proportion.proportion_confint(successes, n, method="wilson")`` of statsmodels 0.15.0."""
    assert list(wilson(successes, n)) == EXACT(list(interval), abs=1e-12)


@pytest.mark.parametrize("n", [0, 1, 2, 9, 40, 333, 1500])
def test_mcnemar_is_the_exact_binomial_sum(n: int) -> None:
    for gained in sorted({0, n // 5, n // 3, n // 2, n}):
        as_extreme = [k for k in range(n + 1) if abs(2 * k - n) >= abs(2 * gained - n)]
        expected = Fraction(sum(comb(n, k) for k in as_extreme), 2**n)
        assert mcnemar(gained, n - gained) == EXACT(float(expected), rel=1e-12, abs=1e-300)


def test_a_paired_difference_of_shares_is_the_walds_interval_of_a_padded_table() -> None:
    rng = random.Random(4)
    for _ in range(300):
        n = rng.randint(1, 400)
        gained = rng.randint(0, n)
        lost = rng.randint(0, n - gained)
        # A trial per cell of the table, with half a problem more in each of the four.
        weights = {1: gained + 0.5, -1: lost + 0.5, 0: n - gained - lost + 1.0}
        total = sum(weights.values())
        mean = sum(value * weight for value, weight in weights.items()) / total
        variance = sum(weight * (value - mean) ** 2 for value, weight in weights.items()) / total
        half = float(Z) * sqrt(variance / total)
        expected = (max(-1.0, mean - half), min(1.0, mean + half))
        assert list(paired_share_difference(gained, lost, n)) == EXACT(expected, abs=1e-12)


def test_a_difference_of_independent_shares_is_newcombes() -> None:
    rng = random.Random(5)
    for _ in range(300):
        n, n2 = rng.randint(1, 500), rng.randint(1, 500)
        successes, successes2 = rng.uniform(0, n), rng.randint(0, n2)
        (low, high), (low2, high2) = wilson_by_its_equation(successes, n), wilson_by_its_equation(successes2, n2)
        p, p2 = successes / n, successes2 / n2
        below, above = sqrt((p - low) ** 2 + (high2 - p2) ** 2), sqrt((high - p) ** 2 + (p2 - low2) ** 2)
        found = independent_difference(p, wilson(successes, n), p2, wilson(successes2, n2))
        assert list(found) == EXACT((p - p2 - below, p - p2 + above), abs=1e-12)


def test_a_paired_difference_counts_problems_and_not_their_copies() -> None:
    rng = random.Random(8)
    for _ in range(100):
        once = [rng.choice([(1, 0, 1), (0, 1, 1), (0, 0, 1)]) for _ in range(rng.randint(1, 60))]
        gained, lost, n = (sum(counts) for counts in zip(*once, strict=True))
        expected = EXACT(list(paired_share_difference(gained, lost, n)), abs=1e-9)
        assert list(clustered_share_difference(once)) == expected
        assert list(clustered_share_difference([(7 * g, 7 * k, 7) for g, k, _ in once])) == expected
    most_of_one = clustered_share_difference([(0, 96, 96), (0, 0, 1), (0, 0, 1), (1, 0, 1)])
    assert most_of_one.high > 0
    for problems in ([], [(0, 0, 0)]):
        with pytest.raises(ValueError, match="needs at least one reply"):
            clustered_share_difference(problems)


def test_a_mean_of_paired_differences_has_its_standard_error() -> None:
    rng = random.Random(6)
    values = [Fraction(rng.randint(-4, 4), 4) for _ in range(97)]
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    half = float(Z) * sqrt(variance / len(values))
    found = paired_difference([float(value) for value in values])
    assert list(found) == EXACT((float(mean) - half, float(mean) + half), abs=1e-12)


def summary_of(correct: dict[str, list[bool]]) -> Summary:
    replies = [
        Completion(name, k, "text", None, 1.0, Verdict.correct if right else Verdict.wrong, 3, 4, "00")
        for name, own in correct.items()
        for k, right in enumerate(own)
    ]
    return summarize(replies, {name: Problem(name, f"{name}?", 1, "test") for name in correct})


def test_several_replies_to_a_problem_do_not_count_as_so_many_problems() -> None:
    """The same answers eight times over say no more than once."""
    rights = {f"p{i}": i % 3 == 0 for i in range(30)}
    once = summary_of({name: [right] for name, right in rights.items()})
    often = summary_of({name: [right] * 8 for name, right in rights.items()})
    assert (often.n, often.correct, often.accuracy) == (240, 80, once.accuracy)
    assert list(often.ci95) == EXACT(list(once.ci95), abs=1e-12)


def test_the_interval_of_several_replies_holds_the_true_share_as_often_as_it_says() -> None:
    """Problems of mixed difficulty, four replies to each: an interval that counts replies misses far too often."""
    rng = random.Random(7)
    hits, hits_of_replies, trials = 0, 0, 400
    for _ in range(trials):
        rates = [rng.choice([0.02, 0.98]) for _ in range(50)]
        correct = {f"p{i}": [rng.random() < rate for _ in range(4)] for i, rate in enumerate(rates)}
        summary = summary_of(correct)
        assert summary.accuracy == EXACT(fmean(fmean(own) for own in correct.values()))
        hits += summary.ci95.low <= 0.5 <= summary.ci95.high
        too_narrow = wilson(summary.correct, summary.n)
        hits_of_replies += too_narrow.low <= 0.5 <= too_narrow.high
    assert hits / trials > 0.92
    assert hits_of_replies / trials < 0.8
