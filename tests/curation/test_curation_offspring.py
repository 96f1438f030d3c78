"""The checks of new problems, whichever teacher wrote them, and the reasons for rejections."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fdd_edge.curation import Curated, Reason, ReportRow, curate, report
from fdd_edge.records import Origin, Problem

PARENT = Problem(
    "p", "Mo has 12 pens and finds 30. How many pens has Mo?", 42, "test", program="answer = 12 + 30", n_ops=1
)


def child(question: str, program: str, answer: float, *, origin: Origin = "similar") -> Problem:
    return Problem("c", question, answer, "test", program=program, origin=origin, parent_id="p", depth=1, round=1)


GOOD = child("Ida bakes 15 buns and buys 25 more. How many buns has Ida?", "answer = 15 + 25", 40)
HARDER = child(
    "Ida bakes 15 buns, buys 25 more and sells them for 2 dollars each. How much does she earn?",
    "buns = 15 + 25\nanswer = buns * 2",
    80,
    origin="complex",
)


LONG = "On Monday the baker in the old town square sells 12 loaves of rye bread and on Tuesday he sells 30 loaves. "


def admit(*problems: Problem, known: tuple[Problem, ...] = (PARENT,)) -> Curated:
    return curate(problems, known=known, protected={})


def reason_of(problem: Problem) -> tuple[str | None, str | None]:
    kept, rejected = admit(problem)
    assert kept == []
    return rejected[0].reason, rejected[0].detail


@pytest.mark.parametrize("problem", [GOOD, HARDER])
def test_a_sound_new_problem_is_kept(problem: Problem) -> None:
    kept, rejected = admit(problem)
    assert rejected == []
    assert kept[0].question == problem.question
    assert not kept[0].renumbered
    assert "renumbered" not in kept[0].to_row()


@pytest.mark.parametrize("control", ["\x07", "\x1b[1m", "\x1b]0;x\x07", "\x08", "\x9b31m", "\u202e", "\0"])
def test_control_characters_are_not_trained_on(control: str) -> None:
    reason, detail = reason_of(replace(GOOD, question=GOOD.question.replace(" has", f"{control} has")))
    assert (reason, detail) == (Reason.CONTROL_CHARACTER, f"U+{ord(control[0]):04X}")


@pytest.mark.parametrize("white", ["\n", "\t", "\r\n", " "])
def test_lines_and_tabs_are_not_control_characters(white: str) -> None:
    assert admit(replace(GOOD, question=GOOD.question.replace(" buys", f"{white}buys"))).rejected == []


def test_a_number_that_the_program_does_not_use_is_reported() -> None:
    told = replace(GOOD, question="Ida, who is 9, bakes 15 buns and buys 25 more. How many buns has Ida?")
    assert reason_of(told) == (Reason.NUMBER_NOT_USED, "9")


def test_distractors_and_numbers_unused_in_the_parent_may_be_unused() -> None:
    told = "Ida, who is 9, bakes 15 buns and buys 25 more. How many buns has Ida?"
    assert admit(replace(GOOD, question=told, teacher_notes={"distractors": [9]})).rejected == []
    idle = replace(PARENT, question="Mo, who is 9, has 12 pens and finds 30. How many pens has Mo?")
    assert admit(replace(GOOD, question=told), known=(idle,)).rejected == []


def test_a_percentage_is_used_as_a_share() -> None:
    share = child("Of 80 seats 25% are taken. How many seats are taken?", "answer = 80 * 0.25", 20)
    assert admit(share).rejected == []


@pytest.mark.parametrize(
    ("question", "program", "answer", "idle"),
    [
        ("Ida bakes 15 buns, buys 25 and eats three. How many buns has Ida?", "answer = 15 + 25", 40, "3"),
        ("Ida bakes 15 buns, buys 25 and eats 9. How many are left?", "eaten = 9\nanswer = 15 + 25", 40, "9"),
        ("Ida has 20 buns and 80 rolls. How many are that?", "answer = 0.2 + 0.8", 1, "20"),
    ],
)
def test_a_number_that_only_seems_to_be_used_is_reported(question: str, program: str, answer: float, idle: str) -> None:
    """Words up to four, numbers in unused lines, and a hundredth of a number that is not a percentage were accepted."""
    assert reason_of(child(question, program, answer)) == (Reason.NUMBER_NOT_USED, idle)


@pytest.mark.parametrize(
    ("question", "program", "answer"),
    [
        ("A coat of 50 dollars is sold at 20% off. What does it cost?", "answer = 50 * 0.8", 40),
        ("A coat of 50 dollars gets 20 percent dearer. What does it cost?", "answer = 50 * (100 + 20) / 100", 60),
        ("A coat of 50 dollars gets 20 percent dearer. What does it cost?", "answer = 50 * 120 / 100", 60),
        ("Ida walks 2 1/2 miles on each of 6 days. How many miles does she walk?", "answer = 6 * 5 / 2", 15),
        ("Ida has 12 buns and Bo has 3/2 of them. How many has Bo?", "answer = 12 * 3 / 2", 18),
        ("Ida bakes 5 dozen buns and sells 8. How many are left?", "answer = 60 - 8", 52),
        ("Ida reads for 2 hours and for 15 minutes. How many minutes does she read?", "answer = 120 + 15", 135),
    ],
)
def test_a_number_may_be_used_in_another_form(question: str, program: str, answer: float) -> None:
    """A discount as the rest to pay, a fraction by its parts, a dozen or an hour in smaller units."""
    assert admit(child(question, program, answer), known=()).rejected == []


def test_a_number_that_controls_a_loop_is_used() -> None:
    program = "eggs = 0\nfor day in range(7):\n    if day < 5:\n        eggs = eggs + 4\nanswer = eggs"
    looped = child("A hen lays 4 eggs a day on 5 of 7 days. How many eggs are that?", program, 20)
    assert admit(looped, known=()).rejected == []


def test_small_number_words_may_be_descriptive() -> None:
    two = replace(GOOD, question="Ida bakes 15 buns and buys 25 more for the two of them. How many buns has Ida?")
    assert admit(two).rejected == []


@pytest.mark.parametrize(
    ("program", "answer"),
    [("answer = 15 - 25", -10), ("answer = 15 * 25 * 10000000", 3.75e9), ("answer = 15 / 25 / 30000", 0.00002)],
)
def test_answers_that_no_school_problem_has(program: str, answer: float) -> None:
    assert reason_of(replace(GOOD, program=program, answer=answer))[0] == Reason.IMPLAUSIBLE_ANSWER


@pytest.mark.parametrize(
    "question",
    [
        "Ida bakes 15 buns and buys 25 more.",
        "Ida bakes 15 buns. She hopes to find 25 more.",
        "Find 15 buns. Find 25 more.",
        "Ida has 15 buns and buys 25. Calculate the number of buns and the number of guests.",
        "Find the buns Ida has if she bakes 15 and buys 25 more. How many are there?",
        "Ida bakes 15 buns. How many? She buys 25 more. How many buns has Ida?",
        "How many buns has Ida? She bakes 15 and buys 25 more.",
        "Ida bakes 15 buns and buys 25 more. How many buns has Ida and how many did she buy?",
        "Ida bakes 15 buns and buys 25 more. How many buns has she baked and bought, respectively?",
        "Ida bakes 15 buns and buys 25 more. How many buns has she, and has Bo any?",
        "Ida bakes 15 buns and buys 25 more. Has she more than Bo?",
        "Ida bakes 15 buns and buys 25 more. If she sells none, is that enough for all?",
        "15, 25?",
    ],
)
def test_exactly_one_thing_must_be_asked_at_the_end(question: str) -> None:
    assert reason_of(replace(GOOD, question=question))[0] == Reason.NOT_ONE_QUESTION


def test_an_instruction_is_as_good_as_a_question() -> None:
    order = "Ida bakes 15 buns and buys 25 more. Calculate the number of buns that Ida has."
    assert admit(replace(GOOD, question=order)).rejected == []


@pytest.mark.parametrize(
    "order",
    [
        "If Ida bakes 15 buns and buys 25 more, find the number of buns that she has.",
        "Ida bakes 15 buns and Bo bakes 25. Calculate the sum of the number of Ida's buns and the number of Bo's buns.",
        "Ida bakes 15 buns and buys 25 more. Calculate how many buns she has?",
        "Work out sessions make Ida hungry. She bakes 15 buns and buys 25 more. How many buns has she?",
        "Ida bakes 15 buns and buys 25 more. (How many buns has she?)",
        "Ida bakes 15 buns and buys 25 more. Can you tell how many buns she has and does not share?",
    ],
)
def test_an_instruction_may_have_many_forms(order: str) -> None:
    assert admit(replace(GOOD, question=order)).rejected == []


def test_the_number_of_operations_must_be_as_requested() -> None:
    """A more complex problem has more operations than its parent, a similar one about the same number."""
    same = replace(GOOD, origin="complex")
    assert reason_of(same) == (Reason.WRONG_OPERATION_COUNT, "1 (parent: 1)")
    more = replace(GOOD, program="answer = 15 + 25 + 0 + 0", origin="similar")
    assert reason_of(more)[0] == Reason.WRONG_OPERATION_COUNT


def test_without_its_parent_a_problem_is_not_compared() -> None:
    assert admit(replace(GOOD, origin="complex"), known=()).rejected == []


def test_seed_problems_have_fewer_checks() -> None:
    odd = replace(GOOD, origin="seed", parent_id=None, question="Ida, who is 9, bakes 15 buns and buys 25 more.")
    assert admit(odd).rejected == []


def renumbered(name: str, first: int, parent: str = "p") -> Problem:
    question = PARENT.question.replace("12", str(first))
    return replace(
        GOOD, id=name, question=question, program=f"answer = {first} + 30", answer=first + 30, parent_id=parent
    )


def test_a_change_of_numbers_alone_is_marked_and_capped_per_seed() -> None:
    """All descendants of a seed are counted: a renumbered child of a child counts for the same seed."""
    kept, rejected = admit(renumbered("a", 13), renumbered("b", 14, parent="a"), renumbered("c", 15, parent="b"))
    assert [p.id for p in kept] == ["a", "b"]
    assert all(p.renumbered for p in kept)
    assert [p.reason for p in rejected] == [Reason.RENUMBERED_TOO_OFTEN]
    later = curate([renumbered("d", 16)], known=[PARENT, *kept], protected={})
    assert [p.reason for p in later.rejected] == [Reason.RENUMBERED_TOO_OFTEN]


def test_an_article_before_another_number_is_not_a_new_wording() -> None:
    """With "an 8-hour shift" instead of "a 5-hour shift", a leak was missed, and so was a change of numbers."""

    def shift(hours: str, n: int, name: str, **fields: Any) -> Problem:
        question = f"Ann works {hours}-hour shift and earns $16 an hour. How much does she earn?"
        return Problem(name, question, n * 16, "own", program=f"answer = {n} * 16", **fields)

    evaluated = shift("a 5", 5, "e", n_ops=1)
    (rejected,) = curate([shift("an 8", 8, "s")], protected={"svamp": [evaluated]}).rejected
    assert (rejected.reason, rejected.against) == (Reason.LEAKS, "svamp:e")
    child = shift("an 8", 8, "c", origin="similar", parent_id="e", depth=1)
    (kept,) = curate([child], known=[evaluated], protected={}).kept
    assert kept.renumbered is True


def test_a_field_of_a_users_seed_does_not_count_as_a_change_of_numbers() -> None:
    """A seed with a field ``renumbered`` of its own counted as one of its two changes."""
    seed = replace(PARENT, renumbered=True)
    assert len(admit(renumbered("a", 7, "p"), renumbered("b", 8, "p"), known=(seed,)).kept) == 2


def test_other_numbers_with_the_same_answer_are_not_a_new_problem() -> None:
    swapped = replace(renumbered("a", 13), question=PARENT.question.replace("12", "13").replace("30", "29"))
    swapped = replace(swapped, program="answer = 13 + 29", answer=42)
    assert admit(swapped).rejected[0].reason == Reason.DUPLICATE


def test_other_names_are_not_a_new_problem_or_with_other_numbers_a_change_of_numbers() -> None:
    """Only numbers were masked, so the same story counted as new with every other name."""
    bo = "Bo has 12 pens and finds 30. How many pens has Bo?"
    same = replace(GOOD, question=bo, program="answer = 12 + 30", answer=42)
    other = replace(GOOD, id="o", question=bo.replace("12", "13"), program="answer = 13 + 30", answer=43)
    kept, rejected = admit(same, other)
    assert [p.reason for p in rejected] == [Reason.DUPLICATE]
    assert [p.renumbered for p in kept] == [True]


def test_a_new_problem_leaks_with_other_names_and_if_it_is_near() -> None:
    told = LONG.replace("the baker", "Anna").replace(" he ", " she ")
    protected = {"valid": [replace(PARENT, id="v", question=told + "How many loaves does she sell in all?")]}
    retold = told.replace("Anna", "Boris").replace(" she ", " he ")
    texts = [told + "How many loaves does she sell altogether?", retold + "How many loaves does he sell in all?"]
    for text in texts:
        new = child(text.replace("12", "15").replace("30", "25"), "answer = 15 + 25", 40)
        (rejected,) = curate([new], known=[PARENT], protected=protected).rejected
        assert (rejected.reason, rejected.against) == (Reason.LEAKS, "valid:v"), text


def test_a_problem_that_is_known_twice_is_not_nearer() -> None:
    """A problem in both the reserve and the data counted twice, so half-similar problems counted as near."""
    parent = replace(PARENT, question=LONG + "How many loaves does he sell in all?")
    half = child(
        "On Monday the baker in the old town square sells 15 loaves of rye bread, and in the shop by the lake his "
        "brother sells 25. How many do the brothers sell?",
        "answer = 15 + 25",
        40,
    )
    assert admit(half, known=(parent,)).rejected == []
    assert admit(half, known=(parent, parent)).rejected == []


def test_a_near_problem_is_found_among_many_half_similar_ones() -> None:
    """Runs of words that 200 questions shared were ignored, so in a large set nothing was near any more."""
    many = [
        replace(PARENT, id=f"m{n}", question=f"{LONG}{thing * 3} How many loaves does he sell in all?")
        for n in range(250)
        for thing in [f"Then it rains on street {chr(97 + n % 26)}{chr(97 + n // 26)} again. "]
    ]
    parent = replace(PARENT, question=LONG + "How many loaves does he sell in all?")
    near = child(
        LONG.replace("12", "15").replace("30", "25") + "How many loaves does he sell altogether?",
        "answer = 15 + 25",
        40,
    )
    (rejected,) = admit(near, known=(*many, parent)).rejected
    assert (rejected.reason, rejected.against) == (Reason.NEAR_DUPLICATE, "p")


def test_a_near_duplicate_is_rejected_and_its_match_reported() -> None:
    parent = replace(PARENT, question=LONG + "How many loaves does he sell in all?")
    near = replace(
        GOOD,
        question=LONG.replace("12", "15").replace("30", "25") + "How many loaves does he sell altogether?",
    )
    (rejected,) = admit(near, known=(parent,)).rejected
    assert (rejected.reason, rejected.against) == (Reason.NEAR_DUPLICATE, "p")


def test_the_report_counts_by_branch_kind_and_operations() -> None:
    """Further steps of the teacher's own problems were counted as situations."""
    step = replace(HARDER, id="h", teacher_notes={"further": "sell_each"})
    own = replace(
        HARDER,
        id="o",
        question=HARDER.question.replace("buns", "rolls"),
        teacher_notes={"situation": "s", "steps": [1]},
    )
    kept, rejected = admit(GOOD, step, own, renumbered("r", 13), replace(GOOD, id="again"))
    assert report(kept, rejected) == [
        ReportRow("complex", "further step", 2, 2, {}),
        ReportRow("similar", "renumbered", 1, 1, {}),
        ReportRow("similar", "written", 1, 1, {"duplicate": 1}),
    ]


def test_the_report_says_what_is_from_a_bank() -> None:
    """A problem of a bank may differ from another one in its numbers only: nobody has renumbered it."""
    kept, rejected = admit(GOOD, replace(renumbered("r", 13), teacher_notes={"bank": "mine", "row": "7"}))
    assert report(kept, rejected) == [
        ReportRow("similar", "recorded", 1, 1, {}),
        ReportRow("similar", "written", 1, 1, {}),
    ]


def test_a_rejected_problem_is_counted_with_its_operations() -> None:
    """Operations were only counted for kept problems, so the report had no row for it."""
    odd = replace(HARDER, question=HARDER.question.replace("How much does she earn?", ""))
    assert [row.n_ops for row in report(*admit(odd))] == [2]
