"""Reduces questions to what is compared: words without case and punctuation, with numbers masked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from fdd_edge.curation._plain import plain_text
from fdd_edge.number_words import NUMBER_WORDS

__all__ = ["COMMON_WORDS", "LIGHT", "MASK", "Wording", "mask_numbers", "read_numbers", "read_wording"]

MASK = "<n>"
_NAME = "<a>"
# Every capitalized word, including the first one of a sentence: the words around it make the difference.
_CAPITALIZED = re.compile(r"\b[A-Z]\w*(?:['’]s)?")
_MASKED_PRONOUNS = {"he": "<he>", "she": "<he>", "him": "<his>", "his": "<his>", "her": "<his>", "hers": "<his>"}
_PRONOUN = re.compile(rf"\b(?:{'|'.join(_MASKED_PRONOUNS)})\b", re.IGNORECASE)

_UP_TO_99 = {"zero": 0} | {word: value for word, value in NUMBER_WORDS.items() if value < 100}
_ONES = [word for word, value in _UP_TO_99.items() if 0 < value < 10]
_TENS = [word for word, value in _UP_TO_99.items() if value >= 20]
_TEENS = [word for word in _UP_TO_99 if word not in (*_ONES, *_TENS)]
_SCALES = ("hundred", "thousand", "million", "billion")


def _any_of(names: Iterable[str]) -> str:
    return rf"(?:{'|'.join(names)})\b"


_WORD = rf"\b(?:{_any_of(_TENS)}(?:[\s-]+{_any_of(_ONES)})?|{_any_of(_TEENS)}|{_any_of(_ONES)})"
# 12, 1,200.50, .5, 3/4, 2 1/2, 3rd. NFKC has already turned vulgar fractions into "1⁄2".
_DIGITS = r"(?:\d+\s+(?=\d+[/⁄]))?(?:\d+(?:[.,]\d+)*|(?<!\w)\.\d+)(?:[/⁄]\d+)?(?:(?:st|nd|rd|th)\b)?"
_SCALED = rf"(?:[\s-]+{_any_of(_SCALES)}(?:(?:\s+and)?\s+{_WORD})?)*"
_NUMBER = re.compile(rf"(?:{_DIGITS}|{_WORD}|\b(?:a\s+)?{_any_of(_SCALES)}){_SCALED}", re.IGNORECASE)

# "$5" is "5 dollars".
_DOLLARS = re.compile(rf"\$\s*{MASK}")
_SENTENCE_END = re.compile(r"[.?!;:\n]")

# "an 8-hour shift" is "a 5-hour shift" with a different number.
_ARTICLE = re.compile(rf"\b(a)n(?=\s+{MASK})", re.IGNORECASE)

_PERCENT = re.compile(r"\s*(?:%|percent\b|per cent\b)", re.IGNORECASE)
_SMALLER = {
    re.compile(rf"[\s-]*(?:{unit})s?\b", re.IGNORECASE): factors
    for unit, factors in {
        "dozen": (12,),
        "minute|hour": (60, 3600),
        "day": (24,),
        "week": (7,),
        "year": (12, 52, 365),
        "dollar": (100,),
        "foot|feet": (12,),
        "yard": (3, 36),
        "mile": (5280,),
        "pound": (16,),
        "gallon": (4, 8, 16, 128),
        "kilo(?:meter|metre|gram)|liter|litre|km|kg|ton": (1000,),
        "meter|metre": (100, 1000),
    }.items()
}
"""Units, and how many of a smaller unit each has, because a program may compute in the smaller one."""
_NAMES_BEFORE = re.compile(
    r"\b(?:the|these|those|all|both|other|last|first|next|his|her|their|its|day|week|month|year|round|[A-Z]\w+['’]s) $"
)
_NAMES_AFTER = re.compile(
    r" (?:of |(?!(?:more|less|fewer|and|or|but|to|from|at|in|on|for|each|every|a|an|the)\b)[a-z])"
)

_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
_APOSTROPHES = re.compile("['’ʼ]")
_LETTERS = re.compile(r"[^\W\d_]+")

LIGHT = 0.25
"""What a number, a name or a common word says about a story; any other word says 1."""
COMMON_WORDS = frozenset(
    """
    a about after all also altogether an and another any are as at be been before by can could did do does done
    each every first for from get gets give given gives got had has have he her hers him his how i if in into is it
    its just left less many more most much my new no not now of off on one only or other out over own same she so
    some still such take than that the their them then there these they this those to too total two up was we were
    what when where which while who will with would you your cent cents dollar dollars percent money day days week
    weeks month months year years hour hours minute minutes time times monday tuesday wednesday thursday friday
    saturday sunday number amount
    """.split()  # noqa: SIM905 (a list of two hundred texts)
)
_TOKEN = re.compile(r"<\w+>|\d+(?:\.\d+)?|[^\W\d]+")


def mask_numbers(question: str) -> str:
    """Replace every number by ``<n>``, and ``an`` before one by ``a``; the result is in Unicode's NFKC form.

    A number is a sequence of digits of any script, with decimals, thousands separators, a fraction or an ordinal
    ending, or an English number word from zero to ninety-nine and its hundreds, thousands and millions (``two hundred
    and five`` is one number). ``one`` is always masked; ``first``, ``half``, ``twice`` and ``dozen`` never are, because
    they often say what to compute and not how many there are.
    """
    return _ARTICLE.sub(r"\1", _NUMBER.sub(MASK, unicodedata.normalize("NFKC", question)))


class Quantity(NamedTuple):
    """A quantity in a text.

    Attributes:
        value: Its value, in the unit of the text.
        is_percent: Whether it is a percentage.
        is_fraction: Whether it is written as a fraction: ``3/4`` or ``2 1/2``.
        factors: Factors that convert it to a smaller unit: 12 for a dozen, 60 for hours.
        only_names: Whether it is a small number word that may just name a group: "the two of them", "two crews".
    """

    value: float
    is_percent: bool
    is_fraction: bool
    factors: tuple[int, ...]
    only_names: bool


def read_numbers(question: str) -> list[Quantity]:
    """Return the plain quantities of a question in order: ``1,200``, ``2.5``, ``seven``, ``twenty-five``, ``3/4``.

    Numbers that name or rank something (``3rd``, ``7:30``) are left out, and so are numbers with a scale word (``two
    hundred and five``, ``2.5 million``), because a program may write them in several ways.
    """
    text = unicodedata.normalize("NFKC", question)
    values = []
    for mark in _NUMBER.finditer(text):
        if text[mark.end() : mark.end() + 1] == ":" or text[mark.start() - 1 : mark.start()] == ":":
            continue
        value = _value(mark.group().lower())
        if value is not None:
            is_percent = _PERCENT.match(text, mark.end()) is not None
            is_fraction = re.search(r"[/⁄]", mark.group()) is not None
            factors = next((own for unit, own in _SMALLER.items() if unit.match(text, mark.end())), ())
            values.append(Quantity(value, is_percent, is_fraction, factors, _only_names(text, mark)))
    return values


def _only_names(text: str, mark: re.Match[str]) -> bool:
    before, after = text[: mark.start()], text[mark.end() :]
    is_few = mark.group().lower() in ("two", "three", "four")
    return is_few and (_NAMES_BEFORE.search(before) is not None or _NAMES_AFTER.match(after) is not None)


def _value(written: str) -> float | None:
    parts = re.split(r"[\s-]+", written)
    if all(part in _UP_TO_99 for part in parts):
        return float(sum(_UP_TO_99[part] for part in parts))
    fraction = re.fullmatch(r"(?:(\d+)\s+)?(\d+)[/⁄](\d+)", written)
    if fraction:
        whole, above, below = (float(group or 0) for group in fraction.groups())
        return whole + above / below if below else None
    return float(written.replace(",", "")) if re.fullmatch(r"\d[\d,]*(?:\.\d+)?|\.\d+", written) else None


class Wording(NamedTuple):
    """A question in the forms that are compared.

    Attributes:
        words: Its words and numbers in lower case, without punctuation, with number words as digits.
        letters: The letters alone: spaces may be lost, or put between letters.
        sentences: The words of each sentence, with numbers masked.
        anonymous: The words as one text, with numbers, names and their pronouns masked.
        names: The words that are only written with a capital letter.
    """

    words: list[str]
    letters: str
    sentences: list[list[str]]
    anonymous: str
    names: frozenset[str]

    @property
    def exact(self) -> str:
        """The words as one text."""
        return " ".join(self.words)

    @property
    def masked_words(self) -> list[str]:
        """The words, with numbers masked."""
        return [word for sentence in self.sentences for word in sentence]

    @property
    def masked(self) -> str:
        """The words as one text, with numbers masked."""
        return " ".join(self.masked_words)

    def grams(self, n: int) -> Iterator[str]:
        """Yield every run of ``n`` consecutive words."""
        for start in range(len(self.words) - n + 1):
            yield " ".join(self.words[start : start + n])

    def weight_of(self, word: str) -> float:
        """Return how much a word says about the story: 1, or less for a number, a name, or what any text contains."""
        return LIGHT if word in COMMON_WORDS or word in self.names or word == MASK else 1.0


def read_wording(question: str) -> Wording:
    """Reduce a question to its wording; this costs more than the look-ups that follow, so do it once per question."""
    plain = plain_text(question)
    masked = _DOLLARS.sub(rf"{MASK} dollars", mask_numbers(plain)).replace("%", " percent ")
    nameless = _CAPITALIZED.sub(_NAME, masked)
    anonymous = _PRONOUN.sub(lambda word: _MASKED_PRONOUNS[word.group().lower()], nameless)
    sentences = [words for sentence in _SENTENCE_END.split(_fold(masked)) if (words := _TOKEN.findall(sentence))]
    names = _names(sentences, _TOKEN.findall(_fold(nameless)))
    letters = "".join(_LETTERS.findall(plain.casefold()))
    return Wording(_split(_NUMBER.sub(_in_digits, plain)), letters, sentences, " ".join(_split(anonymous)), names)


def _in_digits(number: re.Match[str]) -> str:
    """Return a number word in digits; any other number as it is."""
    value = None if number[0][0].isdigit() else _value(number[0].lower())
    return number[0] if value is None else f"{value:g}"


def _names(sentences: Sequence[Sequence[str]], others: Sequence[str]) -> frozenset[str]:
    """Return the words that are left out of ``others``; none if that is most of them: all letters may be capital."""
    words = {word for sentence in sentences for word in sentence}
    names = words.difference(others)
    return frozenset(names) if 2 * len(names) <= len(words) else frozenset()


def _split(question: str) -> list[str]:
    return _TOKEN.findall(_fold(question))


def _fold(text: str) -> str:
    """Return a text without case, apostrophes, and commas in numbers."""
    return _THOUSANDS.sub("", _APOSTROPHES.sub("", unicodedata.normalize("NFKC", text).casefold()))
