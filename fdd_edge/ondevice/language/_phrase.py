"""Read the number that a phrase gives as its answer: "12 apples", "3 x 4 = 12", "in 3 days she earns $12"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ._amount import may_change_value
from ._number_reader import FoundNumber, find_numbers
from ._spelled_number import number_in_words, spells_a_number

__all__ = ["Reading", "gives_at_once", "has_conclusion", "read_phrase"]

_ASIDE = re.compile(r"(?<=[\w.%°*$}]) *\((?=[^()]*(?:=|[^\W\d_]{2}))[^()]*\)")
_SPACED_ASIDE = re.compile(r"(?<=[\w.%°*$}]) +\([^()]*\)")
_REASON = re.compile(
    r"[,;]?\s+(?:since|because|considering|given that|due to|assuming)\b"
    r"|[,;]\s+(?:as|for|where|with|of which|and (?:he|she|they|it)|if)\b|\s+as (?:he|she|they|it|there|we)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"(?:\bnot|n't|\brather than|\binstead of)(?: \w+)? [$£€]?-?[0-9][0-9,]*(?:\.[0-9]+)?", re.IGNORECASE
)
# What may stand between a mark and its number.
_LEAD = re.compile(
    r"""(?:[\s*_`"'{$£€¥₹~≈⇒→:>|=+–—-] | \\[A-Za-z]+\{ | \((?![^()]*[,;]) | \[(?![^\[\]]*[,;])
      | \(?[A-F][).]\s*(?=[$0-9-])
      | \b(?:about|approx(?:imately|\.)?|around|roughly|exactly|nearly|almost|simply|just|only|therefore|thus|then|now
          |also|equal\ to|equals|the\ number|a\ total\ of|option|US|Rs\.?|USD|EUR|INR|GBP|No\.?|minus|negative|be|is
          |that)(?!\w)
      | \b(?:[A-Za-z]\w{0,20}\ ){0,3}[A-Za-z]\w{0,20}\ ?=(?!=))*""",
    re.VERBOSE | re.IGNORECASE,
)
_OPERATOR = re.compile(
    r"""\s?(?:[+*×÷/^·±<>≤≥–-]\s?[$\d(.√]|[xX]\s?[$\d(.]|\() | \ ?[-–+*×÷]\ ?[$\d(]
      | (?:\ ?%|\ percent)?(?:\ (?!and\b|or\b)[^\W\d]+)?
        \ (?:times|plus|minus|divided\ by|multiplied\ by|less\ than|more\ than|fewer\ than|mod|[-–+*/×÷x])\ [$£€]?[\d(]
      | \ ?(?:%|percent)\ of\ (?:the\ )?[$£€]?\d""",
    re.VERBOSE,
)
_JOINED = re.compile(
    r"(?: (?!(?:in|for|per|after|of|from|with|on|at|each|every|when|if|by|over|than|before|so|but|which|that|is|are|was"
    r"|has|who|and|or|to|during|within|because|out|a|an)\b)[^\W\d][\w'-]*){0,3}\s*(?:,|;|and|or|to|&|,\s*(?:and|or))?\s*[$£€-]*",
    re.IGNORECASE,
)
_CONCLUSION = re.compile(
    r"\b(?:so|thus|therefore|hence|then|making|leaving|giving|totall?ing|which (?:is|equals|means|makes|gives|leaves)"
    r"|that (?:is|makes|gives)|equals|i\.e\.|but|rather|for a total of|in total|in all|altogether|a total of)\b|⇒|=|≈",
    re.IGNORECASE,
)
_TOTALS = re.compile(r"\b(?:in total|in all|altogether)\b", re.IGNORECASE)
_BESIDES = re.compile(
    r"(?:\b(?:in|for|after|before|per|every|each|within|during|on|than|with|by|from|all|these|those|the|other|first|last"
    r"|next|at|step|day|out of)|[0-9%] of)\s+[$£€]?\Z",
    re.IGNORECASE,
)
_EQUALS = re.compile("[=≈⇒→]+")
_SECOND_VARIABLE = re.compile(r"[0-9].*(?:[,;]|\b(?:and|or))\s*[A-Za-z]\s*\Z", re.DOTALL)
_WORDS = re.compile(r"(?!(?:sin|cos|tan|log|ln|exp|mod|max|min|gcd|lcm|sqrt)\b)\b[^\W\d_]{2}")
# Behind a number in a formula: a single letter that is not a unit, or anything that is computed.
_UNIT_POWER = re.compile(r"(?<=[A-Za-z]) ?(?:\^ ?\{? ?-?[0-9] ?\}?|[²³])")
_NO_UNIT = re.compile(r"\s*!|\s*(?![gmLlhsNJWVACF]\b)[A-Za-zα-ω](?!\w)|.*[\\^_√π<>≤≥±|\d]", re.DOTALL)

_COMMAND = re.compile(r"\\(?!f?box)[A-Za-z]")


class Reading(NamedTuple):
    """What a phrase gives as its number: None if it gives several, or one whose value cannot be told."""

    value: int | float | None


_UNCLEAR = Reading(None)


def read_phrase(phrase: str, *, is_math: bool = False, takes_a_sign: bool = False) -> Reading | None:
    """Return the number that a phrase gives as an answer; None if it has none.

    Args:
        phrase: Text that ``plain_text`` returned.
        is_math: Whether it is a formula, as in a box, in which nothing but a unit may stand next to the number.
        takes_a_sign: Whether a dash with a space behind it, at the beginning, is a minus and not a bullet.
    """
    text = _core(phrase, is_math=is_math)
    numbers = list(find_numbers(text))
    if not numbers:
        return None if find_numbers_in(phrase) else _spelled(text)
    if is_math and _COMMAND.search(text):
        return _UNCLEAR
    if _starts(text, numbers):
        return _from_start(text, numbers, is_math=is_math, takes_a_sign=takes_a_sign)
    if _EQUALS.search(text):
        return _result(text)
    if is_math and not _WORDS.search(text):
        return _UNCLEAR
    return _concluded(text)


def gives_at_once(phrase: str) -> bool:
    """Return whether a phrase begins with its number, so that what follows only explains it."""
    text = _core(phrase, is_math=False)
    numbers = list(find_numbers(text))
    return _starts(text, numbers) if numbers else _spelled(text) is not None


def has_conclusion(phrase: str) -> bool:
    """Return whether a phrase draws a conclusion that is a number."""
    return any(find_numbers_in(phrase[found.end() :]) for found in _CONCLUSION.finditer(phrase)) or bool(
        _TOTALS.search(phrase) and find_numbers_in(phrase)
    )


def find_numbers_in(text: str) -> bool:
    """Return whether a text has a number."""
    return any(True for _ in find_numbers(text))


def _core(phrase: str, *, is_math: bool) -> str:
    """Return a phrase without what it denies, its asides, and the reasons it gives for its number."""
    claimed = _DENIED.sub("", phrase)
    text = _ASIDE.sub("", claimed) if is_math else _SPACED_ASIDE.sub("", _ASIDE.sub("", claimed))
    if not find_numbers_in(text):
        text = claimed
    reason = _REASON.search(text)
    return text[: reason.start()] if reason and find_numbers_in(text[: reason.start()]) else text


def _spelled(text: str) -> Reading | None:
    """Return the number in words that a phrase begins with: "twelve pens", but not "two thirds" or "five or six"."""
    lead = _LEAD.match(text)
    spelled = number_in_words(text, lead.end() if lead else 0)
    if spelled is None:
        return None
    rest = text[spelled[1] :].lstrip(" -")
    return _UNCLEAR if spells_a_number(rest) or may_change_value(rest) else Reading(spelled[0])


def _starts(text: str, numbers: Sequence[FoundNumber]) -> bool:
    lead = _LEAD.match(text)
    return bool(numbers) and lead is not None and lead.end() == numbers[0].start


def _from_start(text: str, numbers: Sequence[FoundNumber], *, is_math: bool, takes_a_sign: bool) -> Reading:
    first, others = numbers[0], numbers[1:]
    behind = text[first.end :]
    if _OPERATOR.match(behind):
        return _result(text) if _EQUALS.search(behind) else _concluded(behind) if has_conclusion(behind) else _UNCLEAR
    if equals := re.match(r"[^=≈\d]{0,40}[=≈]", behind):
        right = list(find_numbers(behind[equals.end() :]))
        return _UNCLEAR if len(right) == 1 and right[0].value != first.value else Reading(first.value)
    if others and _JOINED.fullmatch(text[first.end : others[0].start]):
        if all(other.value == first.value for other in others):
            return Reading(first.value)
        return _concluded(behind) if has_conclusion(behind) else _UNCLEAR
    if first.value is None or (is_math and _NO_UNIT.match(_UNIT_POWER.sub("", behind))):
        return _UNCLEAR
    dash = re.fullmatch(r"[\s*$({]*-[ \t]+[*$({ \t]*", text[: first.start])
    return Reading(-first.value if takes_a_sign and dash and first.value > 0 else first.value)


def _result(text: str) -> Reading:
    """Return what an equation, or the last of several, gives: 7 for "3 + 4 = 7" and for "n = 7"."""
    sides = _EQUALS.split(text)
    if any(_SECOND_VARIABLE.search(side) for side in sides[1:-1]):
        return _UNCLEAR
    for side in reversed(sides):
        numbers = list(find_numbers(side))
        if numbers and _starts(side, numbers) and not _OPERATOR.match(side[numbers[0].end :]):
            return Reading(numbers[0].value)
    return _UNCLEAR


def _concluded(text: str) -> Reading:
    """Return the number of a sentence's conclusion, or its last one that is not a time, rate or the like."""
    for found in reversed(list(_CONCLUSION.finditer(text))):
        if find_numbers_in(text[found.end() :]):
            text = text[found.end() :]
            break
    numbers = list(find_numbers(text))
    main = [number for number in numbers if not _BESIDES.search(text[: number.start][-30:])] or numbers
    *before, last = main
    if all(other.value == last.value for other in before):
        return Reading(last.value)
    if main == numbers and not any(not _BESIDES.search(text[: number.start][-30:]) for number in numbers):
        return _UNCLEAR
    between = text[before[-1].end : last.start]
    if _TOTALS.search(text):
        return Reading(last.value)
    is_joined = _JOINED.fullmatch(between) or _OPERATOR.match(text[before[-1].end :])
    return _UNCLEAR if is_joined else Reading(last.value)
