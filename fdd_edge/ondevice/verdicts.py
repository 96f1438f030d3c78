"""The one word that says how a reply ended; board and host share it."""

from enum import StrEnum

__all__ = ["Verdict"]


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
