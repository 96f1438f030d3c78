"""Problems as a user hands them over: records of a run, a data set in any known format, or rows in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fdd_edge.data import Columns, DataFile, Dataset, open_data, read_dataset, read_list
from fdd_edge.errors import FddError
from fdd_edge.progress import warn
from fdd_edge.records import Problem

__all__ = ["read_user_problems"]


def read_user_problems(
    data: str | os.PathLike[str] | Iterable[Mapping[str, Any]], columns: Columns | None = None
) -> list[Problem]:
    """Read problem records, such as a round's, a data set as `fdd-edge eval` reads it, or rows in memory.

    Args:
        data: A file, ``-`` for standard input, or rows.
        columns: The columns to read, in place of a format.

    Raises:
        FddError: They cannot be read; says which row is broken.
    """
    if isinstance(data, str | os.PathLike):
        file = open_data(Path(data))
        if columns is None and _holds_records(file):
            return _records(file)
        return _numeric(read_dataset(file, columns=columns))
    if not isinstance(data, Iterable):
        raise FddError(f"Problems must be a path or a list of dicts, not {data!r}.")
    return _numeric(read_list(data, columns=columns))


def _holds_records(file: DataFile) -> bool:
    """Return whether a row has the fields that no row of a data set needs; a broken record may lack them."""
    return any({"source", "origin"} <= placed.row.keys() for placed in file.rows)


def _records(file: DataFile) -> list[Problem]:
    problems = []
    for placed in file.rows:
        place = placed.place(file.path).removesuffix(",")
        try:
            problems.append(Problem.from_row(placed.row))
        except KeyError as error:
            raise FddError(f"{place} lacks the field {error.args[0]!r}.") from None
        except TypeError as error:
            raise FddError(f"{place}: {error}.") from None
    return problems


def _numeric(dataset: Dataset) -> list[Problem]:
    """Return the problems of a data set, and say how many have no numeric answer."""
    if dataset.skipped:
        first = dataset.skipped[0]
        warn(
            f"{dataset.name}: skipped {len(dataset.skipped)} items without a numeric answer; the first one, "
            f"{first.item}: {first.reason}"
        )
    return dataset.problems
