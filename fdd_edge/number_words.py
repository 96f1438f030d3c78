"""Number words in problems, and their values."""

from __future__ import annotations

import re
from itertools import pairwise

__all__ = ["NUMBER_WORD", "NUMBER_WORDS", "numbers_in_words"]

NUMBER_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1000,
}  # fmt: skip
NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(NUMBER_WORDS)})\b", re.IGNORECASE)


def numbers_in_words(text: str) -> list[float]:
    """Return the values of the number words of a text, in order; "twenty-five" gives 20, 5 and 25."""
    words = list(NUMBER_WORD.finditer(text))
    values = [NUMBER_WORDS[word.group().lower()] for word in words]
    tens = [
        first + second
        for (one, first), (other, second) in pairwise(zip(words, values, strict=True))
        if first in range(20, 100, 10) and second < 10 and not text[one.end() : other.start()].strip(" -")
    ]
    return [float(value) for value in values + tens]
