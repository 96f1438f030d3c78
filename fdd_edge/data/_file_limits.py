"""How much of a machine a data file may take: it may be a stranger's, and a few kilobytes can unpack to terabytes."""

from __future__ import annotations

__all__ = ["PARQUET_MEMORY", "ROW", "UNPACKED", "WHOLE", "unpacked_limit"]

ROW = 16 << 20
"""Characters of one row, as JSON. The longest problem with all of its solutions has less than a hundredth of that."""

WHOLE = 256 << 20
"""Bytes of a file that must be in memory whole: XML, and Parquet from a pipe. Sets in XML have a megabyte."""

UNPACKED = 256 << 20
"""Bytes that any packed file may unpack to, however small it is."""

_RATIO = 100
"""How many times its own size a larger file may unpack to. Text that is packed well is twenty times as long."""

PARQUET_MEMORY = 2 << 30
"""Bytes that pyarrow may take: it holds a page of each column at a time, and honest pages have a few megabytes."""


def unpacked_limit(packed: int) -> int:
    """Return how many bytes so many packed bytes may unpack to."""
    return max(UNPACKED, _RATIO * packed)
