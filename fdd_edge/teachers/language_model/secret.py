"""A key that no text shows: not its repr, no error, no log, no file; and texts of servers without it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

__all__ = ["SHOWN", "Secret"]

SHOWN = "***"
"""What stands where a key would."""

_LONG_KEY = 16
"""Characters of a real key, at least. Shorter ones are such as "test" or "EMPTY", for servers that want any; they also
occur in texts that are not about keys, of which replies must stay as they are."""

_WINDOW = 8
"""A part of a long key is hidden in an error from this length on: servers echo keys shortened."""
_WINDOW_IN_REPLY = 12
"""The same in a reply, which nobody should damage."""

_PIECE = re.compile(
    r"%(?:25)*(?P<percent>[0-9a-fA-F]{2})"
    r"|\\+u(?P<unicode>[0-9a-fA-F]{4})"
    r"|\\+x(?P<byte>[0-9a-fA-F]{2})"
    r"|&#(?P<decimal>[0-9]{1,7});"
    r"|&#[xX](?P<hexadecimal>[0-9a-fA-F]{1,6});"
    r"|(?P<separator>[\s\\\"'\u00ad\u200b-\u200f\u2060\ufeff])"
    r"|(?P<plain>.)",
    re.DOTALL,
)
"""A character as URLs, JSON and HTML may write it, or something that may stand between two."""

_TO_ONE_BASE64 = str.maketrans("-_", "+/")

_KEY = re.compile(r"[!-~]+")
"""What can be sent in a header; spaces and line ends around it come from files and shells."""


class Secret:
    """A key; only ``reveal`` returns it."""

    __slots__ = ("_in_errors", "_in_replies", "_marks", "_value")

    def __init__(self, value: str) -> None:
        """Keep a key.

        Raises:
            ValueError: It is empty, or has characters that no header can have; the message does not contain it.
        """
        value = value.strip()
        if not value:
            raise ValueError("the key is empty")
        if not _KEY.fullmatch(value):
            raise ValueError("the key has spaces or characters that no key can have")
        self._value = value
        is_long = len(value) >= _LONG_KEY
        self._in_errors = set(_parts(value, _WINDOW)) if is_long else set()
        self._in_replies = set(_parts(value, _WINDOW_IN_REPLY)) if is_long else set()
        self._marks = set(_parts(value, _WINDOW_IN_REPLY, overlap=False)) if is_long else set()

    def reveal(self) -> str:
        """Return the key."""
        return self._value

    def scrub(self, text: str) -> str:
        """Return an error of a server without the key and its longer parts, however they are written in it.

        It takes a second for a million characters.
        """
        characters, spans = _characters(text)
        found = _found(characters, self._in_errors or {_folded(self._value)})
        if not self._in_errors:
            found = (one for one in found if not _goes_on(text, spans[one.start][0], spans[one.stop - 1][1]))
        return _hide(text, spans, found)

    def may_be_in(self, reply: str) -> bool:
        """Return whether a reply has a part of the key in it that nobody writes by chance; quick, unlike a search."""
        folded = _folded(reply)
        return any(mark in folded for mark in self._marks)

    def scrub_reply(self, reply: str) -> str:
        """Return a reply without the key and its longer parts."""
        characters, spans = _characters(reply)
        return _hide(reply, spans, _found(characters, self._in_replies))

    def __repr__(self) -> str:
        return SHOWN

    def __str__(self) -> str:
        return SHOWN

    def __format__(self, spec: str) -> str:
        return SHOWN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not written anywhere")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Return a schema that reads a text and never shows it; this module does not import pydantic."""
        from pydantic_core import core_schema

        shown = core_schema.plain_serializer_function_ser_schema(lambda value: value and SHOWN)
        return core_schema.no_info_plain_validator_function(cls._parse, serialization=shown)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """Return what an editor shows: it is a text."""
        return {"type": "string"}

    @classmethod
    def _parse(cls, value: object) -> Secret:
        if isinstance(value, Secret):
            return value
        if not isinstance(value, str):
            raise ValueError("the key must be text, such as ${OPENAI_API_KEY}")
        return cls(value)


def _folded(text: str) -> str:
    """Return a text in lower case, and in one of the two alphabets of base64."""
    return text.lower().translate(_TO_ONE_BASE64)


def _parts(key: str, size: int, *, overlap: bool = True) -> Iterator[str]:
    """Yield every part of a key that has ``size`` characters, folded: as it is, in base64 and in hex.

    Args:
        key: The key.
        size: Characters.
        overlap: Whether parts in base64 and in hex overlap; else only a part twice as long is sure to contain one.
    """
    data = key.encode()
    yield from _windows(_folded(key), size)
    encoded = [data.hex()]
    for before in range(3):  # what stands before the key, such as "Bearer ", shifts it within groups of three
        both = base64.b64encode(b"\0" * before + data).decode()
        encoded.append(_folded(both[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]))
    for text in encoded:
        longer = size * len(text) // len(key)
        yield from _windows(text, longer, 1 if overlap else longer)


def _windows(text: str, size: int, step: int = 1) -> Iterator[str]:
    for start in range(0, len(text) - size + 1, step):
        yield text[start : start + size]


def _found(characters: str, parts: Iterable[str]) -> Iterator[range]:
    """Yield where the parts are, overlapping ones too."""
    for part in parts:
        at = characters.find(part)
        while at >= 0:
            yield range(at, at + len(part))
            at = characters.find(part, at + 1)


def _goes_on(text: str, start: int, end: int) -> bool:
    """Return whether the word that a part of a text is in is longer than that part."""
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    return before.isalnum() or after.isalnum() or "_" in (before, after)


def _hide(text: str, spans: list[tuple[int, int]], found: Iterable[range]) -> str:
    """Return a text with something else in place of the characters that were found in it."""
    hidden: set[int] = set()
    for part in found:
        hidden.update(range(spans[part.start][0], spans[part.stop - 1][1]))
    return "".join(
        "" if i in hidden and i - 1 in hidden else SHOWN if i in hidden else letter for i, letter in enumerate(text)
    )


def _characters(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return what the characters of a text stand for, folded, and where each is written."""
    characters: list[str] = []
    spans: list[tuple[int, int]] = []
    for piece in _PIECE.finditer(text):
        kind, written = piece.lastgroup, piece[piece.lastgroup or 0]
        if kind == "separator":
            continue
        if kind != "plain":
            number = int(written, 10 if kind == "decimal" else 16)
            written = chr(number) if number < 0x110000 else " "
        # A few characters become two in lower case; a key has none of them.
        characters.append(written.lower()[:1])
        spans.append(piece.span())
    return "".join(characters).translate(_TO_ONE_BASE64), spans
