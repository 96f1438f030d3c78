"""MultiArith (Roy and Roth 2015, arXiv 1608.01413) and other sets in its format, such as AddSub and SingleEq."""

from __future__ import annotations

from fdd_edge.data._item import BrokenRowError, Item, Row, join_question, text_of, value_of, why_no_text

__all__ = ["matches", "read_row"]


def matches(row: Row) -> bool:
    """Return whether a row looks like MultiArith."""
    return {"sQuestion", "lSolutions"} <= row.keys()


def read_row(row: Row) -> Item:
    """Read one row.

    ``iIndex`` is not used as an id: the sets that share this format number their items in different ways.
    """
    question, found = join_question(text_of(row, "sQuestion")), value_of(row, "lSolutions")
    if found is None:
        return Item(question, None, skip=why_no_text(row, "lSolutions"))
    solutions, equations = _texts(found, "lSolutions"), _texts(row.get("lEquations") or [], "lEquations")
    extra = {"equation": "; ".join(equations)} if equations else {}
    return Item(question, "; ".join(solutions), None, extra)


def _texts(values: object, key: str) -> list[str]:
    if not isinstance(values, list):
        raise BrokenRowError(f"has a {key!r} that is not a list")
    return [str(value) for value in values]
