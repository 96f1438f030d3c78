"""GSM8K (Cobbe et al. 2021, arXiv 2110.14168): the answer is a worked solution that ends in ``#### 72``.

The solution holds calculator notes, ``<<48/2=24>>``, from which the annotated teacher makes programs.
"""

from __future__ import annotations

from fdd_edge.data._item import Item, Row, text_of

__all__ = ["matches", "read_row"]

_FINAL = "####"


def matches(row: Row) -> bool:
    """Say whether a row looks like GSM8K."""
    return "question" in row and isinstance(row.get("answer"), str) and _FINAL in row["answer"]


def read_row(row: Row) -> Item:
    """Read one row; the gold answer follows the last ``####``."""
    solution = text_of(row, "answer")
    gold = solution.rpartition(_FINAL)[2].strip()
    return Item(text_of(row, "question"), gold, None, {}, {"solution": solution})
