"""Reads the problems of a data file or of rows in memory, and reports each item that is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge.data._data_file import DataFile, stream_data, unknown_columns
from fdd_edge.data._formats import FORMATS, load_format, recognise
from fdd_edge.data._from_reply import program_in
from fdd_edge.data._gold import parse_gold
from fdd_edge.data._item import BrokenRowError, Format, Item, Row
from fdd_edge.data._rows import PlacedRow, place_rows
from fdd_edge.data.columns import Columns
from fdd_edge.errors import FddError
from fdd_edge.records import PROBLEM_FIELDS, Problem

__all__ = ["Dataset", "Skipped", "describe_skipped", "read_dataset", "read_leniently", "read_list"]

_SHOWN = 3

_TRIED = 1000
"""Rows of each file that may show its format: the first one does, unless it is broken."""

_OURS = "fdd_edge"
"""Earlier versions began the names of their own marks with this."""

NAMED_COLUMNS = "named columns"
"""Stands for the format where the user names the columns."""


class Skipped(NamedTuple):
    """An item that was left out.

    Attributes:
        item: Its own id, or its position, such as ``line 12``.
        reason: Why it was left out.
    """

    item: str
    reason: str


class Dataset(NamedTuple):
    """The content of a data file.

    Attributes:
        name: The ``source`` of its problems.
        format: The name of its format.
        problems: In file order.
        skipped: Items without a numeric answer.
    """

    name: str
    format: str
    problems: list[Problem]
    skipped: list[Skipped]


def describe_skipped(skipped: Sequence[Skipped]) -> str:
    """Return how many items were skipped, and the first ones with their reasons, as a sentence without its stop."""
    first = ", ".join(f"{item} ({reason})" for item, reason in skipped[:_SHOWN])
    more = ", ..." if len(skipped) > _SHOWN else ""
    items = "1 item" if len(skipped) == 1 else f"{len(skipped)} items"
    return f"skipped {items} without a numeric answer: {first}{more}"


def read_dataset(
    path: Path | DataFile,
    *more: Path,
    format: str | None = None,
    name: str | None = None,
    limit: int | None = None,
    columns: Columns | None = None,
) -> Dataset:
    """Read the problems of a file, or of a data set that is split over several files.

    Args:
        path: A file as for ``open_data``, or what that returned; ``-`` is standard input.
        more: Further files of the same data set; their rows are numbered on from the first file's.
        format: A name of ``FORMATS``, or ``module:attribute``; None recognises a built-in format from the rows.
        name: The data set's name: the ``source`` of its problems and the prefix of their ids; None takes the file's.
        limit: Read only this many problems, in file order; skipped items do not count.
        columns: The columns to read, in place of a format.

    Raises:
        FddError: A file cannot be read or has a broken row, the format is unknown, two rows have the same id, no
            problem has a numeric answer, or ``limit`` is not positive.
    """
    _check_limit(limit)
    reader = _reader(format, columns)
    parts = [path if isinstance(path, DataFile) else stream_data(path), *map(stream_data, more)]
    if reader is None:
        parts, format = _recognised(parts)
        reader = load_format(format)
    dataset = _collect(parts, format or NAMED_COLUMNS, reader, name or parts[0].name, limit)
    if not dataset.problems:
        raise FddError(f"{parts[0].path} has no problem with a numeric answer ({_summary(dataset.skipped)}).")
    return dataset


def read_leniently(path: Path, *, name: str | None = None) -> Dataset:
    """Read the problems of a file in any built-in format; broken rows are skipped like those without an answer.

    Args:
        path: The file.
        name: The data set's name, as for ``read_dataset``.

    Returns:
        The data set, which may hold no problem.

    Raises:
        FddError: The file cannot be read, or is damaged in a way that leaves no rows to tell apart.
    """
    file = stream_data(path, lenient=True)
    rows = list(file.rows)
    format = recognise([placed.row for placed in rows[:_TRIED]]) or "jsonl"
    return _collect([file._replace(rows=rows)], format, load_format(format), name or file.name, None, lenient=True)


def _recognised(parts: Sequence[DataFile]) -> tuple[list[DataFile], str]:
    """Return files whose rows can still be taken, and the built-in format that these are in.

    Raises:
        FddError: They are in none.
    """
    iterators = [iter(part.rows) for part in parts]
    tried: list[list[PlacedRow]] = [[] for _ in parts]
    for rows, seen in zip(iterators, tried, strict=True):
        for placed in islice(rows, _TRIED):
            seen.append(placed)
            if (format := recognise([placed.row])) is not None:
                rest = [chain(*pair) for pair in zip(tried, iterators, strict=True)]
                return [part._replace(rows=rows) for part, rows in zip(parts, rest, strict=True)], format
    raise FddError(unknown_columns(parts[0].path, tried[0][0]))


def read_list(
    rows: Iterable[Mapping[str, Any]],
    *,
    name: str = "list",
    limit: int | None = None,
    columns: Columns | None = None,
) -> Dataset:
    """Read problems from rows in memory, in any built-in format; in our own they have ``question`` and ``answer``.

    Args:
        rows: The rows; numbers may also be numpy's.
        name: The data set's name, as for ``read_dataset``.
        limit: Read only this many problems; skipped rows do not count.
        columns: The columns to read instead.

    Raises:
        FddError: There are none, a row is broken (the message gives its number), or none has a numeric answer.
    """
    _check_limit(limit)
    placed = place_rows(rows)
    if not placed:
        raise FddError("The list of problems is empty.")
    part = DataFile(None, placed, name)
    if columns is not None:
        dataset = _collect([part], NAMED_COLUMNS, columns, name, limit)
    else:
        format = recognise([row.row for row in placed]) or _own_format(placed[0])
        dataset = _collect([part], format, load_format(format), name, limit)
    if not dataset.problems:
        raise FddError(f"The list has no problem with a numeric answer ({_summary(dataset.skipped)}).")
    return dataset


def _check_limit(limit: object) -> None:
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int)):
        raise FddError(f"limit must be a whole number, not {limit!r}.")
    if limit is not None and limit < 1:
        raise FddError(f"limit must be at least 1, not {limit}.")


def _own_format(first: PlacedRow) -> str:
    """Return our own format for rows in memory in no known one, if they mean it: its reader says what is missing.

    Raises:
        FddError: They have other columns.
    """
    if first.row.keys().isdisjoint({"question", "answer"}):
        keys = ", ".join(map(repr, first.row)) or "none"
        raise FddError(
            f"{first.place(None)} has neither question nor answer; its keys are {keys}: name those of the question and "
            "the answer with question_field and answer_field."
        )
    return "jsonl"


def _reader(format: str | None, columns: Columns | None) -> Format | None:
    """Return what reads the rows; None if that is to be recognised.

    Raises:
        FddError: The format is unknown, or columns are named as well.
    """
    if columns is None:
        return None if format is None else load_format(format)
    if format is not None:
        raise FddError(
            f"`question_field` and `answer_field` name columns in place of a format; leave out format {format!r}."
        )
    return columns


def _collect(
    parts: Sequence[DataFile], format: str, reader: Format, name: str, limit: int | None, *, lenient: bool = False
) -> Dataset:
    problems: list[Problem] = []
    skipped: list[Skipped] = []
    seen: set[str] = set()
    rows_before = 0
    for path, rows, _ in parts:
        number = rows_before
        for placed in rows:
            number = rows_before + placed.number
            try:
                found = _read_problem(path, placed, number, format, reader, name, seen)
            except FddError as error:
                if not lenient:
                    raise
                reason = error.args[0].removeprefix(f"{placed.place(path)} ").removesuffix(".")
                found = Skipped(f"{placed.kind} {number}", reason)
            if isinstance(found, Skipped):
                skipped.append(found)
                continue
            problems.append(found)
            if len(problems) == limit:  # before another row is read, which may be far, or the end of a pipe
                return Dataset(name, format, problems, skipped)
        rows_before = number
    return Dataset(name, format, problems, skipped)


def _read_problem(
    path: Path | None, placed: PlacedRow, number: int, format: str, reader: Format, name: str, seen: set[str]
) -> Problem | Skipped:
    """Return the problem of a row, whose id joins those that were seen, or why it has no answer.

    Raises:
        FddError: The row is broken, or its id was seen.
    """
    item = _read_item(path, placed, format, reader)
    answer = None if item.skip else parse_gold(item.gold)
    if answer is None:
        reason = item.skip or _not_numeric(item.gold)
        return Skipped(item.own_id or f"{placed.kind} {number}", reason)
    own_id = item.own_id or str(number)
    id = _prefixed(name, own_id)
    if id in seen:
        raise FddError(f"{placed.place(path)} has the same id as an earlier row: {own_id!r}.")
    seen.add(id)
    fields = {"source": name, **item.record}
    if "program" not in fields:
        fields |= program_in(_other_columns(placed.row, format, reader), answer)
    extra = {key: value for key, value in item.extra.items() if not _is_ours(key)}
    return Problem(id=id, question=item.question, answer=answer, extra=extra, **fields)


def _other_columns(row: Row, format: str, reader: Format) -> Row:
    """Return the columns of a row that may hold a program: none if the format is another package's."""
    if isinstance(reader, Columns):
        return {key: value for key, value in row.items() if key not in (reader.question, reader.answer)}
    return row if format in FORMATS else {}


def _read_item(path: Path | None, placed: PlacedRow, format: str, reader: Format) -> Item:
    place = placed.place(path)
    if placed.fault is not None:
        raise FddError(f"{place} {placed.fault}.")
    try:
        item = reader.read_row(placed.row)
    except BrokenRowError as error:
        suffix = "" if isinstance(reader, Columns) else f" (format {format})"
        raise FddError(f"{place} {error}{suffix}.") from None
    except Exception as error:
        error.add_note(f"while the data format {format} read {place.removesuffix(',')}")
        raise
    if not isinstance(item, Item):
        raise FddError(f"The data format {format} must return an fdd_edge.data.Item, not {type(item).__name__}.")
    return item


def _is_ours(key: str) -> bool:
    """Return whether a field would be read as one of our own once the problem is written: it is a stranger's."""
    return key in PROBLEM_FIELDS or key.startswith(_OURS)


def _prefixed(name: str, own_id: str) -> str:
    # A file written from these problems has the same ids when it is read again under its name.
    return own_id if own_id.startswith(f"{name}-") else f"{name}-{own_id}"


def _not_numeric(gold: object) -> str:
    shown = repr(gold)
    return f"not numeric: {shown if len(shown) <= 60 else shown[:57] + '...'}"


def _summary(skipped: Sequence[Skipped]) -> str:
    """Count what was skipped and show the most common reasons."""
    counts = Counter(entry.reason for entry in skipped)
    reasons = ", ".join(f"{reason} x{n}" if n > 1 else reason for reason, n in counts.most_common(3))
    return f"{len(skipped)} skipped: {reasons}{', ...' if len(counts) > 3 else ''}"
