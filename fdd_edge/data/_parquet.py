"""Rows of a Parquet file, as a JSON line of the same content would give them."""

from __future__ import annotations

import math
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError, MissingExtraError

__all__ = ["is_parquet", "parquet_rows"]

_MAGIC = b"PAR1"


def is_parquet(path: Path) -> bool:
    """Say whether a file begins as Parquet does."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False  # said by whoever reads it as text


def parquet_rows(path: Path) -> list[dict[str, Any]]:
    """Read all rows of a Parquet file; columns of bytes, such as pictures, are left out.

    Raises:
        FddError: The file is damaged.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MissingExtraError("pyarrow", "hub") from None
    try:
        rows = parquet.ParquetFile(path).read().to_pylist()
    except (ArrowException, OSError, ValueError) as error:
        raise FddError(f"{path} is no whole Parquet file: {str(error).splitlines()[0]}") from None
    return [{key: _as_json(value) for key, value in row.items() if not _has_bytes(value)} for row in rows]


def _has_bytes(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_bytes(item) for item in value.values())
    return isinstance(value, bytes) or (isinstance(value, list) and any(_has_bytes(item) for item in value))


def _as_json(value: Any) -> Any:
    """Return a value as the JSON reader would; what no JSON holds becomes a text."""
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
