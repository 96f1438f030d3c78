"""Find the last number of free-form text, for models that answer in words."""

from __future__ import annotations

from ._limits import MAX_CHARS
from ._number_reader import find_numbers, plain_digits, read_number

__all__ = ["last_number"]


def last_number(text: str) -> int | float | None:
    """Return the last number of a text, or None if it has none.

    Thousands separators, also those of LaTeX and of other scripts, a currency sign, a leading minus and a final full
    stop are understood, and so are scales such as "5 k" or "2 lakh"; units and percent signs are ignored. A dash that
    lists, separates or subtracts is not a minus. The last number of a fraction is its denominator. A number too large
    for a float counts as none. If the text is longer than a reply may be, only its end is read.
    """
    last = None
    for match in find_numbers(plain_digits(text[-MAX_CHARS:])):
        last = match
    found = None if last is None else read_number(last)
    return None if found is None else found.value
