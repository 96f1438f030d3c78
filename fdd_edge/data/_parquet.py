"""Reads the rows of a Parquet file, as JSON lines with the same content would be read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

from fdd_edge.data._file_limits import PARQUET_MEMORY, unpacked_limit
from fdd_edge.errors import FddError, MissingExtraError
from fdd_edge.ondevice.bounded import BoundedError, BoundedFunction
from fdd_edge.runs.fingerprint import Json

__all__ = ["MAGIC", "parquet_rows"]

MAGIC = b"PAR1"

_BATCH = 64
"""Rows that are unpacked at a time."""

_ROW_BYTES = 200
"""What a row counts for at least: a Python object for each of a billion equal numbers takes memory too."""


def parquet_rows(path: Path, source: Path | bytes) -> Iterator[dict[str, Json]]:
    """Yield the rows of a Parquet file; columns of bytes, such as images, are left out.

    A page of a few bytes may hold a text of gigabytes, or a billion rows. So pyarrow runs in a child process that is
    limited in memory, and the rows are unpacked as they are needed.

    Args:
        path: The file, for messages.
        source: Where it is, or its content.

    Raises:
        FddError: The file is damaged, or unpacks to too much.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("pyarrow", "hub") from None
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    batches: Iterator[Any] | None = None
    taken = 0

    def next_rows(_: None) -> list[dict[str, Json]] | None:
        nonlocal batches, taken
        if batches is None:
            file = BytesIO(source) if isinstance(source, bytes) else source
            opened = parquet.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)
            batches = opened.iter_batches(batch_size=_BATCH, use_threads=False)
        batch = next(batches, None)
        if batch is None:
            return None
        found: list[dict[str, Any]] = batch.to_pylist()
        rows = [{key: _as_json(value) for key, value in row.items() if not _has_bytes(value)} for row in found]
        # Not batch.nbytes, in which a text that is repeated counts once.
        taken += max(len(json.dumps(rows)), _ROW_BYTES * len(rows))
        if taken > unpacked_limit(size):
            raise _TooLargeError(taken)
        return rows

    with BoundedFunction(next_rows, memory=PARQUET_MEMORY) as bounded:
        try:
            while (rows := bounded(None)) is not None:
                yield from rows
        except BoundedError as error:
            first = str(error).splitlines()[0]
            if error.over_limit or first.startswith(_TooLargeError.START):
                raise FddError(
                    f"{path} cannot be read: it {first}, and has {size:,} bytes itself. Set `limit`, or convert it to "
                    "JSON lines if you trust it."
                ) from None
            raise FddError(f"{path} is not a complete Parquet file: {first}") from None


class _TooLargeError(Exception):
    START = "unpacks to more than"

    def __init__(self, taken: int) -> None:
        super().__init__(f"{self.START} {taken >> 20} MB")


def _has_bytes(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_bytes(item) for item in value.values())
    return isinstance(value, bytes) or (isinstance(value, list) and any(_has_bytes(item) for item in value))


def _as_json(value: object) -> Json:
    """Return a value as the JSON reader would; what JSON cannot represent becomes text."""
    match value:
        case dict():
            return {str(key): _as_json(item) for key, item in value.items()}
        case list() | tuple():
            return [_as_json(item) for item in value]
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case float() if not math.isfinite(value):
            return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
        case datetime() | date() | time():
            return value.isoformat()
        case None | bool() | int() | float() | str():
            return value
    return str(value)
