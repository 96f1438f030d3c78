"""The entry of this room: a file in, problems out, and a word for every item left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from fdd_edge.data import asdiv, gsm8k, jsonl, multiarith, svamp
from fdd_edge.data._gold import parse_gold
from fdd_edge.data._item import BrokenRowError, Format, Item
from fdd_edge.data._rows import PlacedRow, read_rows
from fdd_edge.errors import FddError, did_you_mean
from fdd_edge.records import Problem

__all__ = ["FORMATS", "Dataset", "Skipped", "read_dataset"]

_KEYS_SHOWN = 8
# In the order they are tried: `jsonl` would take the rows of gsm8k and asdiv too.
FORMATS: Mapping[str, Format] = {
    "gsm8k": gsm8k,
    "svamp": svamp,
    "asdiv": asdiv,
    "multiarith": multiarith,
    "jsonl": jsonl,
}


class Skipped(NamedTuple):
    """An item left out: which (its own id, or ``line 12``), and why."""

    item: str
    reason: str


class Dataset(NamedTuple):
    """What a file held: its problems in file order, and the items that have no numeric answer."""

    name: str
    format: str
    problems: list[Problem]
    skipped: list[Skipped]


def read_dataset(
    path: Path, *more: Path, format: str | None = None, name: str | None = None, limit: int | None = None
) -> Dataset:
    """Read the problems of a file, or of several that follow on one another.

    Args:
        path: A file of one of ``FORMATS``; a JSON array, JSON lines and Parquet of the same rows are the same.
        more: Its further parts, whose rows are counted on.
        format: A name of ``FORMATS``; recognised from the content when None.
        name: The data set's name, the ``source`` of its problems and the start of their ids; the file's when None.
        limit: Stop after so many problems, in file order; items skipped do not count.

    Raises:
        FddError: The file cannot be read, is of no known format, has a broken row, an id twice, or no problem
            with a numeric answer; the format or the limit is none.
    """
    if format is not None and format not in FORMATS:
        raise FddError(f"There is no data format {format!r}; known are {_known()}.{did_you_mean(format, FORMATS)}")
    if limit is not None and limit < 1:
        raise FddError(f"limit must be at least 1, not {limit}.")
    parts = [_read_part(part) for part in (path, *more)]
    found = _recognise([placed for part in parts for placed in part.rows]) if format is None else format
    if found is None:
        first = parts[0].rows[0]
        keys = ", ".join(map(repr, islice(first.row, _KEYS_SHOWN)))
        raise FddError(f"{_unknown(path)} The first {first.kind} has {f'the keys {keys}' if keys else 'no keys'}.")
    dataset = _collect(parts, found, name or _name_of(path), limit)
    if not dataset.problems:
        raise FddError(f"{path} holds no problem with a numeric answer ({_summary(dataset.skipped)}).")
    return dataset


class _Part(NamedTuple):
    path: Path
    rows: list[PlacedRow]


def _read_part(path: Path) -> _Part:
    rows = read_rows(path)
    if rows is None:
        raise FddError(_unknown(path))
    if not rows:
        raise FddError(f"{path} has no problems.")
    return _Part(path, rows)


def _unknown(path: Path) -> str:
    return f"{path} is of no known data format; known are {_known()}."


def _known() -> str:
    return ", ".join(FORMATS)


def _name_of(path: Path) -> str:
    return re.sub(r"[^\w-]+", "-", path.stem).strip("-") or "data"


def _recognise(rows: Sequence[PlacedRow]) -> str | None:
    # The first row nearly always decides; the others are asked lest one broken row hides the format.
    return next((name for placed in rows for name, format in FORMATS.items() if format.matches(placed.row)), None)


def _collect(parts: Sequence[_Part], format: str, name: str, limit: int | None) -> Dataset:
    problems: list[Problem] = []
    skipped: list[Skipped] = []
    seen: set[str] = set()
    before = 0
    for path, rows in parts:
        for placed in rows:
            if len(problems) == limit:
                break
            item = _read_item(path, placed, format)
            number = before + placed.number
            answer = parse_gold(item.gold)
            if answer is None:
                skipped.append(Skipped(item.own_id or f"{placed.kind} {number}", _not_numeric(item.gold)))
                continue
            own_id = item.own_id or str(number)
            id = _prefixed(name, own_id)
            if id in seen:
                raise FddError(f"{placed.place(path)} has the id of an earlier row: {own_id!r}.")
            seen.add(id)
            fields = {"source": name, **item.record}
            problems.append(Problem(id=id, question=item.question, answer=answer, extra=item.extra, **fields))
        before += rows[-1].number
    return Dataset(name, format, problems, skipped)


def _read_item(path: Path, placed: PlacedRow, format: str) -> Item:
    try:
        return FORMATS[format].read_row(placed.row)
    except BrokenRowError as error:
        raise FddError(f"{placed.place(path)} {error} (format {format}).") from None


def _prefixed(name: str, own_id: str) -> str:
    # A file written from these problems gives the same ids when it is read again under its name.
    return own_id if own_id.startswith(f"{name}-") else f"{name}-{own_id}"


def _not_numeric(gold: object) -> str:
    shown = repr(gold)
    return f"not numeric: {shown if len(shown) <= 60 else shown[:57] + '...'}"


def _summary(skipped: Sequence[Skipped]) -> str:
    """Count what was skipped and show its commonest reasons."""
    counts = Counter(entry.reason for entry in skipped)
    reasons = ", ".join(f"{reason} x{n}" if n > 1 else reason for reason, n in counts.most_common(3))
    return f"{len(skipped)} skipped: {reasons}{', ...' if len(counts) > 3 else ''}"
