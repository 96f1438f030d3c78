"""The order in which parents are asked, and how many at a time, when a number of accepted problems is wanted."""

from __future__ import annotations

from collections import Counter

from fdd_edge.feedback import Branch, Turn, candidates_for, one_turn_each, wave_of
from fdd_edge.records import Problem


def problems(n: int, prefix: str) -> list[Problem]:
    return [Problem(f"{prefix}{i}", f"{prefix} {i}?", i, "test") for i in range(n)]


BOTH = [Branch("complex", problems(10, "e"), []), Branch("similar", problems(30, "h"), [])]


def test_every_parent_has_one_turn_and_any_part_holds_the_branches_in_proportion() -> None:
    turns = one_turn_each(BOTH, {"complex": 1, "similar": 2}, seed=3)
    assert Counter(turn.parent.id for turn in turns) == Counter({p.id: 1 for branch in BOTH for p in branch.parents})
    for n in (4, 8, 20):
        assert abs(sum(turn.origin == "complex" for turn in turns[:n]) - n / 4) <= 1
    assert {(turn.origin, turn.candidates) for turn in turns} == {("complex", 1), ("similar", 2)}


def test_the_seed_draws_the_order() -> None:
    orders = [[t.parent.id for t in one_turn_each(BOTH, {"complex": 1, "similar": 1}, seed)] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]


def test_a_branch_of_which_nothing_is_wanted_has_no_turns() -> None:
    turns = one_turn_each(BOTH, {"complex": 0, "similar": 1}, seed=0)
    assert {turn.origin for turn in turns} == {"similar"} and len(turns) == 30


def test_a_wave_is_as_large_as_the_rate_of_acceptance_demands() -> None:
    assert candidates_for(50, accepted=0, asked=0) == 50
    assert candidates_for(20, accepted=40, asked=80) == 40
    assert candidates_for(20, accepted=0, asked=80) == 200  # not for ever more: the rate was measured on few
    assert candidates_for(1, accepted=99, asked=100) == 8


def test_turns_are_taken_until_there_are_enough_candidates_and_never_more_than_allowed() -> None:
    turns = [Turn("similar", problem, 2) for problem in problems(5, "p")]
    assert len(wave_of(turns, 0, 1, most=10)) == 1
    assert len(wave_of(turns, 0, 5, most=10)) == 3
    assert len(wave_of(turns, 0, 10, most=7)) == 3
    assert wave_of(turns, 0, 10, most=1) == []
    assert [turn.parent.id for turn in wave_of(turns, 3, 100, most=100)] == ["p3", "p4"]


def test_few_parents_are_asked_several_times_in_one_wave() -> None:
    """Each pass over six parents was a wave of its own: a batch had to be waited for thirty times."""
    turns = [Turn("similar", problem, 2) for problem in problems(6, "p")]
    assert [turn.candidates for turn in wave_of(turns, 0, 50, most=100)] == [8] * 6
    assert [turn.candidates for turn in wave_of(turns, 0, 50, most=30)] == [4] * 6
    assert [turn.candidates for turn in wave_of(turns, 0, 50, most=20)] == [2] * 6
