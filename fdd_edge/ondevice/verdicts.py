"""Verdicts: how a reply ended, in one word shared by board and host."""

from enum import StrEnum
from typing import Literal, get_args

__all__ = ["ANSWER_RULES", "SCORED", "AnswerRule", "Verdict", "format_answer", "format_number"]

AnswerRule = Literal["program", "number", "last-number"]
"""How the answer of a reply is found: by its program, as the number that it marks as its answer, or as its last one."""
ANSWER_RULES: tuple[str, ...] = get_args(AnswerRule)


class Verdict(StrEnum):
    """How a reply ended; exactly one applies.

    A board sets all but ``correct`` and ``wrong``, because gold answers stay on the host.
    """

    correct = "correct"
    """The answer is the gold answer."""
    wrong = "wrong"
    """The program ran and computed another number."""
    no_program = "no_program"
    """Nothing in the reply parses as a program with an answer."""
    forbidden = "forbidden"
    """It parses, but uses something outside the language."""
    error = "error"
    """The program raised while running, or its answer is not a finite number."""
    limit = "limit"
    """A limit was exceeded: length, nesting, steps or the size of an integer."""
    unfinished = "unfinished"
    """The reply was cut at the token limit."""


SCORED = (Verdict.correct, Verdict.wrong)
"""The verdicts that depend on the gold answer."""

_REASONS = {
    Verdict.no_program: "the reply contains no program",
    Verdict.forbidden: "the program uses something outside the language, so it was not run",
    Verdict.error: "the program failed while running",
    Verdict.limit: "the question or the program is too long",
    Verdict.unfinished: "the reply was cut at the token limit",
}


def format_answer(answer: float | None, verdict: str | None, detail: str = "") -> str:
    """Return the line to print after a reply: the answer as a person writes it (7, not 7.0), or why there is none.

    Args:
        answer: The number, or None.
        verdict: Why there is none.
        detail: What exactly was wrong, see ``Outcome``.
    """
    if answer is None:
        reason = _REASONS[Verdict(str(verdict))]
        return f"no answer: {reason} ({detail})." if detail and detail != reason else f"no answer: {reason}."
    return f"answer: {format_number(answer)}"


def format_number(number: float) -> str:
    """Return a number as a person writes it: 7, not 7.0."""
    is_whole = isinstance(number, float) and number.is_integer()
    return f"{int(number) if is_whole else number}"
