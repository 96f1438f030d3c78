"""From the answer a data set gives to a number, or to nothing where it is none."""

from __future__ import annotations

import math
import re

__all__ = ["parse_gold"]

# Longer texts are no answers, and int() refuses thousands of digits.
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

# After these the number before is not the whole answer: "5 million", "2 and a half".
_MORE_THAN_A_UNIT = re.compile(r"\b(and|or|to|half|dozen|hundred|thousand|million|billion|trillion)\b", re.IGNORECASE)


def parse_gold(answer: object) -> int | float | None:
    """Return the one number an answer states, or None.

    ``$``, thousands commas, ``%`` and a unit after the number are stripped; there is no other leniency: ratios,
    fractions, dates, ordinals, several numbers, words, NaN and infinities are not numeric.

    Args:
        answer: A number, or a text such as ``9 (apples)``, ``12 apples`` or ``$1,200.50``.

    Returns:
        An int where the number is whole, else a float; None where the answer is not numeric.
    """
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        return _as_number(answer)
    if not isinstance(answer, str) or len(answer) > _MAX_LENGTH:
        return None
    match = _GOLD.fullmatch(answer.replace("$", "").strip())
    if match is None or _MORE_THAN_A_UNIT.search(match["unit"] or ""):
        return None
    digits = match["number"].replace(",", "")
    # int() where it can be: a float would round a long whole number.
    return _as_number(int(digits) if digits.lstrip("+-").isdigit() else float(digits))


def _as_number(value: int | float) -> int | float | None:
    try:
        finite = math.isfinite(float(value))
    except OverflowError:
        return None
    if not finite:
        return None
    return int(value) if value == int(value) else value
