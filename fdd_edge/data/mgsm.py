"""MGSM (Shi et al. 2022, arXiv 2210.03057): GSM8K in eleven languages, with the number in ``answer_number``."""

from __future__ import annotations

from fdd_edge.data._item import Item, Row, text_of, texts_of, value_of

__all__ = ["matches", "read_row"]


def matches(row: Row) -> bool:
    """Return whether a row looks like MGSM."""
    return {"question", "answer_number"} <= row.keys()


def read_row(row: Row) -> Item:
    """Read one row; ``answer`` is a worked solution, or null in the test split."""
    tags = texts_of(row, equation="equation_solution")
    return Item(text_of(row, "question"), value_of(row, "answer_number"), None, tags, texts_of(row, solution="answer"))
