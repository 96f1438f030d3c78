"""The grammar of the situations: people and their pronouns, things and their singulars, numbers and money in a text."""

from __future__ import annotations

import re
import string
from collections.abc import Collection, Mapping
from random import Random
from typing import Any

__all__ = ["BUYABLES", "THINGS", "draw_people", "fill", "singular", "word_forms"]

_SHE = (
    "Ada", "Amara", "Bella", "Carmen", "Chloe", "Dina", "Elena", "Emma", "Fatima", "Grace", "Hana", "Ines",
    "Jana", "Keiko", "Leila", "Maria", "Nadia", "Olga", "Priya", "Rosa", "Sofia", "Tara", "Uma", "Vera",
    "Wanda", "Yara", "Zoe",
)  # fmt: skip
_HE = (
    "Abdul", "Ben", "Carlos", "David", "Diego", "Emil", "Farid", "George", "Hugo", "Ivan", "Jamal", "Kenji",
    "Leo", "Marco", "Nikhil", "Omar", "Pablo", "Quentin", "Ravi", "Samuel", "Tariq", "Umar", "Victor", "Walter",
    "Yusuf", "Zack",
)  # fmt: skip
THINGS = (
    "acorns", "apples", "badges", "balloons", "beads", "buttons", "cards", "coins", "cookies", "crayons",
    "figs", "marbles", "muffins", "oranges", "peaches", "pencils", "plums", "postcards", "shells", "stamps",
    "stickers", "toy cars", "walnuts",
)  # fmt: skip
BUYABLES = (
    "bracelets", "brushes", "calendars", "candles", "folders", "mugs", "notebooks", "picture frames", "puzzles",
    "sandwiches", "scarves", "sketch pads", "toy cars", "umbrellas", "water bottles",
)  # fmt: skip
_IRREGULAR = {
    "pies": "pie",
    "children": "child",
    "cookies": "cookie",
    "loaves": "loaf",
    "people": "person",
    "scarves": "scarf",
}


def singular(plural: str) -> str:
    """Return the singular of a plural from the word lists; of several words, the last changes."""
    first, space, last = plural.rpartition(" ")
    if last in _IRREGULAR:
        return first + space + _IRREGULAR[last]
    if last.endswith("ies"):
        return first + space + last[:-3] + "y"
    if last.endswith(("ches", "shes", "sses", "xes")):
        return first + space + last[:-2]
    return first + space + last.removesuffix("s")


def draw_people(rng: Random, count: int, taken: Collection[str] = ()) -> list[str]:
    """Draw names that are not taken, each with another initial."""
    initials = {name[0] for name in taken}
    drawn: list[str] = []
    while len(drawn) < count:
        name = rng.choice(_SHE + _HE)
        if name[0] not in initials:
            drawn.append(name)
            initials.add(name[0])
    return drawn


def word_forms(slots: Mapping[str, Any]) -> dict[str, Any]:
    """Add to a problem's slots the forms that follow from them.

    ``name`` gives the pronouns ``he``, ``him``, ``his`` (``friend_he`` ... for the friend, and so on), and each plural
    word ``items`` gives ``item``, ``a_item`` and ``items_id``, which is fit for a variable.
    """
    forms = dict(slots)
    for role in ("name", "friend", "third", "pal"):
        if role in slots:
            prefix = "" if role == "name" else f"{role}_"
            pronouns = ("she", "her", "her") if slots[role] in _SHE else ("he", "him", "his")
            forms |= {f"{prefix}{key}": form for key, form in zip(("he", "him", "his"), pronouns, strict=True)}
            forms[f"{role}_id"] = str(slots[role]).lower()
    for key, value in slots.items():
        if key.endswith("s") and isinstance(value, str):
            one = singular(value)
            forms[key.removesuffix("s")] = one
            forms[f"a_{key.removesuffix('s')}"] = f"{'an' if one[0] in 'aeiou' else 'a'} {one}"
            forms[f"{key}_id"] = value.replace(" ", "_")
    return forms


class _TextFormatter(string.Formatter):
    """Writes numbers as a text has them: 1,200, or $2.50 under the format ``$``."""

    def format_field(self, value: Any, format_spec: str) -> Any:
        if format_spec == "$":
            return f"${value:,}" if float(value).is_integer() else f"${value:,.2f}"
        if isinstance(value, int):
            return f"{value:,}"
        return super().format_field(value, format_spec)


def fill(template: str, forms: Mapping[str, Any]) -> str:
    """Fill a template of a text; sentences begin with a capital letter."""
    text = _TextFormatter().vformat(template, (), forms)
    return re.sub(r"(?:^|(?<=[.?!] ))[a-z]", lambda letter: letter.group().upper(), text)
