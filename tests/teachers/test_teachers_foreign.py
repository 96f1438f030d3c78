import asyncio
import re
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fdd_edge.ondevice.language import count_operations, run_program
from fdd_edge.records import Problem
from fdd_edge.teachers import Declined, Draft, load_teacher
from fdd_edge.teachers.symbolic._graph import operation_graph
from fdd_edge.teachers.symbolic.foreign import ask_further, renumber
from fdd_edge.teachers.symbolic.foreign._given import as_given


def foreign(question: str, program: str | None) -> Problem:
    answer = 0 if program is None else run_program(program)
    return Problem(id="p", question=question, answer=answer, source="elsewhere", program=program)


def renumbered(question: str, program: str | None, count: int = 3, seed: int = 0) -> list[Draft] | str:
    return renumber(foreign(question, program), count, Random(seed))


def complexify(question: str, program: str | None, count: int = 3, seed: int = 0) -> list[Draft] | Declined:
    teacher = load_teacher("symbolic")
    (result,) = asyncio.run(teacher.complexify([foreign(question, program)], per_problem=count, seed=seed))
    return result


def similar(question: str, program: str | None, count: int = 3, seed: int = 0) -> list[Draft] | Declined:
    teacher = load_teacher("symbolic")
    (result,) = asyncio.run(teacher.similar([foreign(question, program)], per_problem=count, seed=seed))
    return result


FARM = (
    "A farm packs 1,440 eggs into cartons of 30 and sells each carton for $4.50. What does it earn?",
    "cartons = 1440 / 30\nanswer = cartons * 4.5",
)


def test_text_and_program_change_together() -> None:
    drafts = renumbered(*FARM, count=5)
    assert not isinstance(drafts, str) and len(drafts) == 5
    for draft in drafts:
        in_text = [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\.?\d*", draft.question)]
        in_program = [float(number) for number in re.findall(r"\d+\.?\d*", draft.program)]
        assert in_text == in_program
        assert draft.question != FARM[0]
        assert run_program(draft.program) == draft.answer
        assert (in_text[0] / in_text[1]).is_integer(), "cartons stay whole"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_values_stay_sane(seed: int) -> None:
    question = "Of 90 guests, 20% left early and then 12 left late. How many left?"
    drafts = renumbered(question, "early = 90 * 20 / 100\nanswer = early + 12", seed=seed)
    assert not isinstance(drafts, str)
    for draft in drafts:
        assert float(draft.answer).is_integer() and draft.answer > 0
        percent = re.search(r"(\d+)%", draft.question)
        assert percent is not None and int(percent.group(1)) <= 95


def test_number_words_become_number_words() -> None:
    drafts = renumbered("Seven boys have 15 pens each. How many pens do they have?", "answer = 7 * 15")
    assert not isinstance(drafts, str)
    assert all(re.match(r"[A-Z][a-z]+ boys have \d+ pens", draft.question) for draft in drafts)
    assert {draft.question.split()[0] for draft in drafts} != {"Seven"}


def test_a_percentage_may_stand_as_a_decimal_in_the_program() -> None:
    drafts = renumbered("Liz saves 25% of her 80 euros. How much is that?", "answer = 80 * 0.25")
    assert not isinstance(drafts, str)
    for draft in drafts:
        percent = re.search(r"(\d+)%", draft.question)
        assert percent is not None and f"{int(percent.group(1)) / 100:g}" in draft.program


@pytest.mark.parametrize(
    ("question", "program", "kept"),
    [
        ("How many minutes are 9 hours?", "answer = 9 * 60", "60"),
        ("How many days are 9 weeks?", "answer = 9 * 7", "7"),
        ("Tim has 14 pens and gives half away. How many does he keep?", "answer = 14 / 2", "2"),
        ("A field is 40 meters long. How long is 3/4 of it?", "answer = 40 * 3 / 4", "3 / 4"),
        ("How many hours are 38 days, if a day has 24 hours?", "answer = 38 * 24", "24"),
        ("How many legs do 9 dogs have if a dog has 4 legs?", "answer = 9 * 4", "4"),
    ],
)
def test_constants_and_facts_stay(question: str, program: str, kept: str) -> None:
    drafts = renumbered(question, program)
    assert not isinstance(drafts, str)
    assert all(draft.program.endswith(kept) for draft in drafts)


DECLINED = {
    "no_program": ("Ann has 3 pens. How many?", None),
    "number_stands_twice": ("Ann has 5 pens and Bo has 5 pens more. How many has Bo?", "answer = 5 + 8"),
    "number_used_twice": ("Ann has 8 pens and Bo as many. How many have they?", "answer = 8 + 8"),
    "number_not_in_text": ("Ann has 8 pens and some more. How many?", "answer = 8 + 17"),
    "number_is_a_result": (
        "Ann has 4 bags of 5 pens and 20 books. How many things?",
        "pens = 4 * 5\nanswer = pens + 20",
    ),
    "odd_number": ("The train left at 5:30 and ran 3 hours. When did it arrive?", "answer = 5 + 3"),
    "percent_used_as_number": ("20% were boys and each of the girls had 3 pens.", "answer = 20 * 3"),
    "number_not_used": ("Up to 30 pens cost $2 each, if bought by 9 girls. Cost?", "answer = 2 * 9"),
    "nothing_to_change": ("How many hours has a week?", "answer = 7 * 24"),
    "program_not_plain": ("Ann adds up 3 numbers.", "t = 0\nfor i in range(3):\n    t = t + i\nanswer = t"),
}


@pytest.mark.parametrize("reason", DECLINED)
def test_doubtful_problems_are_declined_by_name(reason: str) -> None:
    assert renumbered(*DECLINED[reason]) == reason


def test_a_result_that_equals_a_constant_of_the_text_is_a_doubt() -> None:
    # The 7 days of a week are also what the first line gives, so "weeks * weeks" may mean either.
    result = renumbered(
        "Jo has 17 pens and uses 10, 1 a week. How many days?", "weeks = 17 - 10\nanswer = weeks * weeks"
    )
    assert result == "number_is_a_result"


def test_the_article_follows_the_number() -> None:
    drafts = renumbered("Kim rides an 8-gear bike and a 21-gear bike. How many gears?", "answer = 8 + 21", count=12)
    assert not isinstance(drafts, str)
    for draft in drafts:
        for article, number in re.findall(r"\b(an?) (\d+)-gear", draft.question):
            assert (article == "an") == (number.startswith("8") or number in ("11", "18"))


def test_a_program_with_another_answer_is_declined() -> None:
    problem = Problem(id="p", question="What is 3 plus 8?", answer=12, source="x", program="answer = 3 + 8")
    assert renumber(problem, 1, Random(0)) == "program_gives_other_answer"
    asked = replace(problem, question="Ann has 3 pens. How many pens does she need?")
    assert ask_further(asked, 1, Random(0)) == "program_gives_other_answer"


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert renumbered(*FARM, seed=4) == renumbered(*FARM, seed=4)
    assert renumbered(*FARM, seed=4) != renumbered(*FARM, seed=5)


def test_similar_also_writes_a_situation_with_the_same_operations() -> None:
    drafts = similar(*FARM, count=4)
    assert not isinstance(drafts, Declined) and len(drafts) == 4
    own = [draft for draft in drafts if "situation" in draft.extra]
    assert len(own) == 2
    for draft in own:
        assert operation_graph(draft.program) == operation_graph(FARM[1]) == ("*", "n", ("/", "n", "n"))


def test_where_no_number_may_change_a_situation_is_still_written() -> None:
    doubtful = ("Ann has 5 pens and Bo has 5 pens more. How many has Bo?", "answer = 5 + 5")
    assert renumbered(*doubtful) == "number_stands_twice"
    drafts = similar(*doubtful)
    assert not isinstance(drafts, Declined)
    assert all("situation" in draft.extra for draft in drafts)


GIVEN = {
    "Ann has 3 pens. How many pens does she need in all?": ("the number of pens that she needs in all", "pens"),
    "Ann has 3 pens. How many pens did her two brothers buy?": (
        "the number of pens that her two brothers bought",
        "pens",
    ),
    "Ann has 3 pens. How many pens are left?": ("the number of pens that are left", "pens"),
    "Ann has 3 pens. How many pens are there in the box?": ("the number of pens in the box", "pens"),
    "Ann has 3 pens. How much money will Ann have left?": ("the amount of money that Ann will have left", "dollars"),
    "Ann has 3 pens. How much did the pens cost?": ("the amount of money that the pens cost", "dollars"),
    "Ann has 3 pens. What is the total number of pens?": ("the total number of pens", "pens"),
    "Ann has 3 pens. What was her profit?": ("her profit", "dollars"),
    "Ann has 3 pens. In total, how many books do they carry?": (
        "the number of books that they carry in total",
        "books",
    ),
}


@pytest.mark.parametrize("question", GIVEN)
def test_a_question_becomes_something_given(question: str) -> None:
    given = as_given(question)
    assert given is not None
    assert (given.phrase, given.noun) == GIVEN[question]
    assert given.text == "Ann has 3 pens."


def test_a_condition_of_the_question_becomes_a_sentence() -> None:
    given = as_given("Ann has 3 pens. If she buys 4 boxes, 6 pens in each, how many pens does she have?")
    assert given is not None
    assert given.text == "Ann has 3 pens. She buys 4 boxes, 6 pens in each."
    assert given.phrase == "the number of pens that she has"


@pytest.mark.parametrize(
    "question",
    [
        "Ann has 3 pens and Bo has 2. How many more pens does Ann have than Bo?",
        "Ann has 3 pens of 5. What percentage of the pens does she have?",
        "Ann has 3 pens. How long does she write?",
        "Ann has 3 pens. How many pens does she need, if each box holds 2?",
        "How many pens are 3 pens?",
        "What is 3? Ann has 3 pens. How many pens does she have?",
        "Ann has 3 pens. How many pens does she frobnicate?",
    ],
)
def test_a_question_that_is_not_understood_is_declined(question: str) -> None:
    assert complexify(question, "answer = 3") == Declined("p", "symbolic", "question_not_understood")


def test_complexify_asks_one_thing_more_of_a_foreign_problem() -> None:
    question, program = "Ann has 3 bags of 8 pens. How many pens does she have?", "pens = 3 * 8\nanswer = pens - 4"
    drafts = complexify(question, program, count=5)
    assert not isinstance(drafts, Declined) and len(drafts) == 5
    assert len({draft.extra["further"] for draft in drafts}) == 5
    for draft in drafts:
        assert draft.question.startswith("Ann has 3 bags of 8 pens. ")
        assert "the number of pens that she has" in draft.question.replace("The number", "the number")
        assert draft.question.count("?") == 1 and "How many pens does she have?" not in draft.question
        assert run_program(draft.program) == draft.answer
        assert draft.program.startswith("pens = 3 * 8\nfirst_answer = pens - 4\n")
        assert count_operations(draft.program) > 2


def test_a_name_of_the_program_is_not_taken_twice() -> None:
    drafts = complexify("Ann has 3 pens. How many pens are left?", "first_answer = 3\nanswer = first_answer * 2")
    assert not isinstance(drafts, Declined)
    assert all("result_before = first_answer * 2" in draft.program for draft in drafts)
