r"""MATH (Hendrycks et al. 2021, arXiv 2103.03874), NuminaMath and their like: the answer is in the solution's last box.

Later sets have the answer in a column of its own, such as MATH-500, NuminaMath-1.5 and DeepScaleR; it goes first.
"""

from __future__ import annotations

from fdd_edge.data._item import BrokenRowError, Item, Row, id_of, item_without_text, text_of, texts_of
from fdd_edge.data._solution import UNMARKED, answer_text, final_answer

__all__ = ["matches", "read_row"]


def matches(row: Row) -> bool:
    """Return whether a row looks like MATH."""
    return "problem" in row and not row.keys().isdisjoint({"solution", "answer"})


def read_row(row: Row) -> Item:
    """Read one row; level, type and the collection that a problem comes from are kept as tags."""
    question, solution, answer = text_of(row, "problem"), texts_of(row, solution="solution"), row.get("answer")
    tags = texts_of(row, level="level", type="type", subject="subject", collection="source")
    own_id = id_of(row, "unique_id") or id_of(row, "id")
    if answer is None or answer == "":
        if row.keys().isdisjoint({"solution", "answer"}):
            raise BrokenRowError("has neither a 'solution' that is text nor an 'answer'")
        if bare := item_without_text(row, "solution" if "solution" in row else "answer", question, own_id, tags):
            return bare
        gold: object = final_answer(solution["solution"])
    else:
        gold = (final_answer(answer) or answer_text(answer)) if isinstance(answer, str) else answer
    return Item(question, gold, own_id, tags, solution, UNMARKED if gold is None else None)
