"""Reads a data file once, so that pipes work: a file, standard input named ``-``, either of them gzipped or not."""

from __future__ import annotations

import gzip
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

from fdd_edge.errors import FddError

__all__ = ["STDIN", "Content", "is_stream", "read_content"]

STDIN = "-"
"""The path that names standard input."""

_GZIP = b"\x1f\x8b"
_OTHER_ARCHIVES = {b"PK\x03\x04": "zip", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2"}


class Content(NamedTuple):
    """What a data file holds.

    Attributes:
        path: The file as messages name it.
        data: Its bytes, unpacked if they were gzipped.
    """

    path: Path
    data: bytes


def is_stream(path: Path) -> bool:
    """Return whether a path can be read only once: standard input, or a pipe."""
    return str(path) == STDIN or path.is_fifo()


def read_content(path: Path) -> Content:
    """Read a file, or standard input if the path is ``-``.

    Raises:
        FddError: It cannot be read, is damaged, or is packed in another way than with gzip.
    """
    shown = Path("standard input") if str(path) == STDIN else path
    try:
        data = sys.stdin.buffer.read() if str(path) == STDIN else path.read_bytes()
    except FileNotFoundError:
        raise FddError(f"{path} does not exist.") from None
    except OSError as error:
        raise FddError(f"{shown} cannot be read: {error.strerror}.") from None
    if data.startswith(_GZIP):
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, zlib.error) as error:
            raise FddError(f"{shown} is not a complete gzip file: {error}.") from None
    for magic, name in _OTHER_ARCHIVES.items():
        if data.startswith(magic):
            raise FddError(f"{shown} is a {name} archive; unpack it, or pack it with gzip, which is read as it is.")
    return Content(shown, data)
