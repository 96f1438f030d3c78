"""Checks a new problem by its text and its program, whichever teacher wrote it; the cheapest checks come first."""

from __future__ import annotations

import re
from collections import Counter

from fdd_edge.curation._program import numbers_used
from fdd_edge.curation._reasons import Reason, RejectedError
from fdd_edge.curation._text import Quantity, read_numbers
from fdd_edge.records import Problem, same_answer

__all__ = ["check_numbers", "check_offspring"]

_CONTROL = re.compile(r"(?!\r\n)[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Controls of C0 and C1 other than tabs and the ends of lines, and those that change the direction of a text."""

_MOST = 1e9
"""School problems have smaller answers than this."""
_DECIMALS = 4
_CLOSING = ")\"'”’"
_SENTENCE = re.compile(r"(?<=[.?!])\s+")
_CONDITION = r"(?:(?:if|when|given|assuming)\b[^,]*, )?"
_ORDER = re.compile(
    rf"{_CONDITION}(?:then |now |please )*"
    r"(?:calculate|compute|determine|(?:find|work out)(?= (?:how|what|which|the|his|her|its|their)\b))\b",
    re.IGNORECASE,
)
_AUXILIARY = r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)"
_YES_OR_NO = re.compile(rf"{_CONDITION}{_AUXILIARY}\b(?!.*\b(?:how|what|which)\b)", re.IGNORECASE)
_ANOTHER_QUESTION = re.compile(
    r"\b(?:and|or) (?:also )?(?:how (?:many|much|long|far|old)|what|which|who)\b|\brespectively\b"
    rf"|\band {_AUXILIARY} (?:he|she|it|they|the|his|her|their|(?-i:[A-Z])\w+)\b",
    re.IGNORECASE,
)
_ANOTHER_ORDER = re.compile(
    r"(?<!sum of )(?<!total of )(?<!between )\b(?:the|his|her|their) (?P<what>\w+) of [^,]+? and (?:also )?"
    r"the (?P=what) of ",
    re.IGNORECASE,
)


def check_offspring(problem: Problem, parent: Problem | None) -> None:
    """Check a new problem whose program runs and gives its answer.

    Args:
        problem: The problem, with its operations counted.
        parent: The problem it was written from; None if it is not known, and then there is no comparison.

    Raises:
        RejectedError: A check failed; the error is that of the first one.
    """
    _check_characters(problem)
    check_numbers(problem, parent)
    _check_answer(problem)
    _check_question(problem)
    if parent is not None:
        _check_operations(problem, parent)


def _check_characters(problem: Problem) -> None:
    """Reject a question that would be trained on with what moves a cursor, rings a bell or turns the text around."""
    if found := _CONTROL.search(problem.question):
        raise RejectedError(Reason.CONTROL_CHARACTER, detail=f"U+{ord(found[0]):04X}")


def check_numbers(problem: Problem, parent: Problem | None) -> None:
    """Reject a question with an unused number: its program probably solves a different problem.

    Numbers that a teacher marks as distractors, and numbers that were already unused in the parent, are allowed.
    """
    allowed = Counter(_distractors(problem))
    if parent is not None:
        allowed += Counter(_unused_numbers(parent))
    left = Counter(_unused_numbers(problem)) - allowed
    if left:
        raise RejectedError(Reason.NUMBER_NOT_USED, detail=f"{next(iter(left)):g}")


def _distractors(problem: Problem) -> list[float]:
    """Return the numbers that the notes mark as distractors; the notes of a data set may hold anything."""
    marked = problem.teacher_notes.get("distractors", ())
    return [number for number in marked if isinstance(number, int | float)] if isinstance(marked, list | tuple) else []


def _unused_numbers(problem: Problem) -> list[float]:
    """Return the numbers of a question that its program does not use in any form.

    "One" is often not a quantity ("one of the children"), and neither is a word up to four before a noun ("two crews").
    A number that occurs twice only needs to be used once, because texts often repeat themselves.
    """
    used = numbers_used(problem.program or "")
    return [
        found.value
        for found in read_numbers(problem.question)
        if found.value > 1
        and not found.only_names
        and not any(same_answer(number, form) for number in used for form in _forms(found))
        and not (found.is_fraction and any(same_answer(a, found.value * b) for a in used for b in used))
    ]


def _forms(found: Quantity) -> list[float]:
    """Return the numbers that a program may use for a quantity: 20 % off may be 20, 0.2, 80 or 0.8."""
    value = found.value
    shares = [value / 100, 100 - value, 100 + value, 1 - value / 100, 1 + value / 100] if found.is_percent else []
    return [value, *(value * factor for factor in found.factors), *shares]


def _check_answer(problem: Problem) -> None:
    answer = float(problem.answer)
    if not 0 <= answer < _MOST or not same_answer(round(answer, _DECIMALS), answer):
        raise RejectedError(Reason.IMPLAUSIBLE_ANSWER, detail=str(problem.answer))


def _check_question(problem: Problem) -> None:
    """Reject a problem unless its last sentence is its only question or instruction, and asks for one number."""
    sentences = _SENTENCE.split(problem.question.strip())
    last = sentences[-1].rstrip(_CLOSING)
    asking = [sentence for sentence in sentences if "?" in sentence or _ORDER.match(sentence)]
    is_complete = problem.question.count("?") == last.endswith("?")
    asks_for_number = re.search(r"[^\W\d_]{2}", last) is not None and not _YES_OR_NO.match(last)
    asks_more = any(pattern.search(last) for pattern in (_ANOTHER_QUESTION, _ANOTHER_ORDER))
    if asking != sentences[-1:] or not is_complete or not asks_for_number or asks_more:
        raise RejectedError(Reason.NOT_ONE_QUESTION)


def _check_operations(problem: Problem, parent: Problem) -> None:
    """Reject a complex problem without more operations than its parent, or a similar one with two more or less."""
    if problem.n_ops is None or parent.n_ops is None:
        return
    more = problem.n_ops - parent.n_ops
    if not (more > 0 if problem.origin == "complex" else abs(more) <= 1):
        raise RejectedError(Reason.WRONG_OPERATION_COUNT, detail=f"{problem.n_ops} (parent: {parent.n_ops})")
