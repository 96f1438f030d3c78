"""SVAMP (Patel et al. 2021, arXiv 2103.07191): a story in ``Body``, often without its full stop, and a ``Question``."""

from __future__ import annotations

from fdd_edge.data._item import Item, Row, id_of, join_question, text_of, texts_of, value_of

__all__ = ["matches", "read_row"]


def matches(row: Row) -> bool:
    """Return whether a row looks like SVAMP."""
    return {"Body", "Question", "Answer"} <= row.keys()


def read_row(row: Row) -> Item:
    """Read one row; ``Type`` and ``Equation`` are kept as tags."""
    question = join_question(text_of(row, "Body"), text_of(row, "Question"))
    return Item(question, value_of(row, "Answer"), id_of(row, "ID"), texts_of(row, type="Type", equation="Equation"))
