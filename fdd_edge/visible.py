r"""Text of strangers, made fit for a terminal: control characters are shown as escapes such as ``\x1b``.

Names in data sets, metadata of model files, file names and replies of models end up in tables, progress and errors.
Sent to a terminal as they are, they could move the cursor, hide what was printed, or write to the clipboard.
"""

from __future__ import annotations

import unicodedata

__all__ = ["encodable", "visible"]

_KEPT = "\n\t"
"""A reply has lines and columns."""

_JOINERS = "\u200c\u200d"
"""Persian words and many emoji need them; they change no order and hide nothing."""

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Controls of C0 and C1, formats such as bidirectional overrides, lone surrogates, separators of lines."""


class _Escapes(dict[int, str]):
    """What ``str.translate`` replaces characters by, worked out when a character is first seen."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character not in _KEPT + _JOINERS and unicodedata.category(character) in _HIDDEN:
            self[code] = _escape(code)
        else:
            self[code] = character
        return self[code]


_ESCAPES = _Escapes()


def visible(text: str) -> str:
    """Return a text whose control characters are shown as escapes; lines and tabs stay."""
    return text if text.isprintable() else text.translate(_ESCAPES)


def encodable(text: str, encoding: str | None) -> str:
    """Return a text that an encoding can express: other characters are shown as escapes, too."""
    if encoding is None or text.isascii():
        return text
    return text.encode(encoding, errors="backslashreplace").decode(encoding)


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
