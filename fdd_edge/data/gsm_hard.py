"""GSM-Hard (Gao et al. 2022, arXiv 2211.10435): GSM8K with large numbers, as ``input`` and ``target``."""

from __future__ import annotations

from fdd_edge.data._from_reply import compute
from fdd_edge.data._item import Item, Row, text_of, value_of
from fdd_edge.ondevice.language import ProgramError
from fdd_edge.records import same_answer

__all__ = ["matches", "read_row"]


def matches(row: Row) -> bool:
    """Return whether a row looks like GSM-Hard."""
    return {"input", "target"} <= row.keys()


def read_row(row: Row) -> Item:
    """Read one row; its ``code`` becomes the program if it computes the target."""
    target, code = value_of(row, "target"), row.get("code")
    program: dict[str, str] = {}
    if isinstance(code, str) and isinstance(target, int | float):
        try:
            computed = compute(code)
            program = {"program": computed.program} if same_answer(computed.answer, target) else {}
        except ProgramError:
            pass  # the target is the answer all the same
    return Item(text_of(row, "input"), target, None, {}, program)
