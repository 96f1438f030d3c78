"""OpenMathInstruct 1 and 2 (arXiv 2402.10176, 2410.01560): problems with solutions that a model wrote.

The first has ``question`` and says in ``is_correct`` whether the solution is right, the second has ``problem``.
"""

from __future__ import annotations

from fdd_edge.data._item import Item, Row, text_of, texts_of, value_of
from fdd_edge.data._solution import answer_text

__all__ = ["matches", "read_row"]


def matches(row: Row) -> bool:
    """Return whether a row looks like OpenMathInstruct."""
    return {"generated_solution", "expected_answer"} <= row.keys() and not row.keys().isdisjoint(
        {"problem", "question"}
    )


def read_row(row: Row) -> Item:
    """Read one row; a solution known to be wrong is dropped, its problem is kept."""
    question = text_of(row, "problem" if "problem" in row else "question")
    expected = value_of(row, "expected_answer")
    solution = {} if row.get("is_correct") is False else texts_of(row, solution="generated_solution")
    tags = texts_of(row, problem_source="problem_source", dataset="dataset")
    return Item(question, answer_text(expected) if isinstance(expected, str) else expected, None, tags, solution)
