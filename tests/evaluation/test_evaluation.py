"""Scores, intervals and equality of answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd_edge.evaluation import (
    Summary,
    clustered_wilson,
    mcnemar,
    paired_difference,
    paired_share_difference,
    score,
    summarize,
    wilson,
)
from fdd_edge.ondevice.protocol import Completion
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.records import Problem, same_answer


def completion(problem_id: str, answer: float | None, verdict: Verdict | None = None) -> Completion:
    return Completion(problem_id, 0, "text", None, answer, verdict, 3, 4, "00")


def test_wilson_is_the_textbook_interval() -> None:
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263 gives 0.2553 to 0.3662.
    low, high = wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 4)])
def test_wilson_refuses_what_is_not_a_share(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="not a share"):
        wilson(successes, n)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_wilson_interval_contains_the_share_and_stays_within_bounds(case: tuple[int, int]) -> None:
    low, high = wilson(*case)
    assert 0 <= low <= case[0] / case[1] <= high <= 1


@pytest.mark.parametrize(
    ("predicted", "gold", "same"),
    [
        (24, 24, True),
        (24.0000001, 24, True),
        (24.1, 24, False),
        (0.0000001, 0, True),
        (1, 0, False),
        (3.3333, 10 / 3, True),
        (3.34, 10 / 3, False),
        (-5, 5, False),
        (1_000_000.4, 1_000_000, True),
        (1_000_000.6, 1_000_000, False),
        (1_000_001, 1_000_000, False),
        (10_000_009, 10_000_000, False),
        (10**400, 0.5, False),
    ],
)
def test_equal_answers(predicted: float, gold: float, same: bool) -> None:
    assert same_answer(predicted, gold) is same


def test_the_host_sets_correct_and_wrong_and_leaves_other_verdicts() -> None:
    problems = {k: Problem(k, "?", 7, "test") for k in "abc"}
    rows = score([completion("a", 7.0), completion("b", 8), completion("c", None, Verdict.no_program)], problems)
    assert [r.verdict for r in rows] == [Verdict.correct, Verdict.wrong, Verdict.no_program]


def test_a_summary_counts_every_verdict_and_reads_back() -> None:
    rows = [completion("a", 7, Verdict.correct), completion("b", None, Verdict.unfinished)]
    summary = summarize(rows, {name: Problem(name, f"{name}?", 7, "test") for name in "ab"})
    assert (summary.n, summary.distinct, summary.correct, summary.accuracy) == (2, 2, 1, 0.5)
    assert summary.verdicts["unfinished"] == 1
    assert set(summary.verdicts) == {str(v) for v in Verdict}
    assert Summary.from_row(summary.to_row()) == summary


def test_without_completions_there_is_no_accuracy() -> None:
    with pytest.raises(ValueError, match="at least one reply"):
        summarize([], {})


def test_the_same_problem_twenty_times_is_one_problem() -> None:
    """Five problems told twenty times were reported with the interval of a hundred."""
    questions = ["How many figs?", "how many  FIGS?\n", "Cars?", "Cups?", "Dogs?", "Hens?"]
    problems = {f"{k}-{n}": Problem(f"{k}-{n}", q, 7, "test") for k in range(10) for n, q in enumerate(questions)}
    rows = [
        completion(name, 7, Verdict.correct if name.endswith(("-0", "-1", "-2")) else Verdict.wrong)
        for name in problems
    ]
    summary = summarize(rows, problems)
    assert (summary.n, summary.distinct, summary.correct) == (60, 5, 30)
    # Figs have twice the weight of the others, so it is a little less than the five problems that there are.
    assert summary.ci95.low < wilson(2.5, 5).low
    assert summary.ci95.high > wilson(2.5, 5).high
    once = [row for row in rows if row.problem_id.startswith("0-") and not row.problem_id.endswith("-1")]
    twenty = {f"{k}{name}": replace(problem, id=f"{k}{name}") for k in range(20) for name, problem in problems.items()}
    copied = [replace(row, problem_id=f"{k}{row.problem_id}") for k in range(20) for row in once]
    assert summarize(copied, twenty).ci95 == pytest.approx(wilson(2, 5))
    assert summarize(once, problems).ci95 == pytest.approx(wilson(2, 5))


def test_several_draws_of_a_problem_are_not_independent() -> None:
    """With several samples the interval was that of as many problems."""
    assert clustered_wilson([(1, 1)] * 3 + [(0, 1)] * 7) == pytest.approx(wilson(3, 10))
    assert clustered_wilson([(8, 8)] * 3 + [(0, 8)] * 7) == pytest.approx(wilson(3, 10))
    assert clustered_wilson([(4, 8)] * 10) == pytest.approx(wilson(5, 10))
    assert clustered_wilson([(8, 8)] * 10) == pytest.approx(wilson(10, 10))
    assert clustered_wilson([(0, 8)] * 10) == pytest.approx(wilson(0, 10))
    most_of_one = clustered_wilson([(96, 96), (1, 1), (1, 1), (0, 1), (0, 1)])
    assert most_of_one.high - most_of_one.low > wilson(98, 100).high - wilson(98, 100).low


@pytest.mark.parametrize(
    ("gained", "lost", "p"), [(0, 0, 1.0), (5, 5, 1.0), (0, 6, 0.03125), (1, 9, 0.021484375), (9, 1, 0.021484375)]
)
def test_mcnemar_is_the_sign_test_on_flips(gained: int, lost: int, p: float) -> None:
    """By hand: twice the tail of a fair coin."""
    assert mcnemar(gained, lost) == pytest.approx(p)


def test_a_paired_difference_is_the_interval_of_a_mean() -> None:
    """Four problems, differences 1, 0, 0, -1: mean 0, standard deviation sqrt(2/3), half width 1.96 * that / 2."""
    assert list(paired_difference([1, 0, 0, -1])) == pytest.approx([-0.80015, 0.80015], abs=1e-4)
    with pytest.raises(ValueError, match="two problems"):
        paired_difference([1.0])


def test_a_paired_difference_of_shares_adds_half_a_problem_to_each_cell() -> None:
    """By hand, 4 of 200 lost: (0.5 - 4.5) / 202, plus and minus 1.96 sqrt((5 / 202 - that squared) / 202)."""
    assert list(paired_share_difference(0, 4, 200)) == pytest.approx([-0.04132, 0.00172], abs=1e-5)
    for gained, lost, n in ((0, 0, 0), (2, 2, 3)):
        with pytest.raises(ValueError, match="not shares"):
            paired_share_difference(gained, lost, n)
