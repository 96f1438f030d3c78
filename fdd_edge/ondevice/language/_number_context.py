"""What stands around a number: its sign, and what makes it the digit of a name or a value that cannot be told."""

from __future__ import annotations

import re

from ._factors import CURRENCY

__all__ = ["WINDOW", "is_name", "is_negative", "is_unclear", "second_unit_end"]

WINDOW = 60
"""Characters before a number in which its sign, and what the sign follows, are looked for."""
_DASH = re.compile(rf"(?P<lead>[^\n]*?)(?P<dash>-|\b(?:minus|negative)(?=[ ]))(?P<gap>[ \t]*)(?:\\?[{CURRENCY}])?\Z")
_SUBTRACTED_FROM = re.compile(r"(?:[\w.)\]}%'\"-]|(?<![\"']):)\Z")  # "Ans:-15", but not the JSON of {"answer":-15}
_TAKES_A_SIGN = re.compile(r"(?:[=(\[{≈$+/]|\b(?:is|are|was|equals))\Z")

# A digit in a name, an exponent, an index: x2, H2O, m^2, x_1.
_NAME = re.compile(r"(?:[A-Za-zÀ-ɏͰ-ϿЀ-ӿ]|[_^]\{?-?|[A-Za-z)]\*\*-?)\Z")
_NO_NAME = re.compile(r"(?<![^\W\d_])(?:Rs|INR|USD|EUR|GBP|US|is|are|was|equals|answer|total|x)\Z", re.IGNORECASE)
_FOOTNOTE = re.compile(r"(?:[^\W\d_][.,;]? ?(?<!is )(?<!are )(?<!was )(?<!to )(?<!of )|[0-9.,;)\]])\[\Z")
_FOOTNOTE_END = re.compile(r"[0-9]{1,3}\]")
_PREFIXES = re.compile(
    r"""(?:[√\u0305]\(?|[)}π]/\(?|(?<![A-Za-z0-9_])[A-Za-z]/|±|\+/-\ ?|\}\{|\b(?:sqrt|log|ln|exp|sin|cos|tan)\(?\ ?
      | \b(?:base|twice|double|triple|(?:square|cube)\ root\ of|(?:square|cube|half|quarter|third)s?\ of|half)\ \$?
      | (?<![0-9]\ )\b(?:hundred|thousand|million)\ (?:and\ )? | [0-9]·
      | \b(?:elfu|maelfu|laki|malaki|mia|milioni|bilioni)\ (?:[0-9.,]+\ na\ )?
      | (?:साढ़े|सवा|पौने|সাড়ে|সোয়া|পৌনে)\ )\Z""",
    re.VERBOSE | re.IGNORECASE,
)
_SMALLER = {
    "hours?|hrs?|h": "minutes?|mins?|min|m", "minutes?|mins?": "seconds?|secs?|s", "feet|foot|ft": "inch(?:es)?|in",
    "yards?": "feet|foot", "dollars?": "cents?", "pounds?|lbs?": "ounces?|oz", "years?": "months?", "weeks?": "days?",
    "days?": "hours?", "euros?": "cents?", "meters?|metres?": "centimet(?:er|re)s?|cm", "kg|kilograms?": "grams?|g",
    "km|kilomet(?:er|re)s?": "m|met(?:er|re)s?", "tens": "ones?",
}  # fmt: skip
_PAIRS = "|".join(rf"(?:{unit}),?(?: and)? ?[0-9.]+ ?(?:{smaller})" for unit, smaller in _SMALLER.items())
_TWO_UNITS = re.compile(rf"-?(?: and [0-9.]+ cents?| ?(?:{_PAIRS}))\b", re.IGNORECASE)


def second_unit_end(text: str, end: int) -> int | None:
    """Return where the second unit of "5 hours 30 minutes" ends; None if a number has only one."""
    match = _TWO_UNITS.match(text, end)
    return match.end() if match else None


def is_name(before: str, text: str, start: int, *, any_before: bool) -> bool:
    """Return whether digits are part of a name, an exponent, an index or, after other numbers, a footnote."""
    if _NAME.search(before):
        return not _NO_NAME.search(before)
    return any_before and _FOOTNOTE.search(before) is not None and _FOOTNOTE_END.match(text, start) is not None


def is_unclear(before: str) -> bool:
    """Return whether what precedes a number makes another value of it, which is not computed."""
    return _PREFIXES.search(before) is not None


def is_negative(before: str) -> bool:
    """Return whether a number has a sign: a dash that lists, separates or subtracts is none."""
    found = _DASH.fullmatch(before.rpartition("\n")[2])
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
