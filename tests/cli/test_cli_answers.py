"""How a run shows questions and answers: what is right, what is wrong, and why, in 80 columns."""

from __future__ import annotations

from typing import Any

import pytest

from fdd_edge.cli.answers import print_answers
from fdd_edge.ondevice.language import line_values
from fdd_edge.operations.shown_answers import ShownAnswer
from fdd_edge.pipeline.shown_questions import Shown

RIGHT = ShownAnswer(
    dataset="valid",
    question="Tom has 3 bags with 4 apples each. He eats 2 apples. How many apples are left?",
    expected=10,
    correct=True,
    answer=10.0,
    verdict="correct",
    detail=None,
    lines=line_values("bags = 3 * 4\nanswer = bags - 2"),
    text="",
)


def printed(capsys: pytest.CaptureFixture[str], *answers: ShownAnswer, number: int | None = 0) -> str:
    print_answers(Shown(number, list(answers)))
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    return text


def answer(**changes: Any) -> ShownAnswer:
    return ShownAnswer(**{**vars(RIGHT), "correct": False, **changes})


def test_a_right_answer_is_ticked_and_each_line_has_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, RIGHT).splitlines() == [
        "",
        "Asked after round 0: 1 of 1 right",
        "",
        "valid: Tom has 3 bags with 4 apples each. He eats 2 apples. How many apples are",
        "left?",
        "    bags = 3 * 4       → 12",
        "    answer = bags - 2  → 10",
        "  ✓ 10",
        "",
    ]


def test_a_wrong_answer_is_crossed_and_the_right_one_named(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, answer(answer=9), number=None)
    assert "Asked before training: 0 of 1 right" in text
    assert "  ✗ 9, but the answer is 10" in text


def test_why_there_is_no_answer_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    fails = answer(answer=None, verdict="error", detail="the name 'x' has no value", lines=line_values("answer = x"))
    text = printed(capsys, fails)
    assert "    answer = x\n  ✗ the name 'x' has no value (the answer is 10)" in text
    cut = printed(capsys, answer(answer=None, verdict="unfinished", lines=[], text="1 + 1 + 1"))
    assert "    1 + 1 + 1\n  ✗ the reply was cut at the token limit (the answer is 10)" in cut


def test_replies_of_strangers_stay_short_and_move_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(
        capsys,
        answer(answer=None, verdict="no_program", lines=[], text="\x1b[2J[bold]A" + "b" * 200 + "\n\n" + "c\n" * 50),
        answer(answer=None, verdict="limit", lines=line_values("\n".join(f"x{i} = {i}" for i in range(40)))),
        answer(answer=10**300, lines=line_values("answer = 10 ** 300")),
        answer(question="\x1b]0;title\x07 [red]?", dataset="a[b]\n"),
    )
    assert "\x1b" not in text and "\x07" not in text
    assert "[bold]A" in text and "[red]?" in text
    assert "    ... (28 more lines)" in text
    assert text.count("\n") < 60
