"""A bank as a teacher: the very question's program, the nearest problems by operations, each given out once."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from fdd_edge.ondevice.language import count_operations, run_program
from fdd_edge.records import Problem
from fdd_edge.teachers import Declined, Draft, Stocked
from fdd_edge.teachers.recorded import Bank, RecordedTeacher, question_key
from fdd_edge.teachers.recorded._allotment import allot


def recorded(id: str, question: str, program: str, *, teacher: str | None = None) -> Problem:
    return Problem(
        f"b-{id}",
        question,
        run_program(program),
        "b",
        program=program,
        n_ops=count_operations(program),
        teacher=teacher,
    )


HENS = recorded("hens", "A farm has 4 hens that lay 3 eggs each. How many eggs are there?", "answer = 4 * 3")
DUCKS = recorded(
    "ducks", "A farm has 5 ducks that lay 2 eggs each. How many eggs are there?", "answer = 5 * 2", teacher="big-model"
)
BUS = recorded("bus", "A bus with 9 seats drives 7 trips. How many people can ride?", "answer = 9 * 7")
SOLD = recorded(
    "sold", "A farm has 6 hens that lay 2 eggs each and sells 5 eggs. How many eggs are left?", "answer = 6 * 2 - 5"
)
BOXED = recorded(
    "boxed", "Hens lay 24 eggs, 4 break, and 5 fit in each box. How many boxes of eggs?", "answer = (24 - 4) / 5 * 1"
)
BANK = Bank((HENS, BUS, DUCKS, SOLD, BOXED))


def teaching(bank: Bank) -> RecordedTeacher:
    return RecordedTeacher("b", lambda: bank)


def parent(question: str, n_ops: int | None = 1, id: str = "p") -> Problem:
    return Problem(id, question, 1, "mine", program="answer = 1", n_ops=n_ops)


EGGS = parent("Maya's farm has 8 hens that lay 7 eggs each. How many eggs does she have?")


def drawn(answers: Sequence[list[Draft] | Declined]) -> list[list[str] | str]:
    """The rows of the drafts, or the reason."""
    return [a.reason if isinstance(a, Declined) else [draft.notes["row"] for draft in a] for a in answers]


def similar(teacher: RecordedTeacher, *problems: Problem, per_problem: int = 1) -> list[list[str] | str]:
    return drawn(asyncio.run(teacher.similar(problems, per_problem=per_problem, seed=0)))


def complexify(teacher: RecordedTeacher, *problems: Problem, per_problem: int = 1) -> list[list[str] | str]:
    return drawn(asyncio.run(teacher.complexify(problems, per_problem=per_problem, seed=0)))


def rationale(*problems: Problem, bank: Bank = BANK) -> list[str]:
    answers = asyncio.run(teaching(bank).rationale(problems))
    return [a.reason if isinstance(a, Declined) else a.program for a in answers]


def test_it_is_a_teacher_with_a_stock_that_says_it_is_a_bank() -> None:
    teacher = teaching(BANK)
    assert isinstance(teacher, Stocked) and teacher.writes_problems
    assert teacher.name == "b (bank)"


def test_a_rationale_is_the_program_of_the_very_question() -> None:
    spelled = "  a FARM has 4 hens\u00a0that lay 3 eggs each.\nHow many eggs are there? "
    other = "A farm has 4 hens that lay 3 eggs each. How many eggs are left?"
    problems = [Problem("x", question, 12, "mine") for question in (spelled, other)]
    assert rationale(*problems) == ["answer = 4 * 3", "not_in_bank"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Tom’s “big” box", 'Tom\'s "big" box'),
        ("a 3–4 split …", "a 3-4 split ..."),
        ("ca\u00adts\u200b and  dogs\t", "cats and dogs"),
        ("caf\u0065\u0301", "CAFÉ"),
    ],
)
def test_typography_white_space_and_case_do_not_make_another_question(one: str, other: str) -> None:
    assert question_key(one) == question_key(other)


@pytest.mark.parametrize(("one", "other"), [("5² tiles", "52 tiles"), ("1.5 kg", "15 kg"), ("a cat", "cat")])
def test_nothing_else_is_the_same_question(one: str, other: str) -> None:
    assert question_key(one) != question_key(other)


def test_a_rationale_gives_the_answer_of_the_problem() -> None:
    """Of several rows for a question, the one with the problem's answer counts; if none has it, another teacher may."""
    wrong = recorded("wrong", HENS.question, "answer = 4 + 3")
    bank = Bank((wrong, HENS))
    asked = [Problem("x", HENS.question, answer, "mine") for answer in (12, 7, 13)]
    assert rationale(*asked, bank=bank) == ["answer = 4 * 3", "answer = 4 + 3", "bank_has_other_answer"]


def test_similar_is_the_nearest_with_as_many_operations() -> None:
    assert similar(teaching(BANK), EGGS, per_problem=2) == [["hens", "ducks"]]


def test_one_operation_more_or_less_will_do_if_the_same_number_is_not_there() -> None:
    teacher = teaching(Bank((SOLD, BOXED)))
    assert similar(teacher, EGGS, per_problem=3) == [["sold"]]
    assert similar(teacher, parent(EGGS.question, n_ops=4), per_problem=3) == [["boxed"]]


def test_complexify_is_the_nearest_with_one_or_two_operations_more() -> None:
    assert complexify(teaching(BANK), EGGS, per_problem=5) == [["sold", "boxed"]]
    assert complexify(teaching(BANK), parent(EGGS.question, n_ops=2), per_problem=5) == [["boxed"]]


def test_notes_say_where_a_draft_is_from() -> None:
    drafts = asyncio.run(teaching(BANK).similar([EGGS], per_problem=2, seed=0))[0]
    assert isinstance(drafts, list)
    assert [draft.notes for draft in drafts] == [
        {"bank": "b", "row": "hens"},
        {"bank": "b", "row": "ducks", "teacher": "big-model"},
    ]
    assert (drafts[0].question, drafts[0].program, drafts[0].answer) == (HENS.question, "answer = 4 * 3", 12)


def test_numbers_and_names_do_not_make_a_problem_near() -> None:
    """A name is rare, so it would count more than what the problem is about."""
    named = recorded("named", "Zebulon and Maya wait 8 minutes. How many 7 am buses do they see?", "answer = 8 - 7")
    worded = recorded("worded", "Zebulon has eight and seven of them.", "answer = 8 + 7")
    teacher = teaching(Bank((named, worded, HENS, DUCKS)))
    asked = parent("Zebulon and Maya keep 8 hens; each hen lays seven eggs on the farm.")
    assert similar(teacher, asked, per_problem=2) == [["hens", "ducks"]]


def test_each_problem_is_given_out_once() -> None:
    twins = [parent(EGGS.question, id=f"p{n}") for n in range(3)]
    assert similar(teaching(Bank((HENS, DUCKS))), *twins) == [["hens"], ["ducks"], "bank_exhausted"]


def test_the_nearest_pair_comes_first_not_the_first_parent() -> None:
    far = parent(
        "A farm lets a bus pass and counts its eggs, cows, pigs, sheep, and a great many other animals.", id="f"
    )
    bank = Bank((HENS, BUS))
    assert similar(teaching(bank), far, EGGS) == [["bus"], ["hens"]]
    assert similar(teaching(bank), EGGS, far) == [["hens"], ["bus"]]


def test_equally_near_pairs_are_dealt_by_the_position_of_the_parent_then_of_the_problem() -> None:
    same = [recorded(name, "A farm has 4 hens.", f"answer = 4 + {n}") for n, name in enumerate("ab")]
    other = [recorded(name, f"A farm has {n} hens.", f"answer = 4 + {n}") for n, name in enumerate("cde", start=5)]
    teacher = teaching(Bank((*same, *other)))
    twins = [parent("The farm of hens", id=name) for name in "xy"]
    # a and b are one question with two answers, so neither is given out.
    assert similar(teacher, *twins, per_problem=2) == [["c", "d"], ["e"]]


def test_questions_that_a_run_knows_are_not_given_out_and_nothing_is_remembered() -> None:
    teacher = teaching(BANK)
    rest = teacher.without([HENS.question.upper(), "Another question?"])
    assert similar(rest, EGGS, per_problem=2)[0][:1] == ["ducks"]
    assert similar(rest.without([DUCKS.question]), EGGS, per_problem=9)[0][:1] != ["ducks"]
    assert similar(teacher, EGGS, per_problem=2) == similar(teacher, EGGS, per_problem=2) == [["hens", "ducks"]]


def test_a_parent_does_not_get_itself_nor_another_parent() -> None:
    parents = [parent(problem.question, id=problem.id) for problem in (HENS, DUCKS)]
    assert similar(teaching(Bank((HENS, DUCKS))), *parents) == ["bank_exhausted", "bank_exhausted"]


def test_reasons_say_why_there_is_nothing() -> None:
    teacher = teaching(BANK)
    unsolved = Problem("u", EGGS.question, 1, "mine")
    many, elsewhere = parent(EGGS.question, n_ops=30), parent("Wieviel ist das?", id="w")
    assert similar(teacher, unsolved, many, elsewhere, EGGS) == [
        "no_program",
        "nothing_near_in_bank",
        "nothing_near_in_bank",
        ["hens"],
    ]
    gone = teacher.without(problem.question for problem in BANK.problems)
    assert similar(gone, EGGS) == complexify(gone, EGGS) == ["bank_exhausted"]
    assert similar(teacher, EGGS, per_problem=0) == [[]]
    assert similar(teacher) == []


def test_operations_are_counted_where_they_are_not_known() -> None:
    asked = Problem("x", EGGS.question, 3, "mine", program="answer = 1 + 1 + 1")
    assert complexify(teaching(BANK), asked) == [["boxed"]]


def test_a_bank_without_a_word_is_near_to_nothing() -> None:
    bank = Bank((recorded("n", "3 + 4 = ?", "answer = 3 + 4"),))
    assert similar(teaching(bank), EGGS, parent("3 + 5 = ?", id="q")) == ["nothing_near_in_bank"] * 2


def test_dealing_equals_a_greedy_walk_over_all_pairs() -> None:
    """Candidates are looked up a few at a time; the outcome is that of sorting every pair."""
    rng = np.random.default_rng(0)
    table = np.round(rng.random((30, 400)) * rng.integers(0, 2, (30, 400)), 2)  # many ties and zeros
    for per_asker in (1, 20):
        wanted: list[list[int]] = [[] for _ in table]
        used: set[int] = set()
        for _, asker, at in sorted((-table[i, j], i, j) for i in range(30) for j in range(400) if table[i, j]):
            if at not in used and len(wanted[asker]) < per_asker:
                used.add(at)
                wanted[asker].append(at)
        assert allot([lambda row=row: row for row in table], per_asker) == wanted  # type: ignore[misc]


def test_what_is_drawn_does_not_depend_on_the_process() -> None:
    """Python's hashes of words differ from process to process."""
    program = (
        "from tests.teachers.test_teachers_recorded import *\n"
        "print(similar(teaching(BANK), EGGS, parent(SOLD.question, 2, 'q'), per_problem=2))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def test_the_library_for_retrieval_does_not_log(caplog: pytest.LogCaptureFixture) -> None:
    """It wrote "Building index from IDs" into the log of every program that logs at all."""
    with caplog.at_level(logging.DEBUG):
        similar(teaching(Bank((HENS,))), EGGS)
    assert [record for record in caplog.records if record.name.startswith("bm25s")] == []
