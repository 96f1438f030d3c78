"""The last number of a free text, for models that answer in words."""

from __future__ import annotations

import math
import re

from ._limits import MAX_CHARS

__all__ = ["last_number"]

# A sign belongs to the number unless something it could be subtracted from, or a hyphenated word, stands before it.
_NUMBER = re.compile(
    r"""
    (?P<sign> (?<![\w.)\]%]) [-\u2212] [ ]? )? [$£€]?
    (?P<whole> [0-9]{1,3}(?:,[0-9]{3})+(?![0-9]) | [0-9]+ )?
    (?P<rest> (?(whole) (?:\.[0-9]+)? | (?<![\w.])\.[0-9]+ ) (?:[eE][+-]?[0-9]+(?!\w))? )
    """,
    re.VERBOSE,
)


def last_number(text: str) -> int | float | None:
    """Return the last number of a text, None if it has none.

    Thousands commas, a currency sign, a leading minus and a closing full stop are understood; units and per cent
    signs are passed over. A fraction ends in its denominator. Numbers too large for a float are not numbers here.
    Of a text longer than a reply may be, only the end is read.
    """
    found = None
    for match in _NUMBER.finditer(text[-MAX_CHARS:]):
        found = match
    if found is None:
        return None
    digits = (found["whole"] or "").replace(",", "") + found["rest"]
    sign = -1 if found["sign"] else 1
    value = float(digits)
    if not math.isfinite(value):
        return None
    return sign * (int(digits) if digits.isdigit() else value)
