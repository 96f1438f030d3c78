"""What each line of a program computes, to be shown beside it."""

from __future__ import annotations

import pytest

from fdd_edge.ondevice.language import line_values, run_program


def shown(program: str) -> list[tuple[str, int | float | None]]:
    return [(line.text, line.value) for line in line_values(program)]


def test_every_line_has_the_value_that_it_assigns() -> None:
    assert shown("bags = 3 * 4\nbags -= 2\nanswer = bags / 4") == [
        ("bags = 3 * 4", 12),
        ("bags -= 2", 10),
        ("answer = bags / 4", 2.5),
    ]


def test_the_lines_of_a_loop_have_none_and_the_next_one_knows_its_result() -> None:
    program = "n = 1\nfor i in range(3):\n    n = n * 2\nanswer = n + 1"
    assert shown(program) == [
        ("n = 1", 1),
        ("for i in range(3):", None),
        ("    n = n * 2", None),
        ("answer = n + 1", 9),
    ]


def test_from_the_line_on_that_fails_nothing_has_a_value() -> None:
    program = "a = 4\nb = a / 0\nanswer = a"
    assert shown(program) == [("a = 4", 4), ("b = a / 0", None), ("answer = a", None)]


def test_a_number_that_json_cannot_hold_is_not_shown_and_one_too_large_for_a_float_is() -> None:
    assert shown("big = 10 ** 300 * 10000000000.0\nanswer = 1")[0][1] is None
    large = 10**308
    assert shown("big = 10 ** 308\nanswer = big - 1")[1] == ("answer = big - 1", large - 1)
    assert shown("is_more = 3 > 2\nanswer = 1")[0] == ("is_more = 3 > 2", 1)


@pytest.mark.parametrize(
    "text", ["", "not a program", "import os\nos.system('x')", "while 1:\n    pass", "x = " + "(" * 99]
)
def test_no_text_makes_it_raise(text: str) -> None:
    assert [value for _, value in shown(text)] == [None] * len(shown(text))


def test_the_last_value_is_the_answer() -> None:
    program = "a = 7\nb = a // 2\nanswer = max(a, b) - b"
    assert line_values(program)[-1].value == run_program(program)
