"""Judge a whole reply: find its program, run it, and say in one word how that ended."""

from __future__ import annotations

from typing import NamedTuple

from ..verdicts import Verdict
from ._interpret import interpret
from ._normal import find_program
from ._program_error import ProgramError

__all__ = ["Outcome", "judge_reply"]


class Outcome(NamedTuple):
    """What became of a reply.

    Attributes:
        program: The program in normal form, None if there is none.
        answer: The number it gave, None if it gave none.
        verdict: Why there is no answer; None where there is one, for the host to compare with the gold answer.
        detail: One line on the verdict; empty where there is none.
    """

    program: str | None
    answer: int | float | None
    verdict: Verdict | None
    detail: str


def judge_reply(text: str, *, unfinished: bool = False) -> Outcome:
    """Find and run the program in a reply; never raises, whatever the text.

    Args:
        text: What a model wrote.
        unfinished: The reply was cut at the token limit; it is not looked at then, since half a program may
            run to a number its writer did not mean.

    Returns:
        The answer, or the verdict that says why there is none.
    """
    if unfinished:
        return Outcome(None, None, Verdict.unfinished, "the reply was cut at the token limit")
    try:
        found = find_program(text)
    except ProgramError as error:
        return Outcome(None, None, error.verdict, str(error))
    try:
        return Outcome(found.text, interpret(found.body), None, "")
    except ProgramError as error:
        return Outcome(found.text, None, error.verdict, str(error))
