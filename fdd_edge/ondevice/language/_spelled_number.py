"""Read a number that is written in English words, up to 999,999."""

from __future__ import annotations

import re

__all__ = ["WORDS", "number_in_words", "spells_a_number"]

WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90,
}  # fmt: skip
_ANY = "|".join(sorted(WORDS, key=len, reverse=True))
_WORD = rf"(?:{_ANY}|hundred|thousand)\b"
_SEQUENCE = re.compile(rf"\b{_WORD}(?:[ -](?:and )?{_WORD})*", re.IGNORECASE)


def number_in_words(text: str, start: int) -> tuple[int, int] | None:
    """Return the number in words that begins at a position of a text, and where it ends; None if there is none."""
    match = _SEQUENCE.match(text, start)
    if match is None:
        return None
    total = current = 0
    for word in re.findall("[a-z]+", match.group().lower()):
        if word == "hundred":
            current = max(current, 1) * 100
        elif word == "thousand":
            total, current = total + max(current, 1) * 1000, 0
        else:
            current += WORDS.get(word, 0)
    return total + current, match.end()


def spells_a_number(text: str) -> bool:
    """Return whether a text has a number in words."""
    return _SEQUENCE.search(text) is not None
