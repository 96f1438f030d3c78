"""Finds the numbers in a problem's text, decides which may change, and draws others in the same style."""

from __future__ import annotations

import re
from random import Random
from typing import Literal, NamedTuple

from fdd_edge.number_words import NUMBER_WORD, NUMBER_WORDS

__all__ = ["TextNumber", "draw_like", "find_numbers", "with_article"]

Form = Literal["digits", "word", "fixed", "odd"]

_NUMBER = re.compile(r"(?<![\w.,])(?:\d{1,3}(?:,\d{3})+|\d+)?(?:(?<=\d)|(?=\.\d))(?:\.\d+)?(?![\d])")
_SMALL_WORDS = {value: word for word, value in NUMBER_WORDS.items() if value <= 12}
# Facts whose numbers must not change: "a dog has 4 legs".
_FACTS = re.compile(
    r"^[- ]?(?:\w+ )?(?:legs?|wheels?|wheeled|sides?|sided|paws?|eyes?|tires?|wings?|fingers?|toes?|arms?|"
    r"hooves|quarters)\b"
)
# Conversions between units: "a day has 24 hours".
_UNITS: dict[float, str] = {
    3: "feet", 7: "days", 12: "months|inches", 16: "ounces", 24: "hours", 28: "days", 30: "days", 31: "days",
    52: "weeks", 60: "minutes|seconds", 100: "cent", 365: "days", 1000: "grams|meters|milli", 2000: "pounds",
}  # fmt: skip
_FRACTION_AFTER = re.compile(
    r"^(?:/\d|[- ](?:half|halves|thirds?|fourths?|quarters?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?)\b)"
)
_SCALE_AFTER = re.compile(rf"^[- ](?:{NUMBER_WORD.pattern}|and a half|\d+/\d+|million|billion|dozens?)\b")
_ODD_AFTER = re.compile(
    r"^(?::\d|st\b|nd\b|rd\b|th\b| ?[ap]\.?m\b| o'?clock|(?!kg|km|cm|mm|ml|lb|oz|mph|g\b|m\b|l\b|x\b)[A-Za-z])",
    re.IGNORECASE,
)
_ODD_BEFORE = re.compile(
    r"(?:\d:|(?:^|\s)[-−#]|\b(?:year|in|since|until|grade|chapter|level|age group|room|page|number) )$", re.I
)
_LIMITS = {"hour": 24, "minute": 60, "second": 60, "day": 7, "month": 12}


class TextNumber(NamedTuple):
    """A number in a text.

    Attributes:
        start: Position of its first character.
        end: Position after its last character.
        value: Its value.
        form: How it is written. ``fixed`` numbers do not change (fractions, facts such as 4 wheels); ``odd`` ones are
            not plain quantities (ordinals, times, years).
        percent: Whether a percent sign or word follows.
        most: The largest value that makes sense in its place.
    """

    start: int
    end: int
    value: float
    form: Form
    percent: bool
    most: float


def find_numbers(text: str) -> list[TextNumber]:
    """Return the numbers of a text in order, in digits and in words."""
    marks = [mark for pattern in (_NUMBER, NUMBER_WORD) for mark in pattern.finditer(text) if mark.group()]
    return [_describe(text, mark) for mark in sorted(marks, key=lambda mark: mark.start())]


def _describe(text: str, mark: re.Match[str]) -> TextNumber:
    before, after = text[: mark.start()], text[mark.end() :]
    is_word = mark.re is NUMBER_WORD
    value = float(NUMBER_WORDS[mark.group().lower()] if is_word else mark.group().replace(",", ""))
    percent = re.match(r"\s?(?:%|percent\b)", after) is not None
    return TextNumber(
        mark.start(), mark.end(), value, _form(before, after, value, is_word), percent, _most(after, value, percent)
    )


def _form(before: str, after: str, value: float, is_word: bool) -> Form:
    if _FRACTION_AFTER.match(after) or re.search(r"\d/$", before):
        return "fixed"
    if _ODD_AFTER.match(after) or (_ODD_BEFORE.search(before) and _looks_like_a_label(before, after, value)):
        return "odd"
    if _FACTS.match(after) or re.match(rf"[- ](?:{_UNITS.get(value, '$^')})", after):
        return "fixed"
    if _SCALE_AFTER.match(after) or re.search(rf"{NUMBER_WORD.pattern}[- ]$", before, re.IGNORECASE):
        return "odd"
    if value <= 1 and value.is_integer():
        return "fixed"
    if is_word:
        return "word" if value in _SMALL_WORDS else "fixed"
    return "digits"


def _looks_like_a_label(before: str, after: str, value: float) -> bool:
    """Return whether a number is a label, as in "in 1998" or "page 12", and not a count, as in "in 12 days"."""
    if re.search(r"[:/#−-]$", before):
        return True
    counts = re.match(r"\s+[a-z]", after) is not None
    return not counts or 1800 <= value <= 2100


def _most(after: str, value: float, percent: bool) -> float:
    if percent:
        return 95 if value < 100 else value
    unit = re.match(r"[- ](?:more |other |extra |school |work )?([a-z]+?)s?\b", after)
    limit = _LIMITS.get(unit.group(1)) if unit else None
    return limit if limit is not None and value <= limit else 4 * value


def draw_like(number: TextNumber, text: str, rng: Random) -> str:
    """Return a different number, from half to about twice the old one, equally round and with as many decimals."""
    written = text[number.start : number.end]
    if number.form == "word":
        low, high = max(2, round(number.value / 2)), min(12, round(number.value * 2), int(number.most))
        word = _SMALL_WORDS[rng.randint(low, max(low, high))]
        return word.capitalize() if written[0].isupper() else word
    decimals = len(written.partition(".")[2])
    units = round(number.value * 10**decimals)
    step = _roundness(units)
    low = max(units // (2 * step), 2 if step * decimals <= 1 else 1)
    high = max(low, min(round(1.9 * units / step), int(number.most * 10**decimals) // step))
    fresh = rng.randint(low, high) * step
    if decimals == 1 and fresh % 10 == 0 and units % 10:
        fresh += rng.randint(1, 9)  # 2.5 does not become 3.0
    comma = "," if "," in written else ""
    return f"{fresh / 10**decimals:{comma}.{decimals}f}"


def with_article(before: str, written: str) -> str:
    """Adapt an article at the end of a text to the number that follows: "a 5-hour day", "an 8-hour day"."""
    has_vowel = re.match(r"8|1[18](?!\d)|eight|eleven", written, re.IGNORECASE) is not None
    return re.sub(r"\b([Aa])n? $", r"\1n " if has_vowel else r"\1 ", before)


def _roundness(units: int) -> int:
    """Return the step size that keeps a number as round as it is: 5 for 35, 10 for 60, 100 for 1,200."""
    for step in (1_000_000, 100_000, 10_000, 1_000, 100, 50, 25, 10, 5):
        if units % step == 0 and units >= 3 * step:
            return step
    return 1
