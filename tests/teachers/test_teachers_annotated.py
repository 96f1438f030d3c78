import ast
import asyncio

import pytest

from fdd_edge.ondevice.language import normalize, run_program
from fdd_edge.records import Problem, same_answer
from fdd_edge.teachers import Declined, Rationale, load_teacher


def rationale(question: str, solution: str | None, answer: float) -> str | Declined:
    problem = Problem(id="p", question=question, answer=answer, source="test", solution=solution)
    (result,) = asyncio.run(load_teacher("annotated").rationale([problem]))
    assert not isinstance(result, Rationale)
    return result


def test_notes_become_assignments_that_read_earlier_results() -> None:
    program = rationale(
        "A baker fills 6 trays with 12 rolls each and drops 5 rolls. How many rolls are left?",
        "The trays hold 6*12 = <<6*12=72>>72 rolls.\nSo 72-5 = <<72-5=67>>67 rolls are left.\n#### 67",
        67,
    )
    assert program == "rolls = 6 * 12\nanswer = rolls - 5"


WORKING = {
    "money and commas": ("Rent is $1,200 for 3 months.", "It is 1,200*3 = $<<1,200*3=3,600>>3,600.\n#### 3,600", 3600),
    "dollar in the note": ("", "He pays $<<$5*4=20>>20.\n#### 20", 20),
    "percent in the note": ("", "That is <<50%*80=40>>40 seats.\n#### 40", 40),
    "leading point": ("", "She uses <<.5*18=9>>9 liters.\n#### 9", 9),
    "fraction": ("", "A third is <<1/3*60=20>>20 liters.\n#### 20", 20),
    "x for times": ("", "They need <<7 x 8=56>>56 nails.\n#### 56", 56),
    "leading zeros": ("", "They need <<07*08=56>>56 nails.\n#### 56", 56),
    "unit in the note": ("", "They need <<7 boxes*8 nails=56 nails>>56 nails.\n#### 56", 56),
    "open parenthesis": ("", "They need <<2*(3+4=14>>14 nails.\n#### 14", 14),
    "closing parenthesis": ("", "They need <<2*3)+4=10>>10 nails.\n#### 10", 10),
    "implied times": ("", "They need <<2(3+4)=14>>14 nails.\n#### 14", 14),
    "equation without a note": (
        "",
        "A box has 4*6=<<4*6=24>>24 eggs\nAll have 24 eggs/box * 3 boxes = 72 eggs\n#### 72",
        72,
    ),
    "percent without a note": ("What percent?", "He got 9 of 12 right, so 9 / 12 * 100% = 75%.\n#### 75", 75),
    "work beside an empty note": ("", "They need 7 * 8 = <<56=56>>56 nails.\n#### 56", 56),
    "a share as a percent": ("What percentage is red?", "The share is 3/12 = <<3/12=0.25>>0.25\n#### 25", 25),
    "rounded": ("Round to the nearest dollar.", "It is 10/3 = <<10/3=3.3333333>>3.33\n#### 3", 3),
    "answer before the last note": ("", "He has <<3*4=12>>12 pens.\nThat is <<12-10=2>>2 more than 10.\n#### 12", 12),
}


@pytest.mark.parametrize("case", WORKING)
def test_programs_give_the_gold_answer(case: str) -> None:
    question, solution, answer = WORKING[case]
    program = rationale(question, solution, answer)
    assert isinstance(program, str), program
    assert same_answer(run_program(program), answer)
    assert normalize(program) == program


DECLINED = {
    "no_solution": ("", None, 4),
    "no_notes": ("", "He has four pens.\n#### 4", 4),
    "unparseable_note": ("", "He has <<=...>> pens.\n#### 4", 4),
    "no_arithmetic_in_notes": ("", "Solving, x=<<7=7>>7.\n#### 7", 7),
    "notes_do_not_give_answer": ("", "He has <<2*3=6>>6 pens.\n#### 7", 7),
    "solved_in_words": ("", "5 added to twice x is 19, x=<<7=7>>7.\nBoth have <<7*3=21>>21.\n#### 21", 21),
}


@pytest.mark.parametrize("reason", DECLINED)
def test_solutions_without_a_program_are_declined_with_a_reason(reason: str) -> None:
    assert rationale(*DECLINED[reason]) == Declined("p", "annotated", reason)


def test_a_variable_is_not_computed_from_itself() -> None:
    program = rationale(
        "A film lasts an hour. Ann watched 20 minutes on each of 3 days.",
        "She watched 20*3 = <<20*3=60>>60 minutes.\nSo 60-60 = <<60-60=0>>0 minutes are left.\n#### 0",
        0,
    )
    assert program == "minutes = 20 * 3\nanswer = 60 - minutes"


@pytest.mark.parametrize("word", ["class", "answer", "min", "ab", "naïve", "extraordinarily_long_winded_words"])
def test_unusable_words_never_become_names(word: str) -> None:
    program = rationale("", f"There are <<2*3=6>>6 {word}.\nAll is <<6*7=42>>42.\n#### 42", 42)
    assert isinstance(program, str)
    names = {node.id for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Name)} - {"answer"}
    assert len(names) == 1
    (name,) = names
    assert name.isascii() and name.isidentifier() and name not in {"class", "min"} and len(name) <= 20


def test_steps_that_the_answer_does_not_need_are_left_out() -> None:
    program = rationale("", "<<2*3=6>>6 cats\n<<4*5=20>>20 dogs\n<<20+1=21>>21 dogs\n#### 21", 21)
    assert program == "dogs = 4 * 5\nanswer = dogs + 1"


def test_it_writes_no_problems() -> None:
    problem = Problem(id="p", question="?", answer=1, source="test")
    teacher = load_teacher("annotated")
    declined = [Declined("p", "annotated", "writes_no_problems")]
    assert asyncio.run(teacher.similar([problem], per_problem=1, seed=0)) == declined
    assert asyncio.run(teacher.complexify([problem], per_problem=1, seed=0)) == declined
