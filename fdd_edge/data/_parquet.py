"""Reads the rows of a Parquet file, as JSON lines with the same content would be read."""

from __future__ import annotations

import math
from datetime import date, datetime, time
from decimal import Decimal
from io import BytesIO
from pathlib import Path

from fdd_edge.errors import FddError, MissingExtraError
from fdd_edge.runs.fingerprint import Json

__all__ = ["is_parquet", "parquet_rows"]

_MAGIC = b"PAR1"


def is_parquet(data: bytes) -> bool:
    """Return whether the content of a file starts with Parquet's magic number."""
    return data.startswith(_MAGIC)


def parquet_rows(path: Path, data: bytes) -> list[dict[str, Json]]:
    """Read all rows of a Parquet file; columns of bytes, such as images, are left out.

    Args:
        path: The file, for messages.
        data: Its content.

    Raises:
        FddError: The file is damaged.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MissingExtraError("pyarrow", "hub") from None
    try:
        rows = parquet.ParquetFile(BytesIO(data)).read().to_pylist()
    except (ArrowException, OSError, ValueError) as error:
        raise FddError(f"{path} is not a complete Parquet file: {str(error).splitlines()[0]}") from None
    return [{key: _as_json(value) for key, value in row.items() if not _has_bytes(value)} for row in rows]


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
