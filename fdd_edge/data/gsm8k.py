"""GSM8K (Cobbe et al. 2021, arXiv 2110.14168): the answer is a worked solution that ends in ``#### 72``.

The solution holds calculator notes, ``<<48/2=24>>``, from which the annotated teacher makes programs.
"""

from __future__ import annotations

from fdd_edge.data._item import Item, Row, item_without_text, text_of

__all__ = ["matches", "read_row"]

_FINAL = "####"


def matches(row: Row) -> bool:
    """Say whether a row looks like GSM8K."""
    return "question" in row and isinstance(row.get("answer"), str) and _FINAL in row["answer"]


def read_row(row: Row) -> Item:
    """Read one row; the gold answer follows the last ``####``, or is a number and nothing else."""
    question = text_of(row, "question")
    if bare := item_without_text(row, "answer", question):
        return bare
    solution = text_of(row, "answer")
    gold = solution.rpartition(_FINAL)[2].strip()
    return Item(question, gold, None, {}, {"solution": solution})
