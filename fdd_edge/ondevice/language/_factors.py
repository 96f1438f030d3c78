"""Multiply a number by the scales and parts behind it: "5 million 200 thousand", "2 lakh", "$5m", "3 fifths"."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from ._scales import ANY_SCALE, PART, SCALE, UNCLEAR, factor_of, part_of
from ._spelled_number import number_in_words

__all__ = ["CURRENCY", "Product", "has_factor", "scaled"]

CURRENCY = "$£€¥₹₽₩฿₦"
_MAX_SCALES = 6
_SCALE = re.compile(rf"[ -]?({SCALE})")
_PART = re.compile(rf"[ -]({PART})")
_GRAND = re.compile(r"[ -]?grand\b")
_MORE_DIGITS = re.compile(
    r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})(?:\.[0-9]{1,15})?(?![A-Za-z0-9_/:%^])(?![.,][0-9])"
)
_FOREIGN_AND = re.compile(r" (?:y|und|et|e|и|na|och) [0-9]")
_MONEY_BEFORE = re.compile(rf"(?:[{CURRENCY}]|\b(?:Rs\.?|USD|EUR|GBP|INR))[ ]?\Z")
_RUPEES_BEFORE = re.compile(r"(?:₹|\b(?:Rs\.?|INR))[ ]?\Z")
_MONEY_BEHIND = re.compile(rf" ?(?:[{CURRENCY}]|(?:USD|EUR|GBP|dollars?|euros?|pounds?)\b)")
_MONEY = {"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12, "l": 10**5, "cr": 10**7}
_LETTER = re.compile(r"[ -]?(?:([kmbt])|(l|cr))(?!\w)", re.IGNORECASE)
_SCALE_LETTER = re.compile(r" [kKmMbBtT](?![\w/²³'’-])")
_ATTACHED = re.compile(r"[KMB](?![\w²³'’-])")
_MEASURED = re.compile(r"\s*\(?(?:kelvins?|long|tall|wide|high|deep|away|apart|thick|of)\b", re.IGNORECASE)
_MEASURE_BEFORE = re.compile(r"(?:\bsize|temperature\b.*|kelvins?\b.*)[ ]?\Z", re.IGNORECASE)
_WINDOW = 60
"""Characters before a number that may say what it measures."""


class Product(NamedTuple):
    """A number with its factors: its value, None if it cannot be told, and where it ends."""

    value: Fraction | None
    end: int


def has_factor(unit: str) -> bool:
    """Return whether the words behind a number are, or may be, a scale or a part: "5 m" may be metres or millions."""
    patterns = (_SCALE, _PART, _GRAND, _SCALE_LETTER, UNCLEAR)
    return any(pattern.match(f" {unit}") for pattern in patterns) or ANY_SCALE.search(unit) is not None


def scaled(text: str, start: int, number: Fraction, end: int) -> Product:
    """Return a number whose digits stand at a place of a text, with the scales and parts that follow them."""
    before = text[max(0, start - _WINDOW) : start]
    factor, stop, word = _scales(text, end)
    if word:
        result = _sum(text, number * factor, factor, stop, word)
    elif letter := _letter(text, before, end):
        result = Product(number * letter[0] if letter[0] else None, letter[1])
    elif (part := _PART.match(text, end)) and (part[1].endswith("s") or number == 1):
        result = Product(number * part_of(part[1]), part.end())
    elif grand := _GRAND.match(text, end):
        is_money = _MONEY_BEFORE.search(before) or not re.match(r" [^\W\d]", text[grand.end() :][:2])
        result = Product(number * 1000 if is_money else None, grand.end())
    else:
        result = Product(number, end)
    unclear = UNCLEAR.match(text, result.end)
    return Product(None, unclear.end()) if unclear else result


def _scales(text: str, end: int) -> tuple[int, int, str]:
    """Return the product of the scales at a place, where they end, and the last of them."""
    factor, word = 1, ""
    for _ in range(_MAX_SCALES):
        match = _SCALE.match(text, end)
        if match is None:
            break
        factor, end, word = factor * factor_of(match[1]), match.end(), match[1]
    return factor, end, word


def _letter(text: str, before: str, end: int) -> tuple[int, int] | None:
    """Return the factor of a letter, 0 if it is not certain, and its end: "$5m" are millions, "5 m" are metres."""
    letter = _LETTER.match(text, end)
    if letter and (
        _MONEY_BEFORE.search(before) or _MONEY_BEHIND.match(text, letter.end())
        if letter[1]
        else _RUPEES_BEFORE.search(before)
    ):
        return _MONEY[(letter[1] or letter[2]).lower()], letter.end()
    attached = _ATTACHED.match(text, end)
    if attached is None:
        return None
    measures = _MEASURED.match(text, end + 1) or _MEASURE_BEFORE.search(before)
    return 0 if measures else _MONEY[attached[0].lower()], end + 1


def _sum(text: str, total: Fraction, least: int, end: int, word: str) -> Product:
    """Add what continues a scaled number, as in "5 million 200 thousand", "5 thousand and 20" and "2 hundred fifty"."""
    value: Fraction | None = total
    while value is not None and least > 1 and not (len(word) == 1 and word.isascii()):
        if _FOREIGN_AND.match(text, end):
            return Product(None, end)
        addend = _addend(text, end, least)
        if addend is None:
            break
        more, least, end, word = addend
        value = None if more is None else value + more
    return Product(value, end)


def _addend(text: str, end: int, least: int) -> tuple[Fraction | None, int, int, str] | None:
    """Return what is added at a place, its own scale, its end, and the word of its scale; None if nothing is."""
    gap = " and " if text.startswith(" and ", end) else " " if text.startswith(" ", end) else ""
    if digits := _MORE_DIGITS.match(text, end + len(gap)):
        factor, stop, word = _scales(text, digits.end())
        value = Fraction(digits[0].replace(",", "")) * factor
        if factor == 1 and not gap and len(digits[0]) == 1:
            return None, 1, stop, ""  # 3万5 is 35,000 when spoken
        separate = factor == 1 and ("." in digits[0] or (gap == " " and len(digits[0]) < (3 if least >= 1000 else 2)))
        return (value, factor, stop, word) if value < least and not separate else None
    words = number_in_words(text, end + len(gap)) if gap else None
    if words is None or words[0] >= least or text.startswith("-", words[1]):
        return None
    is_article = words[0] == 1 and re.match(r" [^\W\d]", text[words[1] : words[1] + 2])
    return None if is_article else Fraction(words[0]), 1, words[1], ""
