"""GSM-Hard (Gao et al. 2022, arXiv 2211.10435): GSM8K with large numbers, as ``input`` and ``target``."""

from __future__ import annotations

from fdd_edge.data._item import Item, Row, text_of, value_of

__all__ = ["matches", "read_row"]


def matches(row: Row) -> bool:
    """Return whether a row looks like GSM-Hard."""
    return {"input", "target"} <= row.keys()


def read_row(row: Row) -> Item:
    """Read one row; as in any format, its ``code`` becomes the program if it computes the target."""
    return Item(text_of(row, "input"), value_of(row, "target"))
