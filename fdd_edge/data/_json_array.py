"""Reads the items of a JSON array one by one, so that the first of them need only the beginning of the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fdd_edge.data._file_limits import ROW
from fdd_edge.errors import FddError

__all__ = ["JsonArray"]

_SPACE = re.compile(r"[ \t\n\r]*")

_LONGEST_WORD = 16
"""An error so close to the end may be a word that is cut off, such as -Infinity or an escape."""


class JsonArray:
    """The text of an array, of which only what follows the last item is kept."""

    def __init__(self, path: Path, texts: Iterable[str], decoder: json.JSONDecoder) -> None:
        self._path, self._texts, self._decoder = path, iter(texts), decoder
        self._text, self._at, self._line = "", 0, 1

    def items(self) -> Iterator[Any]:
        """Yield the items.

        Raises:
            FddError: The text is not a JSON array, or an item is too long or nested too deeply; names the line.
        """
        self._take("[")
        if self._next() == "]":
            return self._end()
        while True:
            yield self._item()
            if self._next() == "]":
                return self._end()
            if self._next() != ",":
                raise self._fault("Expecting ',' delimiter", self._at)
            self._at += 1

    def _item(self) -> Any:
        """Return the item at the position, after reading as much as it needs."""
        self._next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except RecursionError:
                raise FddError(f"{self._path}:{self._line_of(self._at)} is nested too deeply.") from None
            except json.JSONDecodeError as error:
                fault = self._fault(error.msg, error.pos)
                is_cut_off = error.msg.startswith("Unterminated") or len(self._text) - error.pos < _LONGEST_WORD
                # The longer it is, the more is read before the next attempt.
                if not is_cut_off or not self._read(len(self._text) - self._at):
                    raise fault from None
                continue
            if len(self._text) - end < _LONGEST_WORD and self._read(_LONGEST_WORD):
                continue  # a number may go on: 2 with .5e3
            self._at = end
            return value

    def _end(self) -> None:
        self._take("]")
        if self._next():
            raise self._fault("Extra data", self._at)

    def _next(self) -> str:
        """Move to the next character that is not a space, and return it; empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text) or not self._read(1):
                return self._text[self._at : self._at + 1]

    def _take(self, sign: str) -> None:
        if self._next() != sign:
            raise self._fault("Expecting value", self._at)
        self._at += 1

    def _read(self, length: int) -> bool:
        """Append at least so many characters, if there are, and forget what was used; return whether there were any."""
        kept, line = self._text[self._at :], self._line_of(self._at)
        if len(kept) > ROW:
            raise FddError(
                f"{self._path}:{line} begins an item longer than {ROW >> 20} MB, too long for a row of problems."
            )
        parts, read = [kept], 0
        for text in self._texts:
            parts.append(text)
            read += len(text)
            if read >= max(length, 1):
                break
        if read:
            self._text, self._at, self._line = "".join(parts), 0, line
        return read > 0

    def _line_of(self, position: int) -> int:
        return self._line + self._text.count("\n", 0, position)

    def _fault(self, message: str, position: int) -> FddError:
        return FddError(f"{self._path}:{self._line_of(position)} is not valid JSON: {message}.")
