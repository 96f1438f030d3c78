"""The exception of the program language."""

from ..verdicts import Verdict

__all__ = ["ProgramError"]


class ProgramError(Exception):
    """A reply contains no program that computes a number.

    Attributes:
        verdict: ``no_program``, ``forbidden``, ``error`` or ``limit``.
    """

    def __init__(self, verdict: Verdict, message: str) -> None:
        super().__init__(" ".join(message.split()))
        self.verdict = verdict


def forbidden(what: str) -> ProgramError:
    """Return the error for something that parses but is outside the language."""
    return ProgramError(Verdict.forbidden, f"{what[:80]} is outside the program language")


def over_limit(what: str) -> ProgramError:
    """Return the error for a limit that was exceeded."""
    return ProgramError(Verdict.limit, what)


def no_program(why: str) -> ProgramError:
    """Return the error for a text that is not a program with an answer."""
    return ProgramError(Verdict.no_program, why)
