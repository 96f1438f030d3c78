"""Turns the answer of a data set into a number, if it is one."""

from __future__ import annotations

import math
import re

from fdd_edge.ondevice.language import may_change_value, plain_separators

__all__ = ["parse_gold"]

# A longer text is not an answer, and int() refuses thousands of digits.
_MAX_LENGTH = 400

_GOLD = re.compile(
    r"""
    (?P<number> [-+]? (?: [1-9][0-9]{0,2} (?: ,[0-9]{3} )+ (?: \.[0-9]* )?   # 1,200.50
                        | (?: [0-9]+ (?: \.[0-9]* )? | \.[0-9]+ ) (?: [eE][-+]?[0-9]+ )? ) )
    (?: \s* % )?
    (?: \s* \( (?P<bracket> [^()\d;]* ) \)                   # 9 (apples)
      | \s+ (?P<unit> [^\W\d] [^\d:;=]* ) )?                            # 9 apples
    """,
    re.VERBOSE,
)

# With one of these words the number before it is not the whole answer: "2 and a half", "5 (million)".
_MORE_THAN_A_UNIT = re.compile(r"\b(?:and|or|to|half)\b|\A(?:sin|cos|tan|log|ln|exp)\s+\S{1,2}\Z", re.IGNORECASE)
_SCALE_IN_BRACKETS = re.compile(
    r"\W*(?:dozens?|hundreds?|thousands?|k|(?:m|b|tr)illions?|lakhs?|lacs?|crores?)\b", re.IGNORECASE
)


def parse_gold(answer: object) -> int | float | None:
    """Return the number that an answer consists of, or None.

    ``$``, thousands separators (also LaTeX's, and thin spaces), ``%`` and a unit after the number are removed. Nothing
    else is accepted: ratios, fractions, dates, ordinals, several numbers, words, NaN and infinities are not numeric,
    and neither is a number with a scale or a part behind it ("5 k", "2 lakh", "2 thirds", and "5 m", which may be
    metres or millions).

    Args:
        answer: A number, or text such as ``9 (apples)``, ``12 apples`` or ``$1,200.50``.

    Returns:
        An int if the number is whole, otherwise a float; None if the answer is not numeric.
    """
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        return _as_number(answer)
    if not isinstance(answer, str) or len(answer) > _MAX_LENGTH:
        return None
    match = _GOLD.fullmatch(plain_separators(answer.replace("$", "").strip()))
    if match is None or _SCALE_IN_BRACKETS.match(match["bracket"] or ""):
        return None
    if (unit := match["unit"]) and (may_change_value(unit) or _MORE_THAN_A_UNIT.search(unit)):
        return None
    digits = match["number"].replace(",", "")
    # int() if possible: a float would round a long whole number.
    return _as_number(int(digits) if digits.lstrip("+-").isdigit() else float(digits))


def _as_number(value: int | float) -> int | float | None:
    try:
        finite = math.isfinite(float(value))
    except OverflowError:
        return None
    if not finite:
        return None
    return int(value) if value == int(value) else value
