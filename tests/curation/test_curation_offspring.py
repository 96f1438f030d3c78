"""What a new problem must be, whichever teacher wrote it, and what is said of those that are not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fdd_edge.curation import Curated, Reason, ReportRow, curate, report
from fdd_edge.records import Origin, Problem

PARENT = Problem(
    "p", "Mo has 12 pens and finds 30. How many pens has Mo?", 42, "test", program="answer = 12 + 30", n_ops=1
)


def child(question: str, program: str, answer: float, *, origin: Origin = "similar", **extra: object) -> Problem:
    return Problem(
        "c", question, answer, "test", program=program, origin=origin, parent_id="p", depth=1, round=1, extra=extra
    )


GOOD = child("Ida bakes 15 buns and buys 25 more. How many buns has Ida?", "answer = 15 + 25", 40)
HARDER = child(
    "Ida bakes 15 buns, buys 25 more and sells them for 2 dollars each. How much does she earn?",
    "buns = 15 + 25\nanswer = buns * 2",
    80,
    origin="complex",
)


def let_in(*problems: Problem, known: tuple[Problem, ...] = (PARENT,)) -> Curated:
    return curate(problems, known=known, protected={})


def reason_of(problem: Problem) -> tuple[str, str | None]:
    kept, rejected = let_in(problem)
    assert kept == []
    return rejected[0].extra["reason"], rejected[0].extra.get("detail")


@pytest.mark.parametrize("problem", [GOOD, HARDER])
def test_a_sound_new_problem_is_let_in(problem: Problem) -> None:
    kept, rejected = let_in(problem)
    assert rejected == []
    assert kept[0].question == problem.question
    assert "renumbered" not in kept[0].extra


def test_a_number_that_the_program_does_not_use_is_told() -> None:
    told = replace(GOOD, question="Ida, who is 9, bakes 15 buns and buys 25 more. How many buns has Ida?")
    assert reason_of(told) == (Reason.NUMBER_NOT_USED, "9")


def test_a_distractor_may_be_idle_and_so_may_what_was_idle_in_the_parent() -> None:
    told = "Ida, who is 9, bakes 15 buns and buys 25 more. How many buns has Ida?"
    assert let_in(replace(GOOD, question=told, extra={"distractors": [9]})).rejected == []
    idle = replace(PARENT, question="Mo, who is 9, has 12 pens and finds 30. How many pens has Mo?")
    assert let_in(replace(GOOD, question=told), known=(idle,)).rejected == []


def test_a_percentage_is_used_as_a_share() -> None:
    share = child("Of 80 seats 25% are taken. How many seats are taken?", "answer = 80 * 0.25", 20)
    assert let_in(share).rejected == []


def test_small_number_words_may_describe() -> None:
    two = replace(GOOD, question="Ida bakes 15 buns and buys 25 more for the two of them. How many buns has Ida?")
    assert let_in(two).rejected == []


@pytest.mark.parametrize(
    ("program", "answer"),
    [("answer = 15 - 25", -10), ("answer = 15 * 25 * 10000000", 3.75e9), ("answer = 15 / 25 / 30000", 0.00002)],
)
def test_answers_of_no_school_problem(program: str, answer: float) -> None:
    assert reason_of(replace(GOOD, program=program, answer=answer))[0] == Reason.ANSWER_NOT_SANE


@pytest.mark.parametrize(
    "question",
    [
        "Ida bakes 15 buns and buys 25 more.",
        "Ida bakes 15 buns. How many? She buys 25 more. How many buns has Ida?",
        "How many buns has Ida? She bakes 15 and buys 25 more.",
        "Ida bakes 15 buns and buys 25 more. How many buns has Ida and how many did she buy?",
    ],
)
def test_one_thing_is_asked_at_the_end(question: str) -> None:
    assert reason_of(replace(GOOD, question=question))[0] == Reason.ASKS_NOT_ONE_THING


def test_an_order_asks_as_well_as_a_question() -> None:
    order = "Ida bakes 15 buns and buys 25 more. Calculate the number of buns that Ida has."
    assert let_in(replace(GOOD, question=order)).rejected == []


def test_operations_are_as_asked() -> None:
    """A more complex problem takes more of them than its parent, a similar one about as many."""
    same = replace(GOOD, origin="complex")
    assert reason_of(same) == (Reason.OPERATIONS_NOT_AS_ASKED, "1 of complex, 1 of its parent")
    more = replace(GOOD, program="answer = 15 + 25 + 0 + 0", origin="similar")
    assert reason_of(more)[0] == Reason.OPERATIONS_NOT_AS_ASKED


def test_without_its_parent_at_hand_it_is_not_compared() -> None:
    assert let_in(replace(GOOD, origin="complex"), known=()).rejected == []


def test_seed_problems_are_held_to_less() -> None:
    odd = replace(GOOD, origin="seed", parent_id=None, question="Ida, who is 9, bakes 15 buns and buys 25 more.")
    assert let_in(odd).rejected == []


def renumbered(name: str, first: int, parent: str = "p") -> Problem:
    question = PARENT.question.replace("12", str(first))
    return replace(
        GOOD, id=name, question=question, program=f"answer = {first} + 30", answer=first + 30, parent_id=parent
    )


def test_a_change_of_numbers_alone_is_marked_and_capped_per_seed() -> None:
    """Counted over the whole descent of a seed: a child's renumbered child is one more of the same seed."""
    kept, rejected = let_in(renumbered("a", 13), renumbered("b", 14, parent="a"), renumbered("c", 15, parent="b"))
    assert [p.id for p in kept] == ["a", "b"]
    assert all(p.extra["renumbered"] for p in kept)
    assert [p.extra["reason"] for p in rejected] == [Reason.RENUMBERED_TOO_OFTEN]
    later = curate([renumbered("d", 16)], known=[PARENT, *kept], protected={})
    assert [p.extra["reason"] for p in later.rejected] == [Reason.RENUMBERED_TOO_OFTEN]


def test_other_numbers_with_the_same_answer_are_no_new_problem() -> None:
    swapped = replace(renumbered("a", 13), question=PARENT.question.replace("12", "13").replace("30", "29"))
    swapped = replace(swapped, program="answer = 13 + 29", answer=42)
    assert let_in(swapped).rejected[0].extra["reason"] == Reason.DUPLICATE


LONG = "On Monday the baker in the old town square sells 12 loaves of rye bread and on Tuesday he sells 30 loaves. "


def test_a_question_that_is_near_to_another_is_rejected_and_that_one_named() -> None:
    parent = replace(PARENT, question=LONG + "How many loaves does he sell in all?")
    near = replace(
        GOOD,
        question=LONG.replace("12", "15").replace("30", "25") + "How many loaves does he sell altogether?",
    )
    (rejected,) = let_in(near, known=(parent,)).rejected
    assert (rejected.extra["reason"], rejected.extra["against"]) == (Reason.NEAR_DUPLICATE, "p")


def test_the_report_counts_by_branch_kind_and_operations() -> None:
    step = replace(HARDER, id="h", extra={"further": "sell_each"})
    kept, rejected = let_in(GOOD, step, renumbered("r", 13), replace(GOOD, id="again"))
    assert report(kept, rejected) == [
        ReportRow("complex", "further step", 2, 1, {}),
        ReportRow("similar", "renumbered", 1, 1, {}),
        ReportRow("similar", "written", 1, 1, {"duplicate": 1}),
    ]


def test_a_rejected_problem_is_counted_with_its_operations() -> None:
    """Its operations once were counted only for those that were let in, so that the report had no row for it."""
    odd = replace(HARDER, question=HARDER.question.replace("How much does she earn?", ""))
    assert [row.n_ops for row in report(*let_in(odd))] == [2]
