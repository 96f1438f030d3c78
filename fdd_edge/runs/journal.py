"""Lines that are kept while work goes on; each carries the hash of its content, so that damage is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from fdd_edge.progress import announce
from fdd_edge.runs.atomic import replacing

__all__ = ["Journal"]

_SEAL = b', "sha256": "'


class Journal:
    """A file of JSON objects, one a line, that belongs to one piece of work.

    The hash also covers what the work is made from: a line of other work counts as damaged.
    """

    def __init__(self, path: Path, made_from: str) -> None:
        """Take the path, which need not exist, and the fingerprint of what the work is made from."""
        self._path = path
        self._made_from = made_from.encode()

    def read(self) -> list[str]:
        """Return the lines that are as they were written, without their hashes.

        Damaged ones are announced, except a last line that was cut short when the process was killed.
        """
        if not self._path.is_file():
            return []
        *lines, cut = self._path.read_bytes().split(b"\n")
        intact = [text for line in lines if (text := self._opened(line)) is not None]
        if damaged := len(lines) - len(intact):
            what = "line is" if damaged == 1 else "lines are"
            announce(f"{self._path}: {damaged} damaged {what} not used; what is missing is made again")
        if (last := self._opened(cut)) is not None:
            intact.append(last)
        return intact

    def append(self, line: str) -> None:
        """Add a JSON object."""
        with self._path.open("ab") as file:
            file.write(self._sealed(line))

    def rewrite(self, lines: Iterable[str]) -> None:
        """Replace all lines: one that a kill cut short would swallow the next."""
        # Into another file first: a kill in between must not cost the lines that are there.
        with replacing(self._path) as partial:
            partial.write_bytes(b"".join(map(self._sealed, lines)))

    def drop(self) -> None:
        """Delete the file."""
        self._path.unlink(missing_ok=True)

    def _sealed(self, line: str) -> bytes:
        text = line.encode()
        return text[:-1] + _SEAL + self._hash(text) + b'"}\n'

    def _opened(self, line: bytes) -> str | None:
        head, found, tail = line.rpartition(_SEAL)
        text = head + b"}"
        if not found or tail != self._hash(text) + b'"}':
            return None
        try:
            return text.decode()
        except UnicodeDecodeError:  # none that this tool wrote, although it has the hash
            return None

    def _hash(self, text: bytes) -> bytes:
        return hashlib.sha256(self._made_from + b"\n" + text).hexdigest().encode()
