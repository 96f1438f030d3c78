"""What the public functions promise beyond the conformance cases."""

import pytest

from fdd_edge.ondevice.language import (
    Outcome,
    ProgramError,
    Verdict,
    count_operations,
    judge_reply,
    last_number,
    marked_number,
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
        ("a = 2 * 3\nb = a - 1\nc = b / 2\nanswer = a + 1", 2),
        ("a = 2 * 3\na = 4 + 5\nanswer = a", 1),
        ("answer = 2 * 3\nif answer > 7:\n    answer = 7 + 1", 2),
        ("", 0),
    ],
)
def test_count_operations(program: str, operations: int) -> None:
    assert count_operations(program) == operations


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The answer is $1,234.50.", 1234.5),
        ("It takes 7 days.", 7),
        ("3/4", 0.75),
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


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("She has in all:\n- 15 pens", 15),
        ("**Answer**\n\n- **15**", 15),
        ("- $8", 8),
        ("Total number of pens - 15", 15),
        ("The pens that are left (20 - 5 = 15) - 15 pens", 15),
        ("so 20 - 5", 5),
        ("so 20 -5", 5),
        ("20 minus 5", 5),
        ("Answer:- 15", 15),
        ("Ans:-15", 15),
        ("--15", 15),
    ],
)
def test_a_dash_that_lists_separates_or_subtracts_is_no_minus(text: str, number: int) -> None:
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The change is -15.", -15),
        ("-15", -15),
        ("Total:\n-15", -15),
        ("x = - 8", -8),
        ("It fell to -8 degrees", -8),
        ("**-8**", -8),
        ("the point (3, -5)", -5),
        ("$-8$", -8),
        (r"it costs -\$8", -8),
        (r"\boxed{-8}", -8),
        ("3 - -5", -5),
        ('{"answer":-8}', -8),
        ("negative 8", -8),
        ("It is minus 8", -8),
    ],
)
def test_a_minus_is_kept(text: str, number: int) -> None:
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1{,}000", 1000),
        (r"1\,000", 1000),
        (r"1,\!000", 1000),
        ("1\u202f000 pens", 1000),
        ("1\u2009234", 1234),
        ("1\u00a0234\u00a0567", 1_234_567),
        ("1 234 567", 1_234_567),
        ("1 000 pens", 1000),
        ("day 1 234 pens", 234),
        ("1'000", 1000),
        ("1\u2019000", 1000),
        ("12,34,567", 1_234_567),
        ("1.000.000", 1_000_000),
        ("1.234,56", 1234.56),
        ("\u0661\u066c\u0662\u0663\u0664", 1234),
        ("\u0969\u096a\u096b", 345),
        ("\uff15\uff10", 50),
    ],
)
def test_thousands_are_read_in_latex_and_other_scripts(text: str, number: float) -> None:
    found = last_number(text)
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5 k", 5000),
        ("5k", 5000),
        ("5 lakh", 500_000),
        ("2.5 crore", 25_000_000),
        ("4.35 million dollars", 4_350_000),
        ("3 bn", 3_000_000_000),
        ("$5m", 5_000_000),
        ("5 m", 5),
        ("5 km", 5),
        ("5 hundred thousand", 500_000),
        ("5\u4e07", 50_000),
        ("2 thirds", 2 / 3),
        ("3 quarters", None),  # coins, or 0.75
        ("2\u00bd hours", 2.5),
        ("3 and a half hours", 3.5),
        (r"3 \times 10^5", 300_000),
        ("2 dozen eggs", 24),
        ("9" * 300 + " million crore", None),
        ("1e-999999999 k", 0.0),
    ],
)
def test_scales_and_parts_multiply(text: str, number: float | None) -> None:
    found = last_number(text)
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5 + 3 = 8\n#### 8\nThat took 2 steps.", 8),
        ("#### $1,200", 1200),
        ("#### 5 apples\nof 9", 5),
        ("#### 3/4\nof 9", 0.75),
        ("#### Step 1: count\nThere are 9", 9),
        ("#### 3. Count\nThere are 9", 9),
        (r"so $\boxed{1{,}000}$ in 3 days", 1000),
        (r"\boxed{\text{15 pens}} in 2 bags", 15),
        (r"\boxed{-\frac{1}{2}} of 8", -0.5),
        (r"\boxed{2\frac{1}{2}} of 8", 2.5),
        (r"\boxed{x} is 7", 7),
        (r"\boxed{3} and \boxed{4} of 8", 4),
        ("The answer is 8, since he had 5 and got 3.", 8),
        ("The answer is 5 + 3 = 8. That took 2 steps", 8),
        ("**Answer:** 15\n\nIt took 3 steps", 15),
        ("Answer:\n- 15 pens\nin 2 bags", 15),
        ("The answer is \u22128 after 2 days.", -8),
        ("He has 5, so 7", 7),
        ("no number", None),
    ],
)
def test_the_number_that_is_marked_goes_before_the_last_one(text: str, number: float | None) -> None:
    assert marked_number(text) == number
