"""Find the numbers of free-form text and read them as a person would: separators, signs, scales and parts."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from ._scales import MONEY_SCALES, PARTS, SCALES

__all__ = ["FoundNumber", "find_numbers", "plain_digits", "plain_separators", "read_number"]

_CURRENCY = "$£€¥₹"
_HALVES = "¼½¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
_AND_A = {"half": Fraction(1, 2), "third": Fraction(1, 3), "quarter": Fraction(1, 4)}
_MAX_POWER = 400
"""Of ten; a float ends at 308."""


_WORDS = {word for word in SCALES if len(word) > 1 and word.isascii()}
# Scripts that have no spaces between words have no word boundary to look for either.
_SCALE = "|".join(
    rf"(?i:{word})(?!\w)" if word in _WORDS else word if word > "\u3000" else rf"{word}(?!\w)" for word in SCALES
)
_NUMBER = re.compile(
    rf"""
    (?: (?P<european> [0-9]{{1,3}}(?:\.[0-9]{{3}}){{2,9}}(?![0-9.])
                    | [0-9]{{1,3}}(?:\.[0-9]{{3}}){{1,9}},[0-9]{{1,2}}(?![0-9]) )
      | (?P<whole> [0-9]{{1,3}}(?:,[0-9]{{3}}){{1,9}}(?![0-9])
                 | [0-9]{{1,2}}(?:,[0-9]{{2}}){{1,9}},[0-9]{{3}}(?![0-9])      # 12,34,567 in India
                 | [0-9]{{1,3}}(?:'[0-9]{{3}}){{1,9}}(?![0-9])
                 | [0-9]{{1,3}}(?:\ [0-9]{{3}}){{2,9}}(?![0-9]) | [0-9]{{1,3}}\ 000(?![0-9])
                 | [0-9]+ )?
        (?P<rest> (?(whole) (?:\.[0-9]+)? | (?<![\w.])\.[0-9]+ ) (?:[eE][+-]?[0-9]+(?!\w))? )
        (?P<glyph> (?(whole)[{_HALVES}])? )
      | (?P<alone> [{_HALVES}] )
    )
    (?: \s*(?:\\times|\\cdot|[×x*])\s*10\s*(?:\^|\*\*)\s*\{{?(?P<power>[+-]?[0-9]{{1,3}})\}}?(?![0-9]) )?
    (?P<scales> (?: [ -]?(?:{_SCALE}) )+ )?
    (?: [ ]?(?P<money> [mbB] )(?!\w) )?
    (?: [ -](?P<part> {"|".join(PARTS)} )\b )?
    (?: \ and\ (?:a|one)\ (?P<and_a> half|third|quarter )\b )?
    """,
    re.VERBOSE,
)
_ONE_SCALE = re.compile(_SCALE)
_BY_NAME = {name.lower() if name in _WORDS else name: factor for name, factor in SCALES.items()}

# What may stand between the beginning of a number and its sign.
_DASH = re.compile(rf"(?P<lead>[^\n]*?)(?P<dash>-|\b(?:minus|negative)(?=[ ]))(?P<gap>[ \t]*)(?:\\?[{_CURRENCY}])?\Z")
_WINDOW = 60
"""Characters before a number in which its sign, and what the sign follows, are looked for."""
_SUBTRACTED_FROM = re.compile(r"(?:[\w.)\]}%'\"-]|(?<![\"']):)\Z")  # "Ans:-15", but not the JSON of {"answer":-15}
_TAKES_A_SIGN = re.compile(r"(?:[=(\[{≈$+/]|\b(?:is|are|was|equals))\Z")

_LATEX_SEPARATOR = re.compile(r"(?<=[0-9])(?:\{,\}|\\[,;: ]|\\thinspace[ ]?)(?=[0-9]{3}(?![0-9]))")
_SPACE_SEPARATOR = re.compile("(?<=[0-9])[\u00a0\u2007\u2008\u2009\u200a\u202f](?=[0-9]{3}(?![0-9]))")
_SIGNS = str.maketrans({"\u2212": "-", "\ufe63": "-", "\uff0d": "-", "\u2019": "'", "\u02bc": "'", "\u00a0": " ",
                        "\u202f": " ", "\u2009": " ", "\u066c": ",", "\uff0c": ",", "\u066b": "."})  # fmt: skip


class FoundNumber(NamedTuple):
    """A number of a text.

    Attributes:
        value: Its value, with its sign; an int if it is whole and written without a point.
        start: Where its digits begin.
        end: Where it ends, with its scale.
    """

    value: int | float
    start: int
    end: int


def plain_separators(text: str) -> str:
    r"""Return a text in which the separators of thousands of LaTeX (``1{,}000``) and typography are commas."""
    text = _LATEX_SEPARATOR.sub(",", text.replace("\\!", ""))
    return text if text.isascii() else _SPACE_SEPARATOR.sub(",", text)


def plain_digits(text: str) -> str:
    """Return a text whose digits, signs and separators are those of English, whatever its script."""
    if not text.isascii():
        text = text.translate({ord(c): str(unicodedata.decimal(c)) for c in set(text) if c.isdecimal()})
    text = plain_separators(text)
    return text if text.isascii() else text.translate(_SIGNS)


def find_numbers(text: str) -> Iterator[re.Match[str]]:
    """Yield the numbers of a text that ``plain_digits`` returned; ``read_number`` reads one."""
    return _NUMBER.finditer(text)


def read_number(match: re.Match[str]) -> FoundNumber | None:
    """Return a number that was found, or None if it is too large for a float."""
    value = _magnitude(match)
    if value is None:
        return None
    return FoundNumber(-value if _is_negative(match) else value, match.start(), match.end())


def _magnitude(match: re.Match[str]) -> int | float | None:
    if match["alone"]:
        return unicodedata.numeric(match["alone"])
    digits = _digits(match)
    value = float(digits)
    if not math.isfinite(value):
        return None
    factor = _factor(match)
    added = Fraction(unicodedata.numeric(match["glyph"])).limit_denominator(10) if match["glyph"] else Fraction(0)
    added += _AND_A.get(match["and_a"] or "", 0)
    if factor == 1 and not added:
        return int(digits) if digits.isdigit() else value
    # Not exact with an exponent, whose power of ten could be of any size.
    has_exponent = "e" in digits.lower()
    exact = ((Fraction(value) if has_exponent else Fraction(digits)) + added) * factor
    try:
        scaled = float(exact)
    except OverflowError:
        return None
    return int(exact) if exact.denominator == 1 and not has_exponent else scaled


def _digits(match: re.Match[str]) -> str:
    if match["european"]:
        return str(match["european"]).replace(".", "").replace(",", ".")
    return re.sub("[,' ]", "", match["whole"] or "") + match["rest"]


def _factor(match: re.Match[str]) -> Fraction:
    """Return what the words behind a number multiply it by."""
    factor = Fraction(1)
    for word in _ONE_SCALE.findall(match["scales"] or ""):
        factor *= _BY_NAME.get(word, _BY_NAME.get(word.lower(), 1))
    if match["money"] and match.string[: match.start()].endswith(tuple(_CURRENCY)):
        factor *= MONEY_SCALES[match["money"]]
    if match["part"]:
        factor *= PARTS[match["part"]]
    if match["power"]:
        factor *= Fraction(10) ** max(-_MAX_POWER, min(_MAX_POWER, int(match["power"])))
    return factor


def _is_negative(match: re.Match[str]) -> bool:
    """Return whether a number has a sign: a dash that lists, separates or subtracts is none."""
    before = match.string[max(0, match.start() - _WINDOW) : match.start()].rpartition("\n")[2]
    found = _DASH.fullmatch(before)
    if found is None:
        return False
    if found["dash"] == "negative":
        return True
    lead = found["lead"].rstrip(" \t")
    if found["gap"]:
        # "x = - 8", but not the dash of "- 15 pens" and "Pens - 15".
        return bool(_TAKES_A_SIGN.search(lead))
    if lead == found["lead"]:
        return not _SUBTRACTED_FROM.search(lead)
    return not re.search(r"[0-9)\]}%]\Z", lead)
