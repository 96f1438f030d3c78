"""Turns the question of a problem into a given: "How many eggs does she sell?" into "the number of eggs that ..."."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from fdd_edge.teachers.symbolic.foreign._verbs import can_be_done, is_participle, is_verb, past, third_person
from fdd_edge.teachers.symbolic.steps import LENGTHS, MEASURES, PEOPLE, TIMES

__all__ = ["Action", "Given", "as_given", "split_question"]

_SENTENCE = re.compile(r"(?<=[.?!])\s+")
_CONDITION = re.compile(r"If (?P<condition>[^?]+), (?P<ask>(?:how|what) [^?,]+\?)", re.IGNORECASE)
_ADVERB = re.compile(r"(?P<adverb>In total|Altogether|In all|On average|Together), (?P<ask>how [^?]+\?)", re.IGNORECASE)
_HOW_MANY = re.compile(
    r"How many (?P<noun>[a-z][a-z -]*?) (?P<verb>does|do|did|will|can|are|were|has|have|had) (?P<rest>[^?]+)\?",
    re.I,
)
_HOW_MUCH = re.compile(
    r"How much (?:(?P<what>money|profit|change) )?(?P<verb>does|do|did|will|has|have|had) (?P<rest>[^?]+)\?",
    re.I,
)
_HOW_OLD = re.compile(r"How old (?:is|was|will) (?P<who>[A-Z][a-z]+|her \w+|his \w+)(?: be)?(?P<when> now)?\?")
_WHAT_IS = re.compile(r"What(?:'s| is| was| will be) (?P<phrase>(?:the|his|her|their) [^?]+)\?", re.I)
_IN_DOLLARS = re.compile(r",? \(?in dollars\)?,?")
_SUBJECT = re.compile(r"(?:he|she|they|it|each|the|his|her|their|all|both|a|[A-Z][\w.]*)\b")
_MONEY = re.compile(r"\b(?:cost|price|money|profit|bill|salary|earnings|savings|dollars|income|revenue)\b")
_COUNTED = re.compile(r"number of (?P<noun>[a-z]+s)\b")
# Words for numbers that are not amounts of something.
_NOT_AMOUNT = re.compile(
    r"\b(?:percent\w*|average|ratio|probability|fraction|more|fewer|less|older|younger|difference|times|left over|"
    r"extra|another|other|additional|dozens?)\b"
)
_LONGEST = 15
"""Most words of a phrase; a longer one would be hard to read in the middle of a sentence."""
_PLURALS = frozenset(("people", "children", "men", "women", "feet", "fish", "sheep", "mice", "geese", "teeth"))
_DETERMINERS = frozenset(("the", "a", "an", "his", "her", "their", "its", "each", "every", "this", "my", "your", "our"))
_TRAVELS = re.compile(r"\b(?:run|walk|travel|drive|ride|hike|swim|bike|cycle|fly|jog|cover|go)\b")
_TAKES_TIME = re.compile(r"\b(?:take|spend|need|last|work|practice|sleep|study|exercise|wait)\b")
_HOLDS_PRONOUN = re.compile(r"\b(?:he|she|his|her|him|they|their|them|it|its)\b", re.IGNORECASE)
_WHEN = re.compile(
    r"(?:a|an|per|each|every|this|that|last|in|on|for|at|by|over|during|before|after|altogether|together|total|today|"
    r"now|then)\b"
)
_RATE = re.compile(r"\b(?:a|an|per|each|every) (?:day|week|month|year|hour|minute)$")


class Action(NamedTuple):
    """Who does what in a question, so that somebody else can do it too: "Janet sells 9 eggs a day".

    Attributes:
        clause: The clause without the amount: "Janet sells a day".
        verb: Its verb in the singular: "sells", "sold", "will sell".
        plain: Its verb after ``auxiliary``: "sell".
        auxiliary: The auxiliary of the question: "does".
        amount: The amount that the clause is about: "the number of eggs".
        many: The words for comparing such amounts: "many eggs", "much".
    """

    clause: str
    verb: str
    plain: str
    auxiliary: str
    amount: str
    many: str


class Given(NamedTuple):
    """A problem without its question, whose result is given.

    Attributes:
        text: The text before the question, with a condition of the question as a separate sentence.
        phrase: What the question asked for, as a noun phrase.
        noun: What it counts; "dollars" for money.
        kind: ``number``, or ``an age``.
        action: Who does what, if somebody else can do so too.
        period: "day" if the phrase is an amount per day.
        name: The variable for it in a program.
        done: The further steps that the problem already has.
    """

    text: str
    phrase: str
    noun: str
    kind: str = "number"
    action: Action | None = None
    period: str = ""
    name: str = ""
    done: tuple[str, ...] = ()


class _Named(NamedTuple):
    """A question as a noun phrase, with what it counts and the action it asks about."""

    phrase: str
    noun: str
    action: Action | None = None
    kind: str = "number"


class _Clause(NamedTuple):
    """A clause in normal word order; its verb is empty if it is not the action of one person."""

    text: str
    subject: str
    plain: str = ""
    verb: str = ""
    auxiliary: str = ""
    after: str = ""


def split_question(question: str) -> tuple[str, str] | None:
    """Split a problem into its text and its question; None if it asks more than one thing, or has no text."""
    *sentences, ask = _SENTENCE.split(question.strip())
    if not sentences or "?" in " ".join(sentences):
        return None
    condition = _CONDITION.fullmatch(ask)
    if condition and re.search(r"(?:\s|,|on average|in total)$", condition["condition"]):
        return None
    if condition:
        sentences.append(f"{_capital(condition['condition'])}.")
        ask = _capital(condition["ask"])
    return " ".join(sentences), ask


def as_given(question: str) -> Given | None:
    """Return a problem with its question turned into a noun phrase; None if the form of the question is not known."""
    parts = split_question(question)
    if parts is None:
        return None
    text, ask = parts
    adverb = _ADVERB.fullmatch(ask)
    ending = ""
    if adverb:
        ask, ending = _capital(adverb["ask"]), f" {adverb['adverb'].lower()}"
    if _NOT_AMOUNT.search(ask.lower()):
        return None
    named = _how_many(ask) or _how_much(_IN_DOLLARS.sub("", ask)) or _how_old(ask) or _what_is(ask)
    if named is None or re.search(r",| (?:if|when|assuming) ", named.phrase):
        # A clause attached to the question would be unreadable in the middle of a sentence.
        return None
    if named.noun == "dollars" and not re.search(r"\$|dollar", question):
        return None
    if len(named.phrase.split()) > _LONGEST:
        return None
    action = named.action if named.action and _can_be_shared(named.action, question) else None
    rate = _RATE.search(named.phrase + ending)
    period = rate.group().split(" ")[1] if rate else ""
    return Given(text, named.phrase + ending, named.noun, named.kind, action, period)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _how_many(ask: str) -> _Named | None:
    found = _HOW_MANY.fullmatch(ask)
    if found is None:
        return None
    noun = re.sub(r"^(?:total|combined) | (?:total|altogether|in total|in all|combined)$", "", found["noun"])
    verb, rest = found["verb"].lower(), found["rest"]
    head = noun.split(" of ")[0].rpartition(" ")[2]
    if not (head.endswith("s") or head in _PLURALS) or head in ("ones", "others") or noun.startswith("of "):
        return None
    if _HOLDS_PRONOUN.search(noun):
        # "How many minutes of it": the pronoun refers to the text, and would refer to something else in a new sentence.
        return None
    who = "who" if head in PEOPLE else "that"
    if verb in ("are", "were"):
        amount, noun = _amount(noun, "")
        if rest in ("there", "that"):
            return _Named(amount, noun)
        place = rest.removeprefix("there ")
        verb = verb if amount.startswith("the number") else {"are": "is", "were": "was"}[verb]
        return _Named(f"{amount} {place if place != rest else f'{who} {verb} {rest}'}", noun)
    clause = _clause(verb, rest)
    if clause is None:
        return None
    amount, noun = _amount(noun, clause.plain)
    action = _action(clause, amount, "much money" if noun == "dollars" else f"many {noun}")
    if head in TIMES and clause.after and not _WHEN.match(clause.after):
        # "How many hours does he watch TV": the verb alone does not say what somebody else spent the time on.
        action = None
    return _Named(f"{amount} that {clause.text}", noun, action)


def _amount(noun: str, verb: str) -> tuple[str, str]:
    """Return the phrase for an amount, and what it counts: ("gallons of water", "use") is an amount of water."""
    if noun == "dollars":
        return "the amount of money", noun
    unit, of, stuff = noun.partition(" of ")
    if unit in MEASURES and of:
        return f"the amount of {stuff}", unit
    if noun in LENGTHS and _TRAVELS.search(verb):
        return "the distance", noun
    if noun in TIMES and _TAKES_TIME.search(verb):
        return "the time", noun
    return f"the number of {noun}", noun


def _how_much(ask: str) -> _Named | None:
    found = _HOW_MUCH.fullmatch(ask)
    clause = _clause(found["verb"].lower(), found["rest"]) if found else None
    if found is None or clause is None:
        return None
    if found["what"] in ("profit", "change"):
        return _Named(f"the {found['what']} that {clause.text}", "dollars")
    if found["what"] == "money":
        amount = "the amount of money"
        return _Named(f"{amount} that {clause.text}", "dollars", _action(clause, amount, "much money"))
    if clause.plain == "cost" and not clause.after and not _HOLDS_PRONOUN.fullmatch(clause.subject):
        return _Named(f"the cost of {clause.subject}", "dollars")
    if re.search(r"\b(?:pa[iy]\w*|costs?|spen[dt]s?|owe\w*|charg\w+)\b", clause.text):
        return _Named(f"the amount that {clause.text}", "dollars", _action(clause, "the amount", "much"))
    if re.search(r"\b(?:sav\w+|contribut\w+|earn\w*|rais\w+)\b", clause.text):
        amount = "the amount of money"
        return _Named(f"{amount} that {clause.text}", "dollars", _action(clause, amount, "much money"))
    return None


def _how_old(ask: str) -> _Named | None:
    found = _HOW_OLD.fullmatch(ask)
    return _Named(f"the age of {found['who']}{found['when'] or ''}", "years", kind="an age") if found else None


def _what_is(ask: str) -> _Named | None:
    found = _WHAT_IS.fullmatch(ask)
    if found is None:
        return None
    phrase = found["phrase"]
    counted = _COUNTED.search(phrase)
    if counted:
        return _Named(phrase, counted["noun"])
    return _Named(phrase, "dollars") if _MONEY.search(phrase) else None


def _clause(verb: str, rest: str) -> _Clause | None:
    """Restore normal word order: ("does", "Ann need in all") becomes "Ann needs in all"; None if no verb is found."""
    words = rest.split(" ")
    perfect = verb in ("has", "have", "had")
    at = _index_of_verb(words, is_participle if perfect else is_verb)
    if at is None or not _SUBJECT.match(rest) or "not" in words[:at]:
        return None
    subject, plain, after = " ".join(words[:at]), words[at], " ".join(words[at + 1 :])
    forms = {
        "do": plain,
        "does": third_person(plain),
        "did": past(plain),
        "will": f"will {plain}",
        "can": f"can {plain}",
    }
    form = f"{verb} {plain}" if perfect else forms[verb]
    text = " ".join(part for part in (subject, form, after) if part)
    if perfect:
        return _Clause(text, subject)
    auxiliary = "does" if verb == "do" else verb
    return _Clause(text, subject, plain, third_person(plain) if verb == "do" else form, auxiliary, after)


def _index_of_verb(words: list[str], fits: Callable[[str], bool]) -> int | None:
    """Return the index of the verb: a word that can be one, but not in "the walk" or "Tom's order"."""
    for index, word in enumerate(words):
        before = words[index - 1].lower() if index else ""
        if index and fits(word) and before not in _DETERMINERS and not before.endswith(("'s", "’s")):
            return index
    return None


def _action(clause: _Clause, amount: str, many: str) -> Action | None:
    """Return a clause as an action that somebody else can do too; None if its subject is not one person."""
    one = re.fullmatch(r"(?:he|she|[A-Z][a-z]+)", clause.subject)
    if one is None or not can_be_done(clause.plain, clause.after):
        return None
    return Action(clause.text, clause.verb, clause.plain, clause.auxiliary, amount, many)


def _can_be_shared(action: Action, question: str) -> bool:
    """Return whether the subject is a person: the problem must contain a pronoun for one."""
    return re.search(r"\b(?:he|she|his|her)\b", question, re.IGNORECASE) is not None
