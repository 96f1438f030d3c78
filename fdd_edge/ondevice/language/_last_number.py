"""Find the last number of free-form text, for models that answer in words."""

from __future__ import annotations

import math
import re

from ._limits import MAX_CHARS

__all__ = ["last_number"]

# A minus is a sign unless it follows something it could be subtracted from, or is the hyphen of a word.
_NUMBER = re.compile(
    r"""
    (?P<sign> (?<![\w.)\]%]) [-\u2212] [ ]? )? [$£€]?
    (?P<whole> [0-9]{1,3}(?:,[0-9]{3})+(?![0-9]) | [0-9]+ )?
    (?P<rest> (?(whole) (?:\.[0-9]+)? | (?<![\w.])\.[0-9]+ ) (?:[eE][+-]?[0-9]+(?!\w))? )
    """,
    re.VERBOSE,
)


def last_number(text: str) -> int | float | None:
    """Return the last number of a text, or None if it has none.

    Thousands separators, a currency sign, a leading minus and a final full stop are understood; units and percent
    signs are ignored. The last number of a fraction is its denominator. A number too large for a float counts as none.
    If the text is longer than a reply may be, only its end is read.
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
