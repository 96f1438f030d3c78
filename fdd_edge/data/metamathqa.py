"""MetaMathQA (Yu et al. 2023, arXiv 2309.12284): ``query``, and a ``response`` that ends in ``The answer is: 5``."""

from __future__ import annotations

from fdd_edge.data._item import Item, Row, item_without_text, text_of, texts_of
from fdd_edge.data._solution import UNMARKED, final_answer, stated_answer

__all__ = ["matches", "read_row"]


def matches(row: Row) -> bool:
    """Return whether a row looks like MetaMathQA."""
    return {"query", "response"} <= row.keys()


def read_row(row: Row) -> Item:
    """Read one row; its last sentence goes before a box in the middle of the response."""
    question, tags = text_of(row, "query"), texts_of(row, type="type")
    if bare := item_without_text(row, "response", question, None, tags):
        return bare
    response = text_of(row, "response")
    gold = stated_answer(response) or final_answer(response)
    skip = UNMARKED if gold is None else None
    return Item(question, gold, None, tags, {"solution": response}, skip)
