"""ASDiv (Miao et al. 2020, arXiv 2106.15772): XML, or JSON exports with the same names in lower case.

Some answers are words, times, ratios or several numbers; items with those are skipped.
"""

from __future__ import annotations

from fdd_edge.data._item import Item, Row, id_of, join_question, text_of, texts_of, value_of

__all__ = ["matches", "read_row"]


def matches(row: Row) -> bool:
    """Return whether a row looks like ASDiv."""
    return {"body", "question", "answer"} <= row.keys()


def read_row(row: Row) -> Item:
    """Read one row; solution type, formula and grade are kept as tags."""
    question = join_question(text_of(row, "body"), text_of(row, "question"))
    tags = texts_of(row, type="solution_type", equation="formula", grade="grade")
    return Item(question, value_of(row, "answer"), id_of(row, "id"), tags)
