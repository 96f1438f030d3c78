"""Turns a problem's question into something given: "How many eggs does she sell?" is "the number of eggs that ..."."""

from __future__ import annotations

import re
from typing import NamedTuple

from fdd_edge.teachers.symbolic.foreign._verbs import is_verb, past, third_person

__all__ = ["Given", "as_given"]

_SENTENCE = re.compile(r"(?<=[.?!])\s+")
_CONDITION = re.compile(r"If (?P<condition>[^?]+), (?P<ask>(?:how|what) [^?,]+\?)", re.IGNORECASE)
_ADVERB = re.compile(r"(?P<adverb>In total|Altogether|In all|On average|Together), (?P<ask>how [^?]+\?)", re.IGNORECASE)
_HOW_MANY = re.compile(
    r"How many (?P<noun>[a-z][a-z -]*?) (?P<verb>does|do|did|will|can|are|were|is|was|has|have|had) (?P<rest>[^?]+)\?",
    re.I,
)
_HOW_MUCH = re.compile(
    r"How much (?:money |profit |change )?(?:\(?in dollars\)? )?(?P<verb>does|do|did|will) (?P<rest>[^?]+)\?",
    re.I,
)
_WHAT_IS = re.compile(r"What(?:'s| is| was| will be) (?P<phrase>(?:the|his|her|their) [^?]+)\?", re.I)
_SUBJECT = re.compile(r"(?:he|she|they|it|each|the|his|her|their|all|both|a|[A-Z][\w.]*)\b")
_MONEY = re.compile(r"\b(?:cost|price|money|profit|bill|salary|earnings|savings|dollars|income|revenue)\b")
_COUNTED = re.compile(r"number of (?P<noun>[a-z]+s)\b")
# What such a number may not be told of: it is no amount of something.
_NOT_AMOUNT = re.compile(
    r"\b(?:percent\w*|average|ratio|probability|fraction|more|fewer|less|older|younger|difference|times|left over)\b"
)


class Given(NamedTuple):
    """A problem told without its question.

    Attributes:
        text: What is told, with the condition of the question as a sentence of its own.
        phrase: What was asked, as a noun phrase.
        noun: What it counts; "dollars" for money.
    """

    text: str
    phrase: str
    noun: str


def as_given(question: str) -> Given | None:
    """Return a problem with its question turned into a noun phrase; None where its form is none of those known."""
    *told, ask = _SENTENCE.split(question.strip())
    if not told or "?" in " ".join(told):
        return None
    condition = _CONDITION.fullmatch(ask)
    if condition:
        told.append(f"{_capital(condition['condition'])}.")
        ask = _capital(condition["ask"])
    adverb = _ADVERB.fullmatch(ask)
    ending = ""
    if adverb:
        ask, ending = _capital(adverb["ask"]), f" {adverb['adverb'].lower()}"
    if _NOT_AMOUNT.search(ask.lower()):
        return None
    named = _how_many(ask) or _how_much(ask) or _what_is(ask)
    if named is None or re.search(r", (?!in dollars,)| (?:if|when|assuming) ", named[0]):
        # What hangs on to the question would be lost in the middle of a sentence.
        return None
    return Given(" ".join(told), named[0] + ending, named[1])


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _how_many(ask: str) -> tuple[str, str] | None:
    found = _HOW_MANY.fullmatch(ask)
    if found is None:
        return None
    noun, verb, rest = found["noun"], found["verb"].lower(), found["rest"]
    if not noun.split(" of ")[0].endswith(("s", "people", "children")):
        return None
    if verb in ("are", "were"):
        clause = rest.removeprefix("there ") if rest.startswith("there ") else f"that {verb} {rest}"
        return (f"the number of {noun} {clause}" if rest not in ("there", "that") else f"the number of {noun}"), noun
    clause_of = _clause(verb, rest)
    return None if clause_of is None else (f"the number of {noun} that {clause_of}", noun)


def _how_much(ask: str) -> tuple[str, str] | None:
    found = _HOW_MUCH.fullmatch(ask)
    clause = _clause(found["verb"].lower(), found["rest"]) if found else None
    if clause is None or not re.search(
        r"\b(?:money|profit|pa[iy]\w*|costs?|spen[dt]s?|earn\w*|ma[dk]e\w*|sav\w+|owe\w*|charg\w+|rais\w+)\b",
        ask + clause,
    ):
        return None
    return f"the amount of money that {clause}", "dollars"


def _what_is(ask: str) -> tuple[str, str] | None:
    found = _WHAT_IS.fullmatch(ask)
    if found is None:
        return None
    phrase = found["phrase"]
    counted = _COUNTED.search(phrase)
    if counted:
        return phrase, counted["noun"]
    return (phrase, "dollars") if _MONEY.search(phrase) else None


def _clause(verb: str, rest: str) -> str | None:
    """Undo an inversion: ("does", "Ann need in all") gives "Ann needs in all"; None where the verb is not found."""
    words = rest.split(" ")
    place = next((index for index, word in enumerate(words) if index and is_verb(word)), None)
    if place is None or not _SUBJECT.match(rest):
        return None
    subject, plain, after = " ".join(words[:place]), words[place], words[place + 1 :]
    if verb in ("will", "can"):
        form = f"{verb} {plain}"
    elif verb == "do":
        form = plain
    elif verb == "does":
        form = third_person(plain)
    elif verb == "did":
        form = past(plain)
    else:
        return None
    return " ".join([subject, form, *after])
