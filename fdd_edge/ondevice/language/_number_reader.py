"""Find the numbers of free-form text and read them as a person would: separators, signs, scales and parts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from ._amount import GLYPHS, read_amount
from ._number_context import WINDOW, is_name, is_negative, is_unclear, second_unit_end

__all__ = ["FoundNumber", "find_numbers"]

_EURO = r"[ ]?(?:€|[Ee]uros?\b|EUR\b|руб|₽|₺|kr\b|zł|R\$)"
_NUMBER = re.compile(
    rf"""
      (?P<european> [1-9][0-9]{{0,2}}(?:\.[0-9]{{3}}){{2,9}}(?![0-9.])
                  | [1-9][0-9]{{0,2}}(?:\.[0-9]{{3}}){{1,9}},[0-9]{{1,2}}(?![0-9])
                  | [1-9][0-9]{{0,2}}(?:\ [0-9]{{3}}){{1,9}},[0-9]{{1,2}}(?![0-9,])
                  | [0-9]+,[0-9]{{1,2}}(?={_EURO}) )
    | (?P<odd> 0[xXbBoO][0-9A-Fa-f]+(?!\w)
             | [1-9][0-9]{{0,2}}\.[0-9]{{3}}(?={_EURO})                          # 1.234 €
             | [0-9]+(?::[0-9]+)+                                            # 12:30, 3:2
             | [0-9]+\ :\ [0-9]+
             | [0-9]{{1,4}}(?P<dash>[-/])[0-9]{{1,2}}(?P=dash)[0-9]{{1,4}}(?![0-9])  # a date
             | [0-9]+(?:\.[0-9]+){{2,}}                                      # a date, a version
             | [0-9]+\.[0-9]*\([0-9]+\)                                      # 0.(3)
             | [0-9]+'[0-9]{{1,2}}(?![0-9])                                  # feet and inches
             | 0[0-9]*(?:,[0-9]{{3}})+(?![0-9])                              # 0,500
             | (?<![0-9],)[0-9]+,(?:[0-9]{{1,2}}(?![0-9,])|[0-9]{{4,}}) )    # 0,5 and 3,4: a decimal comma, or a list
    | (?P<whole> [1-9][0-9]{{0,2}}(?:,[0-9]{{3}}){{1,9}}(?![0-9])
               | [1-9][0-9]?(?:,[0-9]{{2}}){{1,9}},[0-9]{{3}}(?![0-9])       # 12,34,567 in India
               | [1-9][0-9]{{0,2}}(?:['_][0-9]{{3}}){{1,9}}(?![0-9])
               | [1-9][0-9]{{0,2}}(?:\ [0-9]{{3}}){{1,9}}(?![0-9])
               | [0-9]+ )?
      (?P<rest> (?(whole) (?:\.[0-9]+)? | (?<![\w.])\.[0-9]+ ) (?:[eE][+-]?[0-9]+(?!\w))? )
    | (?P<glyph> [{GLYPHS}] )
    """,
    re.VERBOSE,
)
# "day 1 234 pens" and "2 500 ml bottles" are two numbers each.
_NAMED = re.compile(
    r"\b(?:day|week|month|year|step|page|part|chapter|grade|level|room|no\.?|number|question|problem|line|set) ?\Z",
    re.IGNORECASE,
)
_SIZE = re.compile(r"[ -]?(?:[mkc]?g|[mc]?l|[kcm]?m|oz|lb|gram|mill?i|kilo|watt|piece|page|calorie)s?\b", re.IGNORECASE)


class FoundNumber(NamedTuple):
    """A number of a text.

    Attributes:
        value: Its value, with its sign; an int if it is whole and written without a point. None if it cannot be told.
        start: Where its digits begin.
        end: Where it ends, with its scale.
    """

    value: int | float | None
    start: int
    end: int


def find_numbers(text: str) -> Iterator[FoundNumber]:
    """Yield the numbers of a text that ``plain_text`` returned; digits in names and exponents are none."""
    at = 0
    any_before = False
    while match := _NUMBER.search(text, at):
        found = _read(match, text, any_before=any_before)
        at = match.end() if found is None else found.end
        if found is not None:
            any_before = True
            yield found


def _read(match: re.Match[str], text: str, *, any_before: bool) -> FoundNumber | None:
    start, end = match.span()
    before = text[max(0, start - WINDOW) : start]
    if is_name(before, text, start, any_before=any_before):
        return None
    if match["odd"]:
        return FoundNumber(None, start, end)
    if match["glyph"]:
        value: int | float | None = unicodedata.numeric(match["glyph"])
    else:
        digits, end = _digits(match, before)
        value, end = read_amount(text, start, digits, end)
    if pair_end := second_unit_end(text, end):
        return FoundNumber(None, start, pair_end)
    if value is None or is_unclear(before):
        return FoundNumber(None, start, end)
    return FoundNumber(-value if is_negative(before) else value, start, end)


def _digits(match: re.Match[str], before: str) -> tuple[str, int]:
    """Return the digits of a number in English notation, and where they end."""
    if match["european"]:
        return re.sub("[. ]", "", match["european"]).replace(",", "."), match.end()
    whole = match["whole"] or ""
    after = match.string[match.end() : match.end() + WINDOW]
    if " " in whole and (_NAMED.search(before) or (whole.count(" ") == 1 and _SIZE.match(after))):
        first = whole.partition(" ")[0]
        return first, match.start() + len(first)
    return re.sub("[,'_ ]", "", whole) + match["rest"], match.end()
