"""A disk that is full, a quota that is used up, a file that may not grow: one error, whatever library met it."""

from __future__ import annotations

import errno
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fdd_edge.errors import GateError, ParityError, TargetError

__all__ = ["full_disk_detected"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PROBE_BYTES = 1 << 20
"""A disk that is not full has room for this much."""

_FAT_LIMIT = (1 << 32) - 1
"""Bytes of the largest file that FAT32 can hold."""


@contextmanager
def full_disk_detected(folder: Path, made: Path) -> Iterator[None]:
    """Turn the errors in which libraries wrap a full disk back into the system's own, with the folder's name.

    Args:
        folder: Where the block writes.
        made: The file or folder in it that the block makes.
    """
    try:
        yield
    except (GateError, ParityError):
        raise  # the work is done, and this is its result
    except Exception as error:
        known = _stated(error) or _full_disk_error(folder) or _file_limit_error(made)
        if known is None or getattr(error, "filename", None) is not None:
            raise
        raise OSError(known, os.strerror(known), str(folder)) from error


def _stated(error: BaseException) -> int | None:
    """Return the error number that an error, or one that it was raised from, says; else None."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return cause.errno
        # Libraries in Rust, and programs that were started, report it as text. A TargetError speaks of another machine.
        if not isinstance(cause, TargetError):
            for number in _FULL:
                if f"(os error {number})" in str(cause) or f"[Errno {number}]" in str(cause):
                    return number
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return None


def _full_disk_error(folder: Path) -> int | None:
    """Return the error number if the disk, or the user's quota, is full; else None."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBE_BYTES))
    except OSError as error:
        return error.errno if error.errno in _FULL else None
    return None


def _file_limit_error(made: Path) -> int | None:
    """Return the error number if a file is as large as it may be, by the system's limit or by that of FAT32."""
    limits = {_FAT_LIMIT, resource.getrlimit(resource.RLIMIT_FSIZE)[0]} - {resource.RLIM_INFINITY}
    with suppress(OSError):
        for path in (made, *made.rglob("*")):
            # What was still buffered when the limit was reached is missing from the file.
            if path.is_file() and any(limit - _PROBE_BYTES <= path.lstat().st_size <= limit for limit in limits):
                return errno.EFBIG
    return None
