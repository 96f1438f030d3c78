"""A data file: its rows, and the name that it gives to a data set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from fdd_edge.data._content import is_stream, open_content, shown_path
from fdd_edge.data._formats import known_formats
from fdd_edge.data._rows import PlacedRow, read_rows
from fdd_edge.errors import FddError

__all__ = ["DataFile", "open_data", "stream_data", "unknown_columns"]

_COLUMNS_SHOWN = 8


class DataFile(NamedTuple):
    """The rows of a data file.

    Attributes:
        path: The file as messages name it; None for rows in memory.
        rows: At least one. Those of a file that is being read can be taken only once.
        name: The name that the file gives to a data set.
    """

    path: Path | None
    rows: Iterable[PlacedRow]
    name: str


def open_data(path: Path) -> DataFile:
    """Read the rows of a file with a JSON array, JSON lines, Parquet or XML, gzipped or not, or of standard input.

    Raises:
        FddError: It cannot be read, is damaged, or has no rows.
    """
    file = stream_data(path)
    return file._replace(rows=list(file.rows))


def stream_data(path: Path, *, lenient: bool = False) -> DataFile:
    """Return a file like ``open_data``, whose rows are read when they are taken; its errors are raised then.

    Args:
        path: The file.
        lenient: Whether broken lines are rows with a fault, see ``read_rows``.
    """
    return DataFile(shown_path(path), _rows(path, lenient), _name_of(path))


def _rows(path: Path, lenient: bool) -> Iterator[PlacedRow]:
    with open_content(path) as content:
        rows = read_rows(content, lenient=lenient)
        if rows is None:
            raise FddError(f"{content.path} is not in a known data format. Known: {known_formats()}.")
        if (first := next(rows, None)) is None:
            raise FddError(f"{content.path} has no problems.")
        yield first
        yield from rows


def unknown_columns(path: Path | None, first: PlacedRow) -> str:
    """Return the error for a file in no built-in format, given its first row."""
    keys = ", ".join(map(repr, islice(first.row, _COLUMNS_SHOWN))) + (
        ", ..." if len(first.row) > _COLUMNS_SHOWN else ""
    )
    return (
        f"{path} is not in a known data format: its first {first.kind} has "
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
