"""Problems as a user hands them over: records of a run, a data set in any known format, or rows in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fdd_edge.data import read_dataset
from fdd_edge.errors import FddError
from fdd_edge.records import Problem, read_jsonl, read_problems, write_jsonl

__all__ = ["read_rows_of_user", "read_user_problems"]


def read_user_problems(path: Path) -> list[Problem]:
    """Read problem records, such as a round's, or a data set as `fdd-edge eval` reads it.

    Raises:
        FddError: The file cannot be read.
    """
    return read_problems(path) if _holds_records(path) else read_dataset(path).problems


def read_rows_of_user(rows: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Read rows with ``question`` and ``answer``, and ``program`` for training.

    Raises:
        FddError: There are none, or a row is broken; names it.
    """
    if not rows:
        raise FddError("The list of problems is empty.")
    if wrong := [row for row in rows if not isinstance(row, Mapping)]:
        raise FddError(f"Each problem must be a dict with question and answer, not {wrong[0]!r}.")
    with tempfile.TemporaryDirectory(prefix="fdd-edge-") as folder:
        path = Path(folder) / "list.jsonl"
        write_jsonl(path, rows)
        try:
            return read_dataset(path, format="jsonl").problems
        except FddError as error:
            # The rows are not from a file, so a line of the temporary file is a row of the list.
            raise FddError(str(error).replace(f"{path}:", "problem ")) from None


def _holds_records(path: Path) -> bool:
    """Return whether a row has the fields that no row of a data set needs; a broken record may lack them."""
    try:
        return any({"source", "origin"} <= row.keys() for _, row in read_jsonl(path))
    except FddError:
        return False
