"""Our own format: objects with a ``question`` and a numeric ``answer``; all other fields of a problem are optional."""

from __future__ import annotations

from typing import get_args

from fdd_edge.data._item import BrokenRowError, Item, Row, id_of, text_of, value_of
from fdd_edge.data._solution import answer_in
from fdd_edge.records import PROBLEM_FIELDS, Origin
from fdd_edge.runs.fingerprint import Json

__all__ = ["matches", "read_row"]

_TEXTS = ("program", "parent_id", "teacher", "source")
_COUNTS = ("depth", "round", "n_ops")


def matches(row: Row) -> bool:
    """Say whether a row looks like our own format."""
    return {"question", "answer"} <= row.keys()


def read_row(row: Row) -> Item:
    """Read one row.

    Fields that a problem does not have are kept as they are. Those that a run sets itself, such as ``repeat``, are
    dropped: a data set has no say in them.
    """
    extra = {key: value for key, value in row.items() if key not in PROBLEM_FIELDS}
    return Item(text_of(row, "question"), answer_in(value_of(row, "answer")), id_of(row, "id"), extra, _record(row))


def _record(row: Row) -> dict[str, Json]:
    """Return the optional fields that are set; null means not set."""
    record = {key: row[key] for key in (*_TEXTS, *_COUNTS, "origin") if row.get(key) is not None}
    for key in _TEXTS:
        if not isinstance(record.get(key, ""), str):
            raise BrokenRowError(f"has a {key!r} that is not text")
    for key in _COUNTS:
        count = record.get(key, 0)
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise BrokenRowError(f"has a {key!r} that is not a non-negative integer")
    for key, kind in (("solution", str), ("teacher_notes", dict)):
        if isinstance(row.get(key), kind):
            record[key] = row[key]
    if record.get("origin", "seed") not in get_args(Origin):
        raise BrokenRowError(f"has the origin {record['origin']!r}; it must be one of {', '.join(get_args(Origin))}")
    return record
