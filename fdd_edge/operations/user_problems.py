"""Problems as a user hands them over: records of a run, a data set in any known format, or rows in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fdd_edge.data import read_dataset, read_list
from fdd_edge.errors import FddError
from fdd_edge.records import Problem, read_jsonl, read_problems

__all__ = ["read_user_problems"]


def read_user_problems(data: str | os.PathLike[str] | Iterable[Mapping[str, Any]]) -> list[Problem]:
    """Read problem records, such as a round's, a data set as `fdd-edge eval` reads it, or rows in memory.

    Raises:
        FddError: They cannot be read; says which row is broken.
    """
    if isinstance(data, str | os.PathLike):
        path = Path(data)
        return read_problems(path) if _holds_records(path) else read_dataset(path).problems
    if not isinstance(data, Iterable):
        raise FddError(f"Problems must be a path or a list of dicts, not {data!r}.")
    return read_list(data).problems


def _holds_records(path: Path) -> bool:
    """Return whether a row has the fields that no row of a data set needs; a broken record may lack them."""
    try:
        return any({"source", "origin"} <= row.keys() for _, row in read_jsonl(path))
    except FddError:
        return False
