"""Takes off what a scraped text wears: markup, invisible and look-alike characters, LaTeX, wrong encodings."""

from __future__ import annotations

import re
import unicodedata
from html import unescape
from urllib.parse import unquote

from fdd_edge.curation._look_alikes import LOOK_ALIKES

__all__ = ["plain_text"]

_INVISIBLE = (
    (0x0300, 0x036F), (0x0483, 0x0489), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFE20, 0xFE2F), (0xFFA0, 0xFFA0),
    (0xE0000, 0xE0FFF),
)  # fmt: skip
"""Fillers, variation selectors, and marks that are set on Latin letters. Those of other scripts make words."""


class _Characters(dict[int, str | int | None]):
    """What becomes of single characters: invisible ones vanish, and digits of all scripts become ours."""

    def __missing__(self, code: int) -> str | int | None:
        """Return it for a character that is met for the first time."""
        found = self[code] = self._of(code, chr(code))
        return found

    def _of(self, code: int, character: str) -> str | int | None:
        category = unicodedata.category(character)
        if category == "Nd":
            return str(unicodedata.digit(character))
        if category == "Cf" or (category == "Cc" and not character.isspace()):
            return None
        return None if any(first <= code <= last for first, last in _INVISIBLE) else code


_CHARACTERS = _Characters({0x2800: " "})  # an empty Braille cell

_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|[nrt](?![a-z])|[\"'/])")
_WRONGLY_DECODED = re.compile("[\u00c2\u00c3\u00e2\u00f0][^\\x00-\\x7f]+")
"""UTF-8 that was read in Windows' encoding: an apostrophe becomes \u00e2\u20ac\u2122."""
_MOST_ENCODED = 20
"""How often entities are taken off: each time costs a pass over the text, which is as long as a question may be."""
_COMMENT = re.compile(r"<!--(?:(?!<!--|-->).)*-->", re.DOTALL)
_INLINE = re.compile(
    r"</?(?:a|abbr|b|code|del|em|font|i|ins|mark|s|small|span|strong|sub|sup|tt|u|wbr)\b[^<>]*>", re.IGNORECASE
)
"""Tags that may be inside a word; all others separate words."""
_TAG = re.compile(r"</?[a-z][a-z0-9]*\b[^<>]*>|<[!?][^<>]*>", re.IGNORECASE)
_LINK = re.compile(r"!?\[([^\]\[]*)\]\([^()\s]*\)")
_FRACTION = re.compile(r"\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{[^{}]*\}")
_COMMAND = re.compile(
    r"\\(?:text(?:bf|it|rm|tt|sf|sc|up|normal)?|math(?:rm|bf|it|sf|tt|bb|cal)|mbox|hbox|emph|underline|operatorname|boldsymbol"
    r"|left|right|[bB]igg?[lr]?|displaystyle|textstyle|quad|qquad|small|large|bf|it|rm|par|item|noindent|newline"
    r"|hspace|vspace)(?![a-zA-Z])\*?"
)
_CONTROL = re.compile(r"\\(?:\\|[,;:! ()\[\]])")
_REPLACED = (("{,}", ","), ("\\%", "%"), ("\\&", "&"), ("\\_", " "), ("~", " "), ("_", " "), ("^\\circ", " "))
_MATH = re.compile(r"\$+([^$\s](?:[^$]{0,80}[^$\s])?)\$+(?!\d)")
"""A formula. The dollar signs of amounts do not match: the second one follows a space, or comes before a digit."""
_DOLLAR = "\ue000"
"""Stands for a dollar sign that LaTeX prints."""


def plain_text(text: str) -> str:
    """Return a text as a reader sees it, without markup, in Latin letters where they look the same, and in NFKC form.

    Case, punctuation and numbers stay; ``_text`` reduces those.
    """
    if "\\" in text:
        text = _ESCAPED.sub(_unescaped, text)
    if "%20" in text:
        text = unquote(text)
    if "&" in text:
        text = _without_entities(text)
    if not text.isascii():
        text = _WRONGLY_DECODED.sub(_decoded, text)
        text = unicodedata.normalize("NFKD", text).translate(_CHARACTERS)
        text = unicodedata.normalize("NFKC", text).translate(LOOK_ALIKES)
    if "<" in text:
        text = _TAG.sub(" ", _INLINE.sub("", _COMMENT.sub("", text)))
    if "](" in text:
        text = _LINK.sub(r"\1", text)
    return _without_latex(text)


def _unescaped(found: re.Match[str]) -> str:
    """Return what an escape of JSON stands for, in a text that was encoded twice."""
    code = found[1] or found[2]
    if code is not None:
        return chr(int(code, 16))
    return found[0][1:] if found[0][1] in "\"'/" else " "


def _without_entities(text: str) -> str:
    """Return a text without HTML entities, which may have been encoded several times."""
    for _ in range(_MOST_ENCODED):
        before, text = text, unescape(text)
        if text == before:
            break
    return text


def _decoded(found: re.Match[str]) -> str:
    """Return characters whose UTF-8 was read in Windows' encoding as they were meant; any others stay."""
    try:
        # Windows' encoding has no character for a few bytes; these are read as the character of the same number.
        return b"".join(bytes([ord(c)]) if ord(c) < 256 else c.encode("cp1252") for c in found[0]).decode()
    except UnicodeError:
        return found[0]


def _without_latex(text: str) -> str:
    text = text.replace("\\$", _DOLLAR)
    if "\\" in text:
        text = _COMMAND.sub(" ", _ENVIRONMENT.sub(" ", _FRACTION.sub(r"\1/\2", text)))
    for written, meant in _REPLACED:
        text = text.replace(written, meant)
    if "\\" in text:
        text = _CONTROL.sub(" ", text)
    return _MATH.sub(r"\1", text.replace("{", "").replace("}", "")).replace(_DOLLAR, "$")
