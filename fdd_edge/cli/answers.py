"""The questions that a run shows: each with the student's program, what its lines compute, and whether it is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from fdd_edge.cli.rich_table import print_styled
from fdd_edge.ondevice.verdicts import format_answer, format_number
from fdd_edge.visible import visible

if TYPE_CHECKING:
    from fdd_edge.ondevice.language import LineValue
    from fdd_edge.operations.shown_answers import ShownAnswer
    from fdd_edge.pipeline.shown_questions import Shown

__all__ = ["print_answers"]

_MOST_LINES, _MOST_TEXT = 12, 3
"""Lines that are shown of a program, and of a reply without one."""

_WIDEST, _WIDEST_TEXT = 48, 70
"""Columns of a line of a program, beyond which its value follows directly; of a line of another reply."""

_LONGEST_NUMBER = 30


def print_answers(shown: Shown) -> None:
    """Print questions with their answers, right ones ticked and wrong ones crossed."""
    when = "Asked before training" if shown.round is None else f"Asked after round {shown.round}"
    right = sum(answer.correct for answer in shown.answers)
    title = Text(f"{when}: {right} of {len(shown.answers)} right", style="bold")
    print_styled([Text(""), title, *(part for answer in shown.answers for part in _answer(answer)), Text("")])


def _answer(answer: ShownAnswer) -> Iterator[RenderableType]:
    yield Text("")
    question = Text(f"{visible(answer.dataset)}: ", style="dim")
    question.append(visible(" ".join(answer.question.split())), style="not dim")
    yield question
    for line in _program(answer.lines) if answer.lines else _reply(answer.text):
        yield Padding(line, (0, 0, 0, 4))
    yield Padding(_verdict(answer), (0, 0, 0, 2))


def _program(lines: Sequence[LineValue]) -> Iterator[Text]:
    width = min(max((len(line.text) for line in lines if line.value is not None), default=0), _WIDEST)
    for line in lines[:_MOST_LINES]:
        text = Text(visible(line.text), style="cyan")
        if line.value is not None:
            text.append(" " * max(2, width + 2 - len(line.text)))
            text.append(f"→ {_number(line.value)}", style="default")
        yield text
    if len(lines) > _MOST_LINES:
        yield Text(f"... ({len(lines) - _MOST_LINES} more lines)", style="dim")


def _reply(text: str) -> Iterator[Text]:
    """Yield the beginning of a reply that is not a program."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines[:_MOST_TEXT]:
        yield Text(visible(line if len(line) <= _WIDEST_TEXT else f"{line[: _WIDEST_TEXT - 3]}..."), style="dim")
    if len(lines) > _MOST_TEXT:
        yield Text("...", style="dim")


def _verdict(answer: ShownAnswer) -> Text:
    expected = _number(answer.expected)
    if answer.correct:
        return Text(f"✓ {expected}", style="green")
    if answer.answer is not None:
        return Text(f"✗ {_number(answer.answer)}, but the answer is {expected}", style="red")
    why = visible(answer.detail) if answer.detail else format_answer(None, answer.verdict).removesuffix(".")
    return Text(f"✗ {why.removeprefix('no answer: ')} (the answer is {expected})", style="red")


def _number(number: float) -> str:
    text = format_number(number)
    return text if len(text) <= _LONGEST_NUMBER else f"{text[: _LONGEST_NUMBER - 3]}..."
