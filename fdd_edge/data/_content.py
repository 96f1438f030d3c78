"""Reads a data file once and from its beginning on, so that pipes work: a file, or standard input, gzipped or not."""

from __future__ import annotations

import codecs
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Timer
from typing import IO, Any, NamedTuple

from fdd_edge.data._file_limits import WHOLE, unpacked_limit
from fdd_edge.errors import FddError
from fdd_edge.progress import warn

__all__ = ["STDIN", "Content", "is_stream", "open_content", "shown_path"]

STDIN = "-"
"""The path that names standard input."""

_GZIP = b"\x1f\x8b"
_OTHER_ARCHIVES = {b"PK\x03\x04": "zip", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2"}
_CHUNK = 1 << 18
_PATIENCE = 5.0
"""Seconds after which the user is told that a pipe holds nothing: without a writer, it never will."""


class Content(NamedTuple):
    """What a data file holds.

    Attributes:
        path: The file as messages name it.
        stream: Its bytes, unpacked if they were gzipped, as they are read.
        file: The file itself, for readers that move about in it; None if it is packed or a pipe.
    """

    path: Path
    stream: io.BufferedReader[Any]
    file: Path | None

    def texts(self) -> Iterator[str]:
        """Yield the text piece by piece, with line ends as files opened as text have them.

        Raises:
            FddError: It is not UTF-8, or is packed and unpacks to too much.
        """
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        newlines = io.IncrementalNewlineDecoder(None, translate=True)
        at = 0
        while True:
            data = self.stream.read1(_CHUNK)
            undecoded = len(decoder.getstate()[0])
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                if isinstance(self.stream.raw, _Unpacked):  # what looks like text in another encoding may be damaged
                    while self.stream.read(_CHUNK):
                        pass
                place = at - undecoded + error.start
                raise FddError(f"{self.path} is not UTF-8 text (byte {place}); convert it to UTF-8.") from None
            if "\0" in text:
                raise FddError(
                    f"{self.path} is UTF-16 text without a byte order mark, or no text at all; convert it to UTF-8."
                )
            at += len(data)
            yield newlines.decode(text, final=not data)
            if not data:
                return

    def whole(self) -> bytes:
        """Return all bytes.

        Raises:
            FddError: There are too many for the memory.
        """
        data = self.stream.read(WHOLE + 1)
        if len(data) > WHOLE:
            raise FddError(f"{self.path} has more than {WHOLE >> 20} MB, and must be in memory whole; split it.")
        return data


def is_stream(path: Path) -> bool:
    """Return whether a path can be read only once: standard input, or a pipe."""
    return str(path) == STDIN or path.is_fifo()


def shown_path(path: Path) -> Path:
    """Return a path as messages name it."""
    return Path("standard input") if str(path) == STDIN else path


@contextmanager
def open_content(path: Path) -> Iterator[Content]:
    """Open a file, or standard input if the path is ``-``.

    Raises:
        FddError: It cannot be read, is damaged, or is packed in another way than with gzip.
    """
    shown = shown_path(path)
    waiting = Timer(_PATIENCE, warn, [f"Waiting for {shown}: nothing was written to it yet. Ctrl-C stops this."])
    waiting.daemon = True
    try:
        if is_stream(path):
            waiting.start()
        with nullcontext(sys.stdin.buffer) if str(path) == STDIN else path.open("rb") as file:
            counted = _Counted(file)
            packed = io.BufferedReader(counted)
            start = packed.peek(8)
            waiting.cancel()
            if start.startswith(_GZIP):
                unpacked = io.BufferedReader(_Unpacked(packed, counted, shown))
                if unpacked.peek(2).startswith(_GZIP):
                    raise FddError(f"{shown} is packed with gzip twice; unpack it once.")
                yield Content(shown, unpacked, None)
                return
            for magic, name in _OTHER_ARCHIVES.items():
                if start.startswith(magic):
                    raise FddError(
                        f"{shown} is a {name} archive; unpack it, or pack it with gzip, which is read as it is."
                    )
            yield Content(shown, packed, None if is_stream(path) else path)
    except FileNotFoundError:
        raise FddError(f"{path} does not exist.") from None
    except OSError as error:
        raise FddError(f"{shown} cannot be read: {error.strerror}.") from None
    finally:
        waiting.cancel()


class _Counted(io.RawIOBase):
    """A file, and how many bytes were read from it; closing this leaves the file open."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # any writable buffer
        read = getattr(self._file, "read1", self._file.read)
        data: bytes = read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)


class _Unpacked(io.RawIOBase):
    """What is in a gzip file, as long as it stays in proportion to it."""

    def __init__(self, packed: io.BufferedReader[Any], counted: _Counted, path: Path) -> None:
        self._gzip = gzip.GzipFile(fileobj=packed)
        self._counted, self._path = counted, path
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # any writable buffer
        try:
            data = self._gzip.read1(len(buffer))
        except (EOFError, OSError, zlib.error) as error:
            raise FddError(f"{self._path} is not a complete gzip file: {error}.") from None
        buffer[: len(data)] = data
        self._count += len(data)
        if self._count > unpacked_limit(self._counted.count):
            times = self._count // self._counted.count
            raise FddError(
                f"{self._path} unpacks to more than {self._count >> 20} MB, which is {times} times its own size; "
                "if you trust it, unpack it first."
            )
        return len(data)
