"""What the public functions promise beyond the conformance cases."""

import pytest

from fdd_edge.ondevice.language import (
    Outcome,
    ProgramError,
    Verdict,
    count_operations,
    judge_reply,
    last_number,
    normalize,
    run_program,
)


def test_outcome_of_a_program_that_runs() -> None:
    assert judge_reply("a = 3\nanswer = a * 2") == Outcome("a = 3\nanswer = a * 2", 6, None, "")


def test_outcome_keeps_the_program_that_raised() -> None:
    outcome = judge_reply("answer = 1 / 0")
    assert outcome == Outcome("answer = 1 / 0", None, Verdict.error, "ZeroDivisionError: division by zero")


def test_unfinished_reply_is_not_looked_at() -> None:
    outcome = judge_reply("answer = 1", unfinished=True)
    assert outcome == Outcome(None, None, Verdict.unfinished, "the reply was cut at the token limit")


@pytest.mark.parametrize(
    ("text", "verdict", "message"),
    [
        ("a = 3", Verdict.no_program, "nothing is assigned to 'answer'"),
        ("answer = (", Verdict.no_program, "not Python: '(' was never closed"),
        ("answer = [1][0]", Verdict.forbidden, "'Subscript' is outside the program language"),
        ("answer = input()", Verdict.forbidden, "calling input is outside the program language"),
        ("a" * 16_001, Verdict.limit, "the reply has more than 16000 characters"),
    ],
)
def test_normalize_says_what_is_wrong(text: str, verdict: Verdict, message: str) -> None:
    with pytest.raises(ProgramError) as caught:
        normalize(text)
    assert (caught.value.verdict, str(caught.value)) == (verdict, message)


def test_the_telling_fault_of_several_blocks_is_reported() -> None:
    with pytest.raises(ProgramError, match="calling input"):
        normalize("```\nanswer = input()\n```\nwhich prints\n```\n3\n```")


@pytest.mark.parametrize(
    ("program", "verdict", "message"),
    [
        ("a = 1", Verdict.error, "the name 'answer' has no value"),
        ("answer = b", Verdict.error, "the name 'b' has no value"),
        ("answer = 1 == 1", Verdict.error, "the answer is True"),
        ("answer = 2 ** 5000", Verdict.limit, "an integer has more than 1024 bits"),
        ("while 1:\n    pass\nanswer = 1", Verdict.limit, "the program takes more than 10000 steps"),
        ("answer = open('x')", Verdict.forbidden, "calling open is outside the program language"),
        ("def f():\n    return 1", Verdict.forbidden, "'FunctionDef' is outside the program language"),
    ],
)
def test_run_program_holds_any_text_to_the_language(program: str, verdict: Verdict, message: str) -> None:
    with pytest.raises(ProgramError) as caught:
        run_program(program)
    assert (caught.value.verdict, str(caught.value)) == (verdict, message)


def test_steps_are_counted_as_documented() -> None:
    # 3 statements, then for each round: itself, the statement and its addition.
    assert run_program("a = 0\nfor i in range(3332):\n    a = a + 1\nanswer = a") == 3332
    with pytest.raises(ProgramError, match="steps"):
        run_program("a = 0\nfor i in range(3333):\n    a = a + 1\nanswer = a")


@pytest.mark.parametrize(
    ("program", "operations"),
    [
        ("answer = 3", 0),
        ("a = 3\nanswer = a + 2 * a", 2),
        ("answer = -3", 0),
        ("answer = int(float(7 / 2))", 1),
        ("answer = round(max(1, 2) ** 2, 1)", 3),
        ("answer = sum([1, 2, 3])", 1),
        ("answer = ceil(sqrt(gcd(4, 6))) + lcm(2, 3) - abs(floor(1.5)) + min(1, 2)", 10),
        ("answer = 0\nfor i in range(9):\n    answer += i", 1),
        ("answer = 1 if 2 < 3 and 4 != 5 else 6", 0),
    ],
)
def test_count_operations(program: str, operations: int) -> None:
    assert count_operations(program) == operations


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The answer is $1,234.50.", 1234.5),
        ("It takes 7 days.", 7),
        ("3/4", 4),
        ("So she has 5 - 3 = 2", 2),
        ("The change is -8.", -8),
        ("The change is -$8.", -8),
        ("The change is \u22128 degrees", -8),
        ("pages 10-12", 12),
        ("a total of 1,000,000", 1_000_000),
        ("on days 1,2,3", 3),
        ("about .5 of it", 0.5),
        ("25%", 25),
        ("2.0", 2.0),
        ("1e3 grams", 1000.0),
        ("no number here", None),
        ("", None),
        ("9" * 500, None),
    ],
)
def test_last_number(text: str, number: int | float | None) -> None:
    found = last_number(text)
    assert (found, type(found)) == (number, type(number))
