"""Hold a source to what every Python from 3.11 on reads alike, because the parser is that of the board.

Later versions read more, such as nested quotes in f-strings (PEP 701) and newer letters in names; others of their
plans are to read less, such as an unknown escape or a number glued to a word. ``ast`` itself keeps newer statements
out (``feature_version``).
"""

from __future__ import annotations

import re
import unicodedata

from ._limits import MAX_BRACKETS, PIECE
from ._program_error import ProgramError, no_program, over_limit

__all__ = ["portable"]

_PREFIX = re.compile(r"(?<!\w)[a-zA-Z]{1,2}\Z")
_TEMPLATE_PREFIXES = frozenset({"t", "rt", "tr"})
_NUMBER_TOKEN = re.compile(r"(?<![\w.])\.?[0-9](?:[eE][+-](?=[0-9])|[\w.])*")
_MAY_BE_GLUED = re.compile(r"[0-9]\.?[^\W\d]")
_HEX_TOKEN = re.compile(r"0[xX]\w*")
_NUMBER = re.compile(
    r"0[xX][0-9a-fA-F_]+ | 0[oO][0-7_]+ | 0[bB][01_]+ | (?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)(?:[eE][+-]?[0-9_]+)?[jJ]?",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_KNOWN_ESCAPES = frozenset("\n\\'\"abfnrtvxuU01234567")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_STAR = re.compile(r"[ \t]*\*")
_FIELD_END = re.compile(r"(?:=[ \t]*)?(?:![rsa])?(?P<format>:[^{}\"'\\\#\n]*)?\}")
_LETTERS = ("L", "M", "Nd", "Nl")


def portable(source: str) -> str:
    """Return a source with each backslash that begins no escape doubled, which is what it means.

    Raises:
        ProgramError: ``no_program`` for what Python 3.11 does not read, or later versions read otherwise or not at all;
            ``limit`` for too many brackets inside an f-string.
    """
    parts = []
    before = ""
    for piece in PIECE.finditer(source.replace("\r\n", "\n").replace("\r", "\n")):
        text = piece.group()
        if piece.lastgroup == "code":
            _check_code(text)
        elif piece.lastgroup == "string":
            text = _string(_prefix(before), text)
        elif piece.lastgroup == "stray" and text != "\\":
            raise no_program("not Python: a string is not closed")
        parts.append(text)
        before = text if piece.lastgroup == "code" else ""
    return "".join(parts)


def _check_code(text: str) -> None:
    """Refuse numbers glued to words, and names in letters that only later versions of Unicode have."""
    for token in _NUMBER_TOKEN.finditer(text) if _MAY_BE_GLUED.search(text) else ():
        number = token.group()
        if number[:2] in ("0x", "0X"):
            # Not "0xe+1", in which the sign is an operator.
            found = _HEX_TOKEN.match(number)
            number = found.group() if found else number
        if not _NUMBER.fullmatch(number):
            raise no_program("not Python: a number runs into a word")
    if not text.isascii():
        for letter in {letter for letter in text if letter > "\x7f"}:
            if not unicodedata.ucd_3_2_0.category(letter).startswith(_LETTERS):
                raise no_program("not Python: a sign that no name may contain")


def _prefix(before: str) -> str:
    found = _PREFIX.search(before)
    prefix = found.group().lower() if found else ""
    if prefix in _TEMPLATE_PREFIXES:
        raise no_program("not Python: a template string")
    return prefix


def _string(prefix: str, text: str) -> str:
    quotes = 3 if text[:3] in ('"""', "'''") and len(text) >= 6 else 1
    body = text[quotes:-quotes]
    if "f" in prefix:
        _check_fields(body, is_raw="r" in prefix)
    if "r" not in prefix and "\\" in body:
        body = _ESCAPE.sub(_escape, body)
    return text[:quotes] + body + text[:quotes]


def _escape(match: re.Match[str]) -> str:
    if match[1] == "N":
        # Each version knows the names of other characters.
        raise no_program("not Python: a character by its name")
    return match[0] if match[1] in _KNOWN_ESCAPES else "\\" + match[0]


def _check_fields(body: str, *, is_raw: bool) -> None:
    """Refuse an f-string whose fields hold more than an expression, a conversion and a plain format."""
    at = 0
    while at < len(body):
        if (body[at] == "\\" and not is_raw) or body[at : at + 2] in ("{{", "}}"):
            at += 2
        elif body[at] == "{":
            start, at = at + 1, _end_of_field(body, at + 1)
            _check_code(_QUOTED.sub(" ", body[start:at]).partition(":")[0])
        elif body[at] == "}":
            raise _unreadable_field()
        else:
            at += 1


def _end_of_field(body: str, start: int) -> int:
    """Return where a field ends, given where its expression begins."""
    if _STAR.match(body, start):
        raise _unreadable_field()
    depth, quote = 0, ""
    for at in range(start, len(body)):
        character = body[at]
        if character in "\\#\n{" or (character == "}" and (depth or quote)):
            break
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([":
            depth += 1
            if depth > MAX_BRACKETS:
                raise over_limit(f"more than {MAX_BRACKETS} brackets are open at once")
        elif character in ")]":
            depth -= 1
        elif character in "=!:}" and not depth and body[at : at + 2] not in ("==", "!="):
            end = _FIELD_END.match(body, at)
            # A format before "}}" ends in another place for each version.
            if end is not None and not (end["format"] and body.startswith("}", end.end())):
                return end.end()
            if character != "=":
                break
    raise _unreadable_field()


def _unreadable_field() -> ProgramError:
    return no_program("not Python: an f-string that Python 3.11 does not read")
