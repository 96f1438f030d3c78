r"""Find the number that free-form text marks as its answer: behind ``####``, in ``\boxed{}``, or after "answer is"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ._last_number import last_number
from ._limits import MAX_CHARS
from ._number_reader import find_numbers, plain_digits, read_number

__all__ = ["marked_number"]

# GSM8K's mark stands on a line with the number; a heading of Markdown has further words.
_HASHES = re.compile(r"####[ \t]*(?P<answer>[^\n]*)")
_BEFORE = re.compile(r"[\s*\\(\[${}£€¥₹-]*")
_UNIT = re.compile(r"[\s*$%°]*(?:[^\W\d]+)?[\s.*$%)]*")
_BOX = re.compile(r"\\f?boxed\s*\{")
_MAX_BOX = 200
"""Characters of a box; a longer one holds no number alone."""
_ANSWER = re.compile(
    r"\banswer(?:\*\*|__)?\s*(?:is\b|:|=)\s*(?P<answer>[^\n]*?(?=[.!?](?:\s|\Z)|\n|\Z))", re.IGNORECASE
)
_FRACTION = re.compile(
    r"(?P<whole>[0-9]+\s*)?\\[dt]?frac\s*\{\s*(?P<a>[0-9.,]+)\s*\}\s*\{\s*(?P<b>[0-9.,]+)\s*\}"
    r"|(?<![\w./])(?P<units>[0-9]+[ ])?(?P<c>[0-9]+)\s*/\s*(?P<d>[0-9]+)(?![\w./])"
)


def marked_number(text: str) -> int | float | None:
    r"""Return the number that a text marks as its answer; without a mark, its last number.

    Marks are, in this order, ``#### 72`` on a line of its own, ``\boxed{72}`` and "the answer is 72" or "Answer: 72";
    of several marks of one kind the last counts. A fraction that is marked has its value, 0.75 for ``3/4``.
    """
    text = plain_digits(text[-MAX_CHARS:])
    for marked in (_after_hashes, _boxed, _after_words):
        found = [number for answer in marked(text) if (number := _value(answer)) is not None]
        if found:
            return found[-1]
    return last_number(text)


def _after_hashes(text: str) -> Iterator[str]:
    for match in _HASHES.finditer(text):
        answer = match["answer"]
        numbers = [_FRACTION.search(answer)] if "/" in answer or "frac" in answer else list(find_numbers(answer))
        if len(numbers) != 1 or (number := numbers[0]) is None:
            continue
        if _BEFORE.fullmatch(answer[: number.start()]) and _UNIT.fullmatch(answer[number.end() :]):
            yield answer


def _boxed(text: str) -> Iterator[str]:
    for match in _BOX.finditer(text):
        depth = 1
        for end in range(match.end(), min(len(text), match.end() + _MAX_BOX)):
            depth += (text[end] == "{") - (text[end] == "}")
            if not depth:
                yield text[match.end() : end]
                break


def _after_words(text: str) -> Iterator[str]:
    for match in _ANSWER.finditer(text):
        yield match["answer"]


def _value(answer: str) -> int | float | None:
    """Return the number of a marked text: what it equals, or else its first number."""
    answer = answer.rpartition("=")[2]
    fraction = _FRACTION.search(answer)
    numbers = list(find_numbers(answer))
    if not numbers:
        return None
    first = read_number(numbers[0])
    if fraction is None or first is None or not fraction.start() <= first.start <= fraction.end():
        return None if first is None else first.value
    above, below = (float((fraction[i] or fraction[j]).replace(",", "")) for i, j in (("a", "c"), ("b", "d")))
    sign = -1 if answer[: fraction.start()].rstrip(" ({[").endswith("-") else 1
    whole = int(fraction["whole"] or fraction["units"] or 0)
    return sign * (whole + above / below) if below else None
