"""The one word that says how a reply ended; board and host share it."""

from enum import StrEnum

__all__ = ["Verdict", "tell_answer"]


class Verdict(StrEnum):
    """How a reply ended; exactly one holds.

    A board fills in all but ``correct`` and ``wrong``, because gold answers stay on the host.
    """

    correct = "correct"
    """The program gave the gold answer."""
    wrong = "wrong"
    """The program ran and gave another number."""
    no_program = "no_program"
    """Nothing in the reply parses as a program with an answer."""
    forbidden = "forbidden"
    """There is a program, but it uses something outside the language."""
    error = "error"
    """The program raised while it ran, or its answer is not a finite number."""
    limit = "limit"
    """A cap was reached: length, nesting, steps or the size of an integer."""
    unfinished = "unfinished"
    """The reply was cut at the token limit."""


_REASONS = {
    Verdict.no_program: "the reply holds no program",
    Verdict.forbidden: "the program uses something outside the language, so it was not run",
    Verdict.error: "the program failed while it ran",
    Verdict.limit: "the question or the program is too long to be run",
    Verdict.unfinished: "the reply was cut at the token limit",
}


def tell_answer(answer: float | None, verdict: str | None) -> str:
    """Return the line below a reply: its answer as a person writes it (7, not 7.0), or why there is none."""
    if answer is None:
        return f"no answer: {_REASONS[Verdict(str(verdict))]}."
    whole = isinstance(answer, float) and answer.is_integer()
    return f"answer: {int(answer) if whole else answer}"
