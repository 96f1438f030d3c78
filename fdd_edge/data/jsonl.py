"""Our own format: objects with a ``question`` and a numeric ``answer``; all other fields of a problem are optional."""

from __future__ import annotations

from typing import Any, get_args

from fdd_edge.data._item import BrokenRowError, Item, Row, id_of, text_of, value_of
from fdd_edge.records import Origin

__all__ = ["matches", "read_row"]

_TEXTS = ("program", "parent_id", "teacher", "source")
_COUNTS = ("depth", "round", "n_ops")
_OWN = {"id", "question", "answer", "origin", *_TEXTS, *_COUNTS}


def matches(row: Row) -> bool:
    """Say whether a row looks like our own format."""
    return {"question", "answer"} <= row.keys()


def read_row(row: Row) -> Item:
    """Read one row; fields that no problem has are kept as they are."""
    extra = {key: value for key, value in row.items() if key not in _OWN}
    return Item(text_of(row, "question"), value_of(row, "answer"), id_of(row, "id"), extra, _record(row))


def _record(row: Row) -> dict[str, Any]:
    """Return the optional fields that are set; null means not set."""
    record = {key: row[key] for key in (*_TEXTS, *_COUNTS, "origin") if row.get(key) is not None}
    for key in _TEXTS:
        if not isinstance(record.get(key, ""), str):
            raise BrokenRowError(f"has a {key!r} that is not a text")
    for key in _COUNTS:
        count = record.get(key, 0)
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise BrokenRowError(f"has a {key!r} that is not a whole number from 0 on")
    if record.get("origin", "seed") not in get_args(Origin):
        raise BrokenRowError(f"has the origin {record['origin']!r}; known are {', '.join(get_args(Origin))}")
    return record
