"""Instruction sets in the form of Alpaca, such as MathInstruct: ``instruction``, ``output``, and at times ``input``."""

from __future__ import annotations

from fdd_edge.data._from_reply import item_of_reply
from fdd_edge.data._item import Item, Row, id_of, item_without_text, text_of, texts_of

__all__ = ["matches", "read_row"]


def matches(row: Row) -> bool:
    """Return whether a row is an instruction and its output."""
    return {"instruction", "output"} <= row.keys()


def read_row(row: Row) -> Item:
    """Read one row; an ``input`` follows the instruction on a line of its own."""
    given = texts_of(row, input="input").get("input")
    question = text_of(row, "instruction") + (f"\n{given}" if given else "")
    own_id, tags = id_of(row, "id"), texts_of(row, collection="source")
    bare = item_without_text(row, "output", question, own_id, tags)
    return bare or item_of_reply(question, text_of(row, "output"), own_id, tags)
