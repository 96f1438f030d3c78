"""Judge a whole reply: find its program, run it, and return how that ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ..verdicts import Verdict
from ._check import check_answer
from ._interpret import interpret
from ._normal import find_program
from ._program_error import ProgramError, forbidden

__all__ = ["Computed", "Outcome", "compute", "judge_reply"]


class Outcome(NamedTuple):
    """The result of a reply.

    Attributes:
        program: The program in normal form, or None if there is none.
        answer: The number that the program computed, or None.
        verdict: Why there is no answer; None if there is one, which the host then compares with the gold answer.
        detail: One line that explains the verdict; empty if there is no verdict.
    """

    program: str | None
    answer: int | float | None
    verdict: Verdict | None
    detail: str


def judge_reply(text: str, *, unfinished: bool = False) -> Outcome:
    """Find and run the program in a reply. Never raises, whatever the text.

    Args:
        text: What a model wrote.
        unfinished: Whether the reply was cut at the token limit. It is then not examined, because half a program may
            compute a number that was not meant as the answer.

    Returns:
        The answer, or the verdict that says why there is none.
    """
    if unfinished:
        return Outcome(None, None, Verdict.unfinished, "the reply was cut at the token limit")
    normal_form = None
    try:
        with _last_defence():
            found = find_program(text)
            normal_form = found.text
            answer = interpret(found.body)
            # If this raises, the normal form alone would compute a number that is not the program's.
            normal_form = None
            check_answer(found, answer)
    except ProgramError as error:
        return Outcome(normal_form, None, error.verdict, str(error))
    return Outcome(found.text, answer, None, "")


class Computed(NamedTuple):
    """A program in normal form, and the number that it computes."""

    program: str
    answer: int | float


def compute(text: str) -> Computed:
    """Find and run the program in a text; see ``judge_reply``.

    Raises:
        ProgramError: There is none, it computes no number, or Python would say something else.
    """
    with _last_defence():
        found = find_program(text)
        answer = interpret(found.body)
        check_answer(found, answer)
    return Computed(found.text, answer)


@contextmanager
def _last_defence() -> Iterator[None]:
    """Refuse a text on which the language itself fails: one reply must not end an evaluation, now and whenever resumed.

    The tests hold that no text gets here; memory that runs out is the machine's fault, not the text's.
    """
    try:
        yield
    except (ProgramError, MemoryError):
        raise
    except Exception as error:
        raise forbidden(f"what the judge has no rule for ({type(error).__name__})") from error
