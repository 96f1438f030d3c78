"""A key that no text shows: not its repr, no error, no log, no file; and texts of servers without it."""

from __future__ import annotations

import re
from typing import Any, NoReturn

__all__ = ["SHOWN", "Secret"]

SHOWN = "***"
"""What stands where a key would."""

_WINDOW = 8
"""A part of a key is hidden from this length on: servers echo keys shortened."""

_PIECE = re.compile(
    r"%(?:25)*(?P<percent>[0-9a-fA-F]{2})"
    r"|\\+u(?P<unicode>[0-9a-fA-F]{4})"
    r"|\\+x(?P<byte>[0-9a-fA-F]{2})"
    r"|&#(?P<decimal>[0-9]{1,7});"
    r"|&#[xX](?P<hexadecimal>[0-9a-fA-F]{1,6});"
    r"|(?P<separator>[\s\\\"'\u200b-\u200f\u2060\ufeff])"
    r"|(?P<plain>.)",
    re.DOTALL,
)
"""A character as URLs, JSON and HTML may write it, or something that may stand between two."""

_KEY = re.compile(r"[!-~]+")
"""What can be sent in a header; spaces and line ends around it come from files and shells."""


class Secret:
    """A key; only ``reveal`` returns it."""

    __slots__ = ("_value",)

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

    def reveal(self) -> str:
        """Return the key."""
        return self._value

    def scrub(self, text: str) -> str:
        """Return a text of a server without the key and its longer parts, however they are written in it."""
        characters, spans = _characters(text)
        key = self._value.lower()
        size = min(_WINDOW, len(key))
        hidden: set[int] = set()
        for start in range(len(key) - size + 1):
            part = key[start : start + size]
            at = characters.find(part)
            while at >= 0:
                hidden.update(range(spans[at][0], spans[at + size - 1][1]))
                at = characters.find(part, at + 1)
        return "".join(
            "" if i in hidden and i - 1 in hidden else SHOWN if i in hidden else letter for i, letter in enumerate(text)
        )

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
    def _parse(cls, value: object) -> Secret:
        if isinstance(value, Secret):
            return value
        if not isinstance(value, str):
            raise ValueError("the key must be text, such as ${OPENAI_API_KEY}")
        return cls(value)


def _characters(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return what the characters of a text stand for, in lower case, and where each is written."""
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
    return "".join(characters), spans
