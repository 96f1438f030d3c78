"""``final_answer``: what a worked solution marks as its answer, and what is a number in LaTeX."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd_edge.data._gold import parse_gold
from fdd_edge.data._solution import answer_text, final_answer


@pytest.mark.parametrize(
    ("solution", "number"),
    [
        (r"So $x=\boxed{5}$.", 5),
        (r"\boxed 5", 5),
        (r"\boxed {5}", 5),
        (r"\{ so \boxed{\text{5 \} }}? No, \boxed{6}", 6),
        (r"\fbox{5}", 5),
        (r"\$\boxed{5}$ for 3 pens", 5),
        (r"$\boxed{5}$ cm, 3 million in all", 5),
        (r"10 - \boxed{5} = 5", 5),
        (r"\boxed{5}\%", 5),
        (r"$\boxed{5}^\circ$", 5),
        (r"\boxed{\boxed{3} is not closed here, \boxed{4}", 4),
        (r"\boxed{3}. After more work it is $\boxed{4}$.", 4),
        (r"$\boxed{4}$, that is, $\boxed{4}$", 4),
        (r"\boxed{7}" + "\nThe answer is 9.", 7),
        ("12 in all.\n#### 1,200\nMore 3", 1200),
        ("The answer is 5. There are 3 left.", 5),
        ("The answer is: $2.50", 2.5),
        ("the final answer is **-4**", -4),
        ("The answer is 3? No: the answer is 12 apples.", 12),
        ("The answer is:\n\n8", 8),
        (r"The answer is \(6\).", 6),
    ],
)
def test_a_marked_answer(solution: str, number: float) -> None:
    answer = final_answer(solution)
    assert answer is not None
    assert parse_gold(answer) == number


@pytest.mark.parametrize("solution", ["", "There are 7.", "7", "3 + 4 = 7", "answer: 7", r"\boxed{3"])
def test_the_last_number_is_no_answer(solution: str) -> None:
    assert final_answer(solution) is None


@pytest.mark.parametrize(
    "solution",
    [
        r"$\boxed{2}$ and $\boxed{-2}$",
        r"\boxed{2},\boxed{3}",
        r"\boxed{2}\text{ or }\boxed{3}",
        r"\boxed{\frac{1}{2}}",
        *(
            r"\$\boxed{5} million dollars",
            r"\boxed{5}k",
            r"\boxed{5}\text{ thousand}",
            r"\boxed{5}\cdot 10^3",
            r"-\boxed{5}",
        ),
        *(r"\boxed{3}/4", r"\boxed{5}^2", r"\boxed{5}\pi", r"\frac{\boxed{3}}{4}", r"1,\boxed{200}", r"\boxed{5}:30"),
        *(r"\boxed{3\ i}", r"\boxed{3~n}", r"\boxed{0{,}500}", "The answer is: 5!"),
        "The answer is B.",
        "The answer is 5 or 6.",
        "The answer is not 5.",
        "The answer is 3, as 2 are gone.",
        "The answer is",
    ],
)
def test_a_marked_answer_that_is_no_single_number(solution: str) -> None:
    assert parse_gold(final_answer(solution)) is None


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        (r"1{,}200", 1200),
        (r"1,\!234,\!567", 1234567),
        (r"12\,345", 12345),
        (r"\$18.90", 18.9),
        (r"50\%", 50),
        (r"30^\circ", 30),
        (r"30^{\circ}", 30),
        (r"5\text{ cm}^2", 5),
        (r"5 \mathrm{~cm}^{3}", 5),
        (r"\text{7}", 7),
        (r"18 \text{ dollars}", 18),
        ("18 dollars", 18),
        ("6 cm", 6),
        (r"4\text{ m}", 4),
        (r"42\text{ m/s}", 42),
        (r"-5^\circ\text{C}", -5),
        (r"\mathbf{42}", 42),
        (r"5 \,\text{cm}", 5),
        (".5", 0.5),
        ("$9$.", 9),
    ],
)
def test_latex_that_is_a_number(answer: str, number: float) -> None:
    assert parse_gold(answer_text(answer)) == number


@pytest.mark.parametrize(
    "answer",
    [
        *(r"\frac{1}{2}", r"2\sqrt{3}", r"3 \pi", "2 x", "3 pi", "2 xy", "1011_2", "10^3", "5!", "(1, 2)", "3,4"),
        *("x=5", r"0.\overline{3}", r"5\text{ million}", r"2\frac{1}{2}", r"\text{(B) }5", r"5^{\text{th}}"),
        *(r"5\text{th}", r"5\mathrm{i}", r"1010_{\text{two}}", r"8\text{ hours }30\text{ minutes}", r"\{5\}"),
    ],
)
def test_latex_that_is_none_stays_as_it_is(answer: str) -> None:
    assert answer_text(answer).replace(" ", "") == answer.replace(" ", "")
    assert parse_gold(answer_text(answer)) is None


@given(st.text(alphabet="\\boxed{}#anwr is:0123.,$\n", max_size=60))
def test_no_text_raises(text: str) -> None:
    final_answer(text)


def test_a_hostile_solution_takes_no_longer_than_a_long_one() -> None:
    many = 200_000
    assert final_answer("\\boxed{" * many) is None
    assert final_answer("\\boxed{1}" + " " * many + "\\boxed{2}") == "2"
    assert final_answer("the answer is " + "$ " * many) is not None
