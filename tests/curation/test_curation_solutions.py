"""Which of the student's own right programs may be trained on."""

from __future__ import annotations

import pytest

from fdd_edge.curation import check_solutions
from fdd_edge.records import Problem

ASKED = "Ann has 4 bags of 6 nuts and eats 3 nuts. How many nuts are left?"
KNOWN = Problem("p", ASKED, 21, "test", program="nuts = 4 * 6\nanswer = nuts - 3", n_ops=2)


def own(n: int, program: str, answer: float = 21) -> Problem:
    return Problem(
        f"p.o{n}", ASKED, answer, "test", program=program, origin="own", parent_id="p", pass_rate=0.5, repeat=2
    )


def outcome(*programs: str, most: int = 9, known: tuple[Problem, ...] = (KNOWN,)) -> list[str]:
    """What becomes of each program."""
    checked = check_solutions([own(n, p) for n, p in enumerate(programs)], known=known, most=most, style="terse")
    said = {p.id: "kept" for p in checked.kept} | {
        p.id: f"{p.reason} {p.against or p.detail or ''}".strip() for p in checked.rejected
    }
    assert all((p.repeat, p.pass_rate, p.origin) == (1, None, "own") for p in checked.kept)
    return [said[f"p.o{n}"] for n in range(len(programs))]


def test_another_way_to_the_answer_is_kept() -> None:
    assert outcome("answer = 6 + 6 + 6 + 6 - 3 + 0 * 4") == ["kept"]


@pytest.mark.parametrize(
    "same",
    [
        "nuts = 4 * 6\nanswer = nuts - 3",
        "total = 4 * 6\nanswer = total - 3",
        "bags = 4\neach = 6\neaten = 3\nin_all = bags * each\nleft = in_all - eaten\nanswer = left",
    ],
)
def test_other_names_and_more_words_make_no_other_program(same: str) -> None:
    assert outcome(same) == ["duplicate p"]


def test_a_program_is_kept_once_also_in_a_later_round() -> None:
    other = "eaten = 3\nanswer = 6 * 4 - eaten"
    assert outcome(other, "x = 6 * 4\nanswer = x - 3", other) == ["kept", "kept", "duplicate p.o0"]
    assert outcome(other, known=(KNOWN, own(7, "answer = 6 * 4 - 3"))) == ["duplicate p.o7"]


def test_an_answer_that_is_right_by_luck_is_not_learned() -> None:
    assert outcome("answer = 21", "answer = 6 * 3 + 3") == ["number_not_used 4", "number_not_used 4"]


def test_what_the_known_program_does_not_use_either_need_not_be_used() -> None:
    known = Problem("p", ASKED, 18, "test", program="answer = 6 * 3", n_ops=1)
    checked = check_solutions([own(0, "answer = 3 * 6", 18)], known=[known], most=1, style="terse")
    assert [p.id for p in checked.kept] == ["p.o0"]


def test_no_more_than_asked_for_are_kept_the_first_ones() -> None:
    assert outcome("answer = 6 * 4 - 3", "answer = -3 + 6 * 4", most=1) == ["kept", "over_own_solutions"]


def test_programs_that_are_wrong_are_rejected_whatever_the_evaluation_said() -> None:
    assert outcome("answer = 4 * 6", "answer = nuts") == [
        "wrong_answer gives 24, not 21",
        "does_not_run the name 'nuts' has no value",
    ]
