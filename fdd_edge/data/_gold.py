"""Turns the answer of a data set into a number, if it is one."""

from __future__ import annotations

import math
import re

__all__ = ["parse_gold"]

# A longer text is not an answer, and int() refuses thousands of digits.
_MAX_LENGTH = 400

_GOLD = re.compile(
    r"""
    (?P<number> [-+]? (?: [0-9]{1,3} (?: ,[0-9]{3} )+ (?: \.[0-9]* )?   # 1,200.50
                        | (?: [0-9]+ (?: \.[0-9]* )? | \.[0-9]+ ) (?: [eE][-+]?[0-9]+ )? ) )
    (?: \s* % )?
    (?: \s* \( [^()\d;]* \)                                             # 9 (apples)
      | \s+ (?P<unit> [^\W\d] [^\d:;=]* ) )?                            # 9 apples
    """,
    re.VERBOSE,
)

# With one of these words the number before it is not the whole answer: "5 million", "2 and a half".
_MORE_THAN_A_UNIT = re.compile(r"\b(and|or|to|half|dozen|hundred|thousand|million|billion|trillion)\b", re.IGNORECASE)


def parse_gold(answer: object) -> int | float | None:
    """Return the number that an answer consists of, or None.

    ``$``, thousands separators, ``%`` and a unit after the number are removed. Nothing else is accepted: ratios,
    fractions, dates, ordinals, several numbers, words, NaN and infinities are not numeric.

    Args:
        answer: A number, or text such as ``9 (apples)``, ``12 apples`` or ``$1,200.50``.

    Returns:
        An int if the number is whole, otherwise a float; None if the answer is not numeric.
    """
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        return _as_number(answer)
    if not isinstance(answer, str) or len(answer) > _MAX_LENGTH:
        return None
    match = _GOLD.fullmatch(answer.replace("$", "").strip())
    if match is None or _MORE_THAN_A_UNIT.search(match["unit"] or ""):
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
