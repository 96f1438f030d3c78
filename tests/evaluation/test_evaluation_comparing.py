"""Two models on the same problems, against values that scipy 1.17.1 and statsmodels 0.15.0 gave.

Neither is installed with the package, so the values are written down here; each docstring has the call that gave them.
"""

from __future__ import annotations

import random

import pytest

from fdd_edge.evaluation import ScoredReply, compare_replies, holm, mcnemar, paired_share_difference
from fdd_edge.intervals import problems_needed
from fdd_edge.ondevice.verdicts import Verdict


def reply(name: str, right: bool, question: str | None = None, sample: int = 0) -> ScoredReply:
    verdict = Verdict.correct if right else Verdict.wrong
    return ScoredReply(
        name, sample, "", None, 1, verdict, 1, 1, "0" * 16, question=question or f"What is {name}?", gold=1
    )


def pairs(gained: int, lost: int, both: int, neither: int) -> list[tuple[ScoredReply, ScoredReply]]:
    outcomes = [(False, True)] * gained + [(True, False)] * lost + [(True, True)] * both + [(False, False)] * neither
    return [(reply(f"p{n}", one), reply(f"p{n}", two)) for n, (one, two) in enumerate(outcomes)]


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [
        (3, 9, 0.14599609375),
        (0, 6, 0.03125),
        (41, 23, 0.0327657590988232),
        (7, 7, 1.0),
        (120, 80, 0.005685155996750306),
    ],
)
def test_mcnemar_is_scipys_binomial_test(gained: int, lost: int, p: float) -> None:
    """``scipy.stats.binomtest(min(gained, lost), gained + lost, 0.5).pvalue`` of scipy 1.17.1.

    ``statsmodels.stats.contingency_tables.mcnemar([[20, gained], [lost, 10]], exact=True).pvalue`` of statsmodels
    0.15.0 is the same to the last digit.
    """
    assert mcnemar(gained, lost) == pytest.approx(p, rel=1e-12)
    assert compare_replies(pairs(gained, lost, 20, 10)).p == pytest.approx(p, rel=1e-12)


@pytest.mark.parametrize(
    ("given", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.5], [0.5]),
        ([0.9, 0.8], [1.0, 1.0]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
        ([], []),
    ],
)
def test_holms_p_values_are_those_of_the_step_down_procedure(given: list[float], adjusted: list[float]) -> None:
    """``statsmodels.stats.multitest.multipletests(given, method="holm")[1]`` of statsmodels 0.15.0."""
    assert holm(given) == pytest.approx(adjusted, rel=1e-12)


@pytest.mark.parametrize(
    ("changed", "difference", "needed"),
    [(0.3, 0.02, 5884.3013769386125), (0.25, 0.05, 782.5259552102937), (51 / 202, 0.02, 4951.761106829092)],
)
def test_the_problems_needed_are_connors(changed: float, difference: float, needed: float) -> None:
    """``(norm.ppf(.975) sqrt(c) + norm.ppf(.8) sqrt(c - d**2))**2 / d**2`` with ``scipy.stats.norm`` 1.17.1."""
    n = 10**7
    found = problems_needed(round(changed * (n + 2)) - 1, 0, n, difference=difference)
    assert found == pytest.approx(needed, abs=2)
    assert problems_needed(30, 20, 200, difference=0.02) == 4952


@pytest.mark.parametrize("difference", [0, -0.1, 1.1])
def test_no_number_of_problems_shows_no_difference(difference: float) -> None:
    with pytest.raises(ValueError, match="is not between 0 and 1"):
        problems_needed(1, 1, 10, difference=difference)


def test_that_many_problems_show_the_difference_in_four_of_five_studies() -> None:
    """The promise of ``problems_needed``, kept by simulated studies."""
    rng, up, down = random.Random(0), 0.16, 0.1
    n = problems_needed(up * 1e6, down * 1e6, 1e6, difference=up - down)
    seen = 0
    for _ in range(400):
        gained = lost = 0
        for _ in range(n):
            draw = rng.random()
            gained, lost = gained + (draw < up), lost + (draw > 1 - down)
        seen += mcnemar(gained, lost) < 0.05
    assert 0.7 < seen / 400 < 0.88


def test_a_comparison_counts_shares_changes_and_the_paired_interval() -> None:
    found = compare_replies(pairs(8, 3, 30, 9))
    assert (found.n, found.distinct, found.gained, found.lost) == (50, 50, 8, 3)
    assert (found.first, found.second) == (33 / 50, 38 / 50)
    assert found.change == pytest.approx(0.1)
    assert found.ci95 == pytest.approx(paired_share_difference(8, 3, 50))


def test_copies_of_a_question_and_several_replies_are_one_problem() -> None:
    """Two thousand replies to ten questions looked like two thousand problems."""
    once = [(reply(f"p{n}", False), reply(f"p{n}", n < 3)) for n in range(10)]
    copies = [
        (reply(f"p{n}-{k}", False, f"What is {n}?", k), reply(f"p{n}-{k}", n < 3, f"what is  {n}?", k))
        for n in range(10)
        for k in range(200)
    ]
    one, many = compare_replies(once), compare_replies(copies)
    assert (many.n, many.distinct, many.gained, many.lost, many.p) == (2000, 10, one.gained, 0, one.p)
    assert many.ci95 == pytest.approx(one.ci95)
    assert many.needed == one.needed


def test_rows_without_questions_are_told_apart_by_their_ids() -> None:
    rows = [reply(f"p{n}", True) for n in range(3)]
    bare = [ScoredReply(**(vars(row) | {"question": None})) for row in rows]
    assert compare_replies(list(zip(bare, bare, strict=True))).distinct == 3
