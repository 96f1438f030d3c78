"""TinyGSM (Liu et al. 2023, arXiv 2312.09241): ``question``, and ``code`` with a function that computes the answer.

The code is interpreted as the program language and never run by Python.
"""

from __future__ import annotations

from fdd_edge.data._item import Item, Row, text_of, why_no_text
from fdd_edge.ondevice.language import ProgramError, compute

__all__ = ["matches", "read_row"]


def matches(row: Row) -> bool:
    """Return whether a row looks like TinyGSM."""
    return {"question", "code"} <= row.keys()


def read_row(row: Row) -> Item:
    """Read one row; code that is outside the program language is a reason to skip it."""
    question = text_of(row, "question")
    if reason := why_no_text(row, "code"):
        return Item(question, None, skip=reason)
    try:
        program, answer = compute(row["code"])
    except ProgramError as error:
        return Item(question, None, skip=f"its code gives no number: {error}")
    return Item(question, answer, record={"program": program})
