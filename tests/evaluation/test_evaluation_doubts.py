"""What makes an answer doubtful, seen in the reply alone."""

from __future__ import annotations

import pytest

from fdd_edge.evaluation import doubts_about
from fdd_edge.ondevice.protocol import Completion

QUESTION = "Ann has 3 bags of twelve eggs, each at $1,250.50 with 20 % off. How many eggs?"


def doubts(program: str | None, text: str = "") -> list[str]:
    return doubts_about(QUESTION, Completion("p", 0, text, program, 1, None, 1, 1, "0" * 16))


@pytest.mark.parametrize(
    "program", ["answer = 3 * 5", "eggs = 12\nanswer = eggs", "answer = 1250.5 + 7", "answer = 7 * 0.2", "answer = 3.0"]
)
def test_a_program_with_a_number_of_the_question_is_fine(program: str) -> None:
    assert doubts(program) == []


@pytest.mark.parametrize("program", ["answer = 7 * 8", "x3 = 50 - 100\nanswer = x3", "answer = 1.5e3"])
def test_a_program_without_any_is_a_guess(program: str) -> None:
    """An answer to quite another question looked like any other."""
    assert doubts(program) == ["The program uses none of the numbers in the question, so its answer may be a guess."]


def test_a_question_without_numbers_says_nothing_about_a_program() -> None:
    assert doubts_about("How many?", Completion("p", 0, "", "answer = 7", 7, None, 1, 1, "0" * 16)) == []


@pytest.mark.parametrize(
    "text",
    [
        "a = 3\na = 3\na = 3\nanswer = a",
        "He has 3 eggs. He has 3 eggs. He has 3 eggs. He has 3 eggs.",
        "12 and 12 and 12 and 12 and",
    ],
)
def test_a_reply_that_repeats_itself_is_named(text: str) -> None:
    assert doubts(None, text) == ["The reply repeats itself, as models do that have lost the thread."]


@pytest.mark.parametrize("text", ["3 * 12 = 36", "10000000000000", "one\ntwo\ntwo\nthree", "....", "", "a " * 3])
def test_other_replies_do_not(text: str) -> None:
    assert doubts(None, text) == []


def test_a_long_reply_is_read_in_no_time() -> None:
    assert doubts(None, "ab" * 100_000)
