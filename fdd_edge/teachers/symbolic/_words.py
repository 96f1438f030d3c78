"""The grammar of texts: people and their pronouns, things and their singulars, numbers and money."""

from __future__ import annotations

import re
import string
from collections.abc import Collection
from random import Random
from typing import Any

from fdd_edge.number_words import NUMBER_WORDS
from fdd_edge.teachers.symbolic._shelf import read_words
from fdd_edge.teachers.symbolic._situation import Forms, Slots

__all__ = ["ROLES", "Text", "draw_people", "fill", "fold", "people_in", "singular", "word_forms"]

_LISTS = read_words()
_SHE, _HE = _LISTS["she"], _LISTS["he"]
_PEOPLE = frozenset(_SHE + _HE)
_INITIALS = frozenset(name[0] for name in _PEOPLE)
ROLES = ("name", "friend", "third", "pal")
"""The slots for people: the first three belong to situations, the last one to steps."""

_IRREGULAR = {
    "children": "child",
    "cookies": "cookie",
    "loaves": "loaf",
    "people": "person",
    "pies": "pie",
    "scarves": "scarf",
    "geese": "goose",
    "smoothies": "smoothie",
    "mangoes": "mango",
    "potatoes": "potato",
    "tomatoes": "tomato",
    "sheep": "sheep",
}
_SPELLED = {value: word for word, value in NUMBER_WORDS.items() if 2 <= value <= 12}
_SENTENCE = re.compile(r"(?<=[.?]) (?=[A-Z0-9$])")
_FOLDS = re.compile(r"(?:[Hh]e|[Ss]he|They|Each|One|There|The|An?|Another|Every|Both) ")
"""Starts of sentences that can follow an "If", besides names and numbers."""
_NOT_AFTER_IF = re.compile(
    r"\bthen\b|\bafter\b|\bbefore\b|\bif\b|\blater\b|\bonce\b|\bwhich\b|, so |:"
    r"|^(?:the|each|every|one|another) (?:(?:next|same|following|other) )?"
    r"(?:day|week|month|year|time|morning|evening)\b"
    r"|^(?:each|one|another|both) of .+?, ",
    re.IGNORECASE,
)
_LONGEST_CONDITION = 22
_PAST = re.compile(
    r"\b(?:was|were|had|did|could|ate|bought|brought|came|fell|felt|flew|found|gave|got|held|kept|laid|left"
    r"|lost|made|met|paid|ran|rode|sang|sat|saw|sent|slept|sold|spent|stood|took|threw|went|won|woke|wrote"
    r"|(?!need\b|speed\b|seed\b|bed\b|red\b|shed\b)[a-z]+ed)\b"
)
_PRESENT = re.compile(
    r"\b(?:is|are|has|have|does|do|can|will|must|lie|makes?|takes?|gets?|gives?|needs?|costs|holds?|grows?|adds|buys|cuts"
    r"|fills|measures|multiplies|pays|puts|sells|stands?|turns|weighs?|wants|gains|keeps|becomes|climbs)\b"
)
_TENSE_OF_QUESTION = {
    "past": re.compile(r"\b(?:did|was|were|had|could)\b"),
    "present": re.compile(r"\b(?:do|does|is|are|has|have|will|can)\b"),
}


def singular(plural: str) -> str:
    """Return the singular of a plural from the word lists; of several words, only the last one changes."""
    first, space, last = plural.rpartition(" ")
    if last in _IRREGULAR:
        return first + space + _IRREGULAR[last]
    if last.endswith("ies"):
        return first + space + last[:-3] + "y"
    if last.endswith(("ches", "shes", "sses", "xes")):
        return first + space + last[:-2]
    return first + space + last.removesuffix("s")


def people_in(text: str) -> set[str]:
    """Return the roles whose name or pronoun a template contains."""
    slots = re.findall(r"{(\w+)", text)
    roles = {role for role in ROLES for slot in slots if slot == role or slot.startswith(f"{role}_")}
    return roles | ({"name"} if {"he", "him", "his"} & set(slots) else set())


def draw_people(rng: Random, count: int, taken: Collection[str] = ()) -> list[str]:
    """Draw names that are not taken, with different initials; fewer than ``count`` if no initial is left."""
    initials = {name[0] for name in taken}
    drawn: list[str] = []
    while len(drawn) < count and not initials.issuperset(_INITIALS):
        name = rng.choice(_SHE + _HE)
        if name[0] not in initials:
            drawn.append(name)
            initials.add(name[0])
    return drawn


def word_forms(slots: Forms) -> Slots:
    """Return a problem's slots and the forms derived from them.

    ``name`` adds the pronouns ``he``, ``him`` and ``his`` (``friend_he`` ... for the friend, and so on). A word
    ``color`` adds ``a_color`` and ``color_id``, which can name a variable; a plural ``items`` also adds ``item``.
    """
    forms = dict(slots)
    for role in ROLES:
        if role in slots:
            prefix = "" if role == "name" else f"{role}_"
            pronouns = ("she", "her", "her") if slots[role] in _SHE else ("he", "him", "his")
            forms |= {f"{prefix}{key}": form for key, form in zip(("he", "him", "his"), pronouns, strict=True)}
            forms[f"{role}_id"] = str(slots[role]).lower()
    for key, value in slots.items():
        if key not in ROLES and isinstance(value, str):
            one = singular(value) if key.endswith("s") else value
            forms[key.removesuffix("s")] = one
            forms[f"a_{key.removesuffix('s')}"] = f"{'an' if one[0] in 'aeiou' else 'a'} {one}"
            forms[f"{key}_id"] = value.replace(" ", "_")
    return forms


class Text(string.Formatter):
    """Formats numbers for a text: 1,200, or $2.50 with the format ``$``; with ``spell``, small numbers become words."""

    def __init__(self, *, spell: bool = False) -> None:
        self._spell = spell

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec == "$":
            return f"${value:,}" if float(value).is_integer() else f"${value:,.2f}"
        if isinstance(value, int) and not format_spec:
            return _SPELLED[value] if self._spell and value in _SPELLED else f"{value:,}"
        return str(super().format_field(value, format_spec))


def fill(template: str, forms: Forms, *, spell: bool = False) -> str:
    """Fill a text template; every sentence starts with a capital letter."""
    text = Text(spell=spell).vformat(template, (), forms)
    return re.sub(r"(?:^|(?<=[.?!] ))[a-z]", lambda letter: letter.group().upper(), text)


def fold(text: str, ask: str) -> str | None:
    """Move the last sentence into the question: "If he ate 3 of them, how many ...?"; None if that would read badly.

    The condition must start with its subject, be short and have the tense of the question: "If of 9 eggs, 2 broke" and
    "If they fill boxes of four, how many boxes did that take?" are not English.
    """
    *sentences, last = _SENTENCE.split(text)
    first_word = re.split(r"[ ']", last)[0]
    begins_with_subject = first_word in _PEOPLE or _FOLDS.match(last) or last[0].isdigit()
    if not begins_with_subject or _NOT_AFTER_IF.search(last) or len(last.split()) > _LONGEST_CONDITION:
        return None
    if not ask.startswith(("How ", "What ")) or _tense(last) is None or _tense(last) != _tense_of_question(ask):
        return None
    condition = last if first_word in _PEOPLE else last[0].lower() + last[1:]
    return " ".join([*sentences, f"If {condition.removesuffix('.')}, {ask[0].lower()}{ask[1:]}"])


def _tense(sentence: str) -> str | None:
    """Return "past" or "present", or None if the verbs are ambiguous, as in "A mug cost $4 and he will put ..."."""
    past, present = _PAST.search(sentence), _PRESENT.search(sentence)
    if bool(past) == bool(present):
        # "is covered" is present tense; "had to be" and "wanted to make" are past tense.
        finite = re.search(r"\b(?:is|are|has|have|was|were|had|did|could|wanted)\b", sentence) if past else None
        return None if finite is None else "present" if finite.group() in ("is", "are", "has", "have") else "past"
    return "past" if past else "present"


def _tense_of_question(ask: str) -> str | None:
    found = [tense for tense, verbs in _TENSE_OF_QUESTION.items() if verbs.search(ask)]
    return found[0] if len(found) == 1 else None
