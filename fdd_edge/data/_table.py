"""Reads CSV and TSV: a header with the names of the columns, then a row per problem."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from fdd_edge.data.splits import TABLES
from fdd_edge.errors import FddError

__all__ = ["is_table", "table_rows"]

_DELIMITERS = "\t,;"


def is_table(path: Path, text: str) -> bool:
    """Return whether a text is CSV or TSV: by its name, or by its first line if that has no suffix, as of a pipe."""
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix:
        return suffix in TABLES
    first = text.lstrip().split("\n", 1)[0]
    return first[:1] not in ("[", "{", "<") and any(sign in first for sign in _DELIMITERS)


def table_rows(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Yield the rows of a CSV or TSV file, each with the line it begins on; an empty cell is null.

    Args:
        path: The file, for messages.
        lines: Its lines. Columns are separated by tabs, else by commas, else by semicolons, as its header shows.

    Raises:
        FddError: A quote is not closed, a cell is too long, or a row has more cells than the header.
    """
    before, first = 0, next(lines, "")
    while not first.strip() and (more := next(lines, None)) is not None:
        before, first = before + 1, more
    delimiter = next((sign for sign in _DELIMITERS if sign in first), ",")
    # An unclosed quote would swallow all rows that follow, so the reader is strict.
    reader = csv.reader((f"{line}\n" for line in chain([first], lines)), delimiter=delimiter, strict=True)
    header: list[str] = []
    line = before + 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise FddError(f"{path}:{line} is not valid CSV: {error}.") from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            if not header:
                header = _header(path, line, cells)
            else:
                yield line, _row(path, line, header, cells)
        line = before + reader.line_num + 1


def _header(path: Path, line: int, cells: list[str]) -> list[str]:
    header = [cell.strip() for cell in cells]
    if twice := [name for name in header if name and header.count(name) > 1]:
        raise FddError(f"{path}:{line} names the column {twice[0]!r} twice; rename one.")
    return header


def _row(path: Path, line: int, header: list[str], cells: list[str]) -> dict[str, str | None]:
    if any(cell.strip() for cell in cells[len(header) :]):
        raise FddError(
            f"{path}:{line} has {len(cells)} cells, and its header has {len(header)}: put a cell that contains the "
            "separator into quotes."
        )
    padded = [*cells, *[""] * (len(header) - len(cells))]
    return {name: cell or None for name, cell in zip(header, padded, strict=False) if name}
