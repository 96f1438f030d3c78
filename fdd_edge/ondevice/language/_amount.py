"""Read the digits of a number, and what behind them belongs to it: powers, fractions, scales and parts."""

from __future__ import annotations

import math
import re
import unicodedata
from fractions import Fraction
from typing import NamedTuple

from ._factors import Product, has_factor, scaled
from ._scales import part_of
from ._spelled_number import WORDS

__all__ = ["GLYPHS", "Amount", "may_change_value", "read_amount"]

GLYPHS = "¼½¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
_HIGH = "[⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,4}"
_HIGH_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_MAX_POWER = 400
"""Of ten; a float ends at 308."""
_MAX_EXACT = 400
"""Digits that are computed with exactly."""

_EXPONENT = (
    rf"(?: ?(?:\^|\*\*)\s*(?:\{{\s*([+-]?[0-9]{{1,4}})\s*\}}|([+-]?[0-9]{{1,4}})(?![\w{{])(?!\.[0-9]))|({_HIGH}))"
)
_POWER = re.compile(_EXPONENT)
_TIMES_TEN = re.compile(rf"\s*[×x*·]\s*10{_EXPONENT}")
_GLYPH = re.compile(rf" ?([{GLYPHS}])")
_OVER = re.compile(r"(?:/| / )([0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?)(?![0-9]| ?/|[.,][0-9])")
_MIXED = re.compile(r"( and |[ -])([0-9]{1,3})/([0-9]{1,4})(?![0-9/]|[.,][0-9])")
_AND_PART = re.compile(
    rf" and (a|an|one|[0-9]|{'|'.join(list(WORDS)[1:9])})"
    r"[ -](half|quarters?|(?:third|fourth|fifth|sixth|eighth|tenth)s?)\b"
)
_AND_A_HALF = re.compile(r" [^\W\d]+ and (?:a|one)[ -]half\b")
# What makes the number before it something else: variables, roots, factorials, bases, unread exponents.
_SPOILS = re.compile(
    r"""\s?(?:[π√∛∞±\u0305]|pi\b|\\(?!n(?![a-z]))[a-zA-Z]|squared\b|cubed\b|factorial\b|raised\b|to\ the\ power\b)
      | \s?[xyz](?![\w-])(?!\s*[$(0-9]|\ (?:as|more)\b) | [hx](?=[0-9]) | [abeijknoqrtuvxyzHKMBGTPE](?![\w-])
      | _[0-9{] | [₀₁₂₃₄₅₆₇₈₉] | \)?\s?\^ | \.{1,3}\u0305 | !(?=\s*(?:[$})\]=^*/+0-9]|-\s?[0-9]))
      | [ ,]*\(?(?:in\ )?(?:base[ -](?:[0-9]|two|three|four|five|six|seven|eight|nine|ten|twelve|sixteen)
                       |binary\b|hexadecimal\b|octal\b)""",
    re.VERBOSE,
)


class Amount(NamedTuple):
    """A number with what belongs to it.

    Attributes:
        value: Its value without a sign; None if it cannot be told. An int if it is whole and written without a point.
        end: Where it ends.
    """

    value: int | float | None
    end: int


def read_amount(text: str, start: int, digits: str, end: int) -> Amount:
    """Return the amount whose digits, in English notation, stand at a place of a text."""
    value = float(digits)
    if not math.isfinite(value):
        return Amount(None, end)
    plain = int(digits.lstrip("0") or 0) if digits.isdigit() else value
    exact = Fraction(value) if len(digits) > _MAX_EXACT or "e" in digits.lower() else Fraction(digits)
    base, at = _raised(text, exact, end)
    total, at = (base, at) if base is None else _with_parts(text, base, at, whole=digits.isdigit() and at == end)
    product = Product(total, at) if total is None else scaled(text, start, total, at)
    if product.value is not None and _SPOILS.match(text, product.end):
        return Amount(None, product.end)
    if product.value is None or product.end == end:
        return Amount(None if product.value is None else plain, product.end)
    return Amount(_number(product.value, is_float="e" in digits.lower()), product.end)


def _number(exact: Fraction, *, is_float: bool) -> int | float | None:
    try:
        value = float(exact)
    except OverflowError:
        return None
    return int(exact) if exact.denominator == 1 and not is_float else value


def _raised(text: str, exact: Fraction, end: int) -> tuple[Fraction | None, int]:
    """Return a number with its exponent and its power of ten."""
    if match := _POWER.match(text, end):
        return _power(exact, _exponent(match)), match.end()
    if match := _TIMES_TEN.match(text, end):
        exponent = max(-_MAX_POWER, min(_MAX_POWER, _exponent(match)))
        return exact * Fraction(10) ** exponent, match.end()
    return exact, end


def _exponent(match: re.Match[str]) -> int:
    return int((match[1] or match[2] or match[3]).translate(_HIGH_DIGITS))


def _power(base: Fraction, exponent: int) -> Fraction | None:
    try:
        float(base) ** exponent
    except (OverflowError, ZeroDivisionError):
        return None
    return base**exponent if abs(exponent) <= _MAX_POWER else None


def _with_parts(text: str, exact: Fraction, end: int, *, whole: bool) -> tuple[Fraction | None, int]:
    """Return a number with its fraction: ``3/4``, ``1 1/2``, ``2½``, ``3 and a half``, ``2 thirds``."""
    if whole and (match := _GLYPH.match(text, end)):
        return exact + Fraction(unicodedata.numeric(match[1])).limit_denominator(10), match.end()
    if whole and (match := _MIXED.match(text, end)) and 0 < int(match[2]) < int(match[3]):
        # "1-1/2" may be half of one or one and a half.
        return None if match[1] == "-" else exact + Fraction(int(match[2]), int(match[3])), match.end()
    if match := _OVER.match(text, end):
        below = Fraction(match[1].replace(",", "")) if len(match[1]) < _MAX_EXACT else Fraction(0)
        return exact / below if below else None, match.end()
    if match := _AND_PART.match(text, end):
        count = WORDS.get(match[1]) or (int(match[1]) if match[1].isdigit() else 1)
        return exact + count * part_of(match[2]), match.end()
    if match := _AND_A_HALF.match(text, end):
        return exact + Fraction(1, 2), match.end()
    return exact, end


def may_change_value(unit: str) -> bool:
    """Return whether the words behind a number are, or may be, more than a unit: a scale, a part, a variable."""
    unit = unicodedata.normalize("NFC", unit)
    return has_factor(unit) or _AND_PART.match(f" {unit}") is not None or _SPOILS.match(f" {unit}") is not None
