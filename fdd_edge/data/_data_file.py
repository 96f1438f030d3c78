"""A data file: its rows, and the name that it gives to a data set."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from fdd_edge.data._content import is_stream, read_content
from fdd_edge.data._formats import known_formats
from fdd_edge.data._rows import PlacedRow, read_rows
from fdd_edge.errors import FddError

__all__ = ["DataFile", "open_data", "unknown_columns"]

_COLUMNS_SHOWN = 8


class DataFile(NamedTuple):
    """The rows of a data file.

    Attributes:
        path: The file as messages name it; None for rows in memory.
        rows: At least one.
        name: The name that the file gives to a data set.
    """

    path: Path | None
    rows: list[PlacedRow]
    name: str


def open_data(path: Path) -> DataFile:
    """Read the rows of a file with a JSON array, JSON lines, Parquet or XML, gzipped or not, or of standard input.

    Raises:
        FddError: It cannot be read, is damaged, or has no rows.
    """
    content = read_content(path)
    rows = read_rows(content)
    if rows is None:
        raise FddError(f"{content.path} is not in a known data format. Known: {known_formats()}.")
    if not rows:
        raise FddError(f"{content.path} has no problems.")
    return DataFile(content.path, rows, _name_of(path))


def unknown_columns(file: DataFile) -> str:
    """Return the error for rows that are in no built-in format."""
    first = file.rows[0]
    keys = ", ".join(map(repr, islice(first.row, _COLUMNS_SHOWN))) + (
        ", ..." if len(first.row) > _COLUMNS_SHOWN else ""
    )
    return (
        f"{file.path} is not in a known data format: its first {first.kind} has "
        f"{f'the columns {keys}' if keys else 'no columns'}; name those of the question and the answer with "
        "--question-field and --answer-field (`question_field` and `answer_field` in a config), or name one of the "
        f"formats {known_formats()}."
    )


def _name_of(path: Path) -> str:
    """Return the name that a file gives to its data set."""
    if is_stream(path):
        return "stdin"
    stem = Path(path.name.removesuffix(".gz")).stem
    return re.sub(r"[^\w-]+", "-", stem).strip("-") or "data"
