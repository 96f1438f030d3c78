"""What the formats have in common: the fields of a row, read with care."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

__all__ = ["BrokenRowError", "Format", "Item", "Row", "id_of", "join_question", "text_of", "texts_of", "value_of"]

Row = Mapping[str, Any]


class BrokenRowError(Exception):
    """A row that its format does not allow; the message goes on after the name of file and line."""


class Item(NamedTuple):
    """One row of a data set, before its answer is judged.

    Attributes:
        question: The text a student is asked.
        gold: The answer as the row gives it, for ``parse_gold``.
        own_id: The row's own id; None where the format has none.
        extra: What else the row tells.
        record: Further fields of ``Problem`` that the row sets.
    """

    question: str
    gold: object
    own_id: str | None
    extra: Mapping[str, Any]
    record: Mapping[str, Any] = {}


class Format(Protocol):
    """What a module of this package offers."""

    def matches(self, row: Row) -> bool:
        """Say whether a row looks like one of this format."""
        ...

    def read_row(self, row: Row) -> Item:
        """Read one row.

        Raises:
            BrokenRowError: The row lacks a field or has one of another type.
        """
        ...


def value_of(row: Row, key: str) -> Any:
    """Return a field that must be there."""
    if key not in row:
        raise BrokenRowError(f"lacks the field {key!r}")
    return row[key]


def text_of(row: Row, key: str) -> str:
    """Return a field that must be a text and say something, without white space around it."""
    text = value_of(row, key)
    if not isinstance(text, str):
        raise BrokenRowError(f"has a {key!r} that is not a text")
    if not text.strip():
        raise BrokenRowError(f"has an empty {key!r}")
    return text.strip()


def id_of(row: Row, key: str) -> str | None:
    """Return the row's own id as a text; None where it has none."""
    own_id = row.get(key)
    if own_id is None or own_id == "":
        return None
    if isinstance(own_id, bool) or not isinstance(own_id, str | int):
        raise BrokenRowError(f"has an {key!r} that is neither a text nor a whole number")
    return str(own_id)


def texts_of(row: Row, **keys: str) -> dict[str, str]:
    """Return the optional texts that are there, each under the name it is kept by: ``type="Type"``."""
    return {name: row[key].strip() for name, key in keys.items() if isinstance(row.get(key), str)}


def join_question(*parts: str) -> str:
    """Join the story and what is asked about it; white space collapses, a lacking full stop is added.

    A part that ends in a comma is left so: the sentence goes on in the next part.
    """
    cleaned = [re.sub(r"\s+", " ", part).strip() for part in parts]
    *stories, asked = [part for part in cleaned if part]
    return " ".join([*(story if story[-1] in ".,;:!?\"”'" else f"{story}." for story in stories), asked])
