"""Rows whose columns the user names: ``question_field`` and ``answer_field``."""

from __future__ import annotations

from dataclasses import dataclass

from fdd_edge.data._item import BrokenRowError, Item, Row, id_of, text_of, texts_of
from fdd_edge.data._solution import answer_in
from fdd_edge.records import PROBLEM_FIELDS

__all__ = ["Columns"]


@dataclass(frozen=True)
class Columns:
    """A format of named columns.

    Attributes:
        question: The column of the question.
        answer: The column of the answer: a number, or a worked solution that marks it.
    """

    question: str = "question"
    answer: str = "answer"

    def matches(self, row: Row) -> bool:
        """Return whether a row has both columns."""
        return {self.question, self.answer} <= row.keys()

    def read_row(self, row: Row) -> Item:
        """Read one row; ``id``, ``program`` and ``solution`` mean what they mean in our own format.

        Raises:
            BrokenRowError: A column is missing, or the question is not text.
        """
        for option, name in (("question_field", self.question), ("answer_field", self.answer)):
            if name not in row:
                there = ", ".join(map(repr, row)) or "none"
                raise BrokenRowError(f"has no column {name!r}; its columns are {there}: set {option} to one of them")
        own = {"id", self.question, self.answer}
        record = {} if "program" in own else texts_of(row, program="program")
        record |= texts_of(row, solution="solution")
        extra = {key: value for key, value in row.items() if key not in {*PROBLEM_FIELDS, *own}}
        own_id = None if "id" in (self.question, self.answer) else id_of(row, "id")
        return Item(text_of(row, self.question), answer_in(row[self.answer]), own_id, extra, record)
