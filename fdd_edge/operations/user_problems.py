"""Problems as a user hands them over: records of a run, a data set in any known format, or rows in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

from fdd_edge.data import Columns, DataFile, Dataset, describe_skipped, open_data, read_dataset, read_list
from fdd_edge.errors import FddError
from fdd_edge.progress import warn
from fdd_edge.records import RUN_MARKS, Problem
from fdd_edge.resolve.run_file import is_file_of_run

__all__ = ["read_user_problems"]


def read_user_problems(
    data: str | os.PathLike[str] | Iterable[Mapping[str, Any]], columns: Columns | None = None
) -> list[Problem]:
    """Read problem records, such as a round's, a data set as `fdd-edge eval` reads it, or rows in memory.

    The marks that a run sets on its problems, such as ``repeat``, count only in a file of a run: anybody may write
    them.

    Args:
        data: A file, ``-`` for standard input, or rows.
        columns: The columns to read, in place of a format.

    Raises:
        FddError: They cannot be read; says which row is broken.
    """
    if isinstance(data, str | os.PathLike):
        path = Path(data)
        file = open_data(path)
        if columns is None and _holds_records(file):
            return _records(file, frozenset() if is_file_of_run(path) else RUN_MARKS)
        return _numeric(read_dataset(file, columns=columns))
    if not isinstance(data, Iterable):
        raise FddError(f"Problems must be a path or a list of dicts, not {data!r}.")
    return _numeric(read_list(data, columns=columns))


def _holds_records(file: DataFile) -> bool:
    """Return whether a row has the fields that no row of a data set needs; a broken record may lack them."""
    return any({"source", "origin"} <= placed.row.keys() for placed in file.rows)


def _records(file: DataFile, ignored: Set[str]) -> list[Problem]:
    problems = []
    for placed in file.rows:
        place = placed.place(file.path).removesuffix(",")
        try:
            problems.append(Problem.from_row({key: v for key, v in placed.row.items() if key not in ignored}))
        except KeyError as error:
            raise FddError(f"{place} lacks the field {error.args[0]!r}.") from None
        except TypeError as error:
            raise FddError(f"{place}: {error}.") from None
    return problems


def _numeric(dataset: Dataset) -> list[Problem]:
    """Return the problems of a data set, and say how many have no numeric answer."""
    if dataset.skipped:
        warn(f"{dataset.name}: {describe_skipped(dataset.skipped)}")
    return dataset.problems
