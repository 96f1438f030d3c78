"""What a data format is, and how its fields are read and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from fdd_edge.runs.fingerprint import Json

__all__ = [
    "BrokenRowError",
    "Format",
    "Item",
    "Row",
    "id_of",
    "item_without_text",
    "join_question",
    "text_of",
    "texts_of",
    "value_of",
    "why_no_text",
]

Row = Mapping[str, Any]
"""One row of a data file: the fields by name, with values as JSON has them."""


class BrokenRowError(Exception):
    """A row is not valid in its format.

    The message continues the sentence that starts with the row's file and line, such as ``lacks the field 'answer'``.
    """


class Item(NamedTuple):
    """One row of a data set, before its answer is parsed.

    Attributes:
        question: The text that a student is asked.
        gold: The answer as the row has it; ``parse_gold`` turns it into a number.
        own_id: The row's own id; None if the format has none.
        extra: Further fields to keep in ``Problem.extra``.
        record: Fields of ``Problem`` that the row sets, such as ``program``.
        skip: Why the row has no answer, for the list of skipped items; None lets ``gold`` decide.
    """

    question: str
    gold: object
    own_id: str | None = None
    extra: Mapping[str, Any] = {}
    record: Mapping[str, Any] = {}
    skip: str | None = None


class Format(Protocol):
    """How the rows of a data format are read. The built-in formats are modules with these two functions."""

    def matches(self, row: Row) -> bool:
        """Return whether a row looks like this format; used to recognise built-in formats only."""
        ...

    def read_row(self, row: Row) -> Item:
        """Read one row.

        Raises:
            BrokenRowError: A field is missing or has the wrong type.
        """
        ...


def value_of(row: Row, key: str) -> Json:
    """Return a required field."""
    if key not in row:
        raise BrokenRowError(f"lacks the field {key!r}")
    value: Json = row[key]
    return value


def text_of(row: Row, key: str) -> str:
    """Return a required text, which must not be empty, without surrounding white space."""
    text = value_of(row, key)
    if not isinstance(text, str):
        raise BrokenRowError(f"has a {key!r} that is not text")
    if not text.strip():
        raise BrokenRowError(f"has an empty {key!r}")
    return text.strip()


def why_no_text(row: Row, key: str) -> str | None:
    """Return why a required field of an answer holds no text, as a reason to skip the row; None if it holds one.

    A row without an answer is not a reason to refuse its file, which may have a million others.

    Raises:
        BrokenRowError: There is no such field.
    """
    value = value_of(row, key)
    if isinstance(value, str):
        return None if value.strip() else f"its {key!r} is empty"
    return f"its {key!r} is {'null' if value is None else 'not text'}"


def item_without_text(
    row: Row, key: str, question: str, own_id: str | None = None, extra: Mapping[str, Any] = MappingProxyType({})
) -> Item | None:
    """Return the item of a row whose solution is not text: a number is its answer, else it is skipped by name.

    Returns:
        None if the solution is text.

    Raises:
        BrokenRowError: There is no such field.
    """
    value = value_of(row, key)
    if isinstance(value, int | float):
        return Item(question, value, own_id, extra)
    reason = why_no_text(row, key)
    return Item(question, None, own_id, extra, skip=reason) if reason else None


def id_of(row: Row, key: str) -> str | None:
    """Return the row's own id as text, or None if it has none."""
    own_id = row.get(key)
    if own_id is None or own_id == "":
        return None
    if isinstance(own_id, bool) or not isinstance(own_id, str | int):
        raise BrokenRowError(f"has an {key!r} that is neither text nor a whole number")
    return str(own_id)


def texts_of(row: Row, **keys: str) -> dict[str, str]:
    """Return the optional texts that a row has, each under a name of our own: ``type="Type"``."""
    return {name: row[key].strip() for name, key in keys.items() if isinstance(row.get(key), str)}


def join_question(*parts: str) -> str:
    """Join a story and the question about it; white space is collapsed, and a missing full stop is added.

    No full stop is added after a comma, because the sentence continues in the next part.
    """
    cleaned = [re.sub(r"\s+", " ", part).strip() for part in parts]
    *stories, question = [part for part in cleaned if part]
    return " ".join([*(story if story[-1] in ".,;:!?\"”'" else f"{story}." for story in stories), question])
