"""The caps that keep any text, however hostile, to a few milliseconds and a few megabytes.

Python's parser recurses in C, so the shape of a text is looked at before the parser sees it.
"""

from __future__ import annotations

import re

from ._program_error import over_limit

__all__ = [
    "MAX_BITS",
    "MAX_BLOCKS",
    "MAX_BRACKETS",
    "MAX_CHARS",
    "MAX_CODE",
    "MAX_DEPTH",
    "MAX_EXPONENT_BITS",
    "MAX_LINE",
    "MAX_STEPS",
    "check_integer",
    "check_length",
    "check_shape",
]

MAX_CHARS = 16_000
"""Characters of a reply."""
MAX_CODE = 4_000
"""Characters of a program without its strings and comments."""
MAX_BLOCKS = 16
"""Fenced blocks that are tried, from the last one back."""
MAX_LINE = 2_000
"""Characters of one logical line without its strings and comments; whatever nests takes a character a level."""
MAX_BRACKETS = 50
"""Open brackets at any point of a program."""
MAX_DEPTH = 100
"""Levels of the syntax tree, blocks and expressions together."""
MAX_STEPS = 10_000
"""Statements, loop rounds and operations that a run may take."""
MAX_BITS = 1_024
"""Bits of an integer: enough for int() of the largest float."""
MAX_EXPONENT_BITS = 64
"""Bits of an integer's integer exponent: a power of one stays small, but takes a step for each of them."""

# A backslash takes its neighbour along: a row of escaped quotes is then not tried as a string at each of them.
_PIECE = re.compile(
    r"""
      (?P<code> [^"'#\\\n()\[\]{}]+ | \\[\s\S] )
    | (?P<newline> \n )
    | (?P<open> [(\[{] )
    | (?P<close> [)\]}] )
    | (?P<comment> \#[^\n]* )
    | (?P<string> \"{3}[\s\S]*?\"{3} | '{3}[\s\S]*?'{3}
                | "(?:[^"\\\n]|\\[\s\S])*+" | '(?:[^'\\\n]|\\[\s\S])*+' )
    | (?P<stray> ["'\\] )
    """,
    re.VERBOSE,
)


def check_length(text: str, what: str) -> None:
    """Raise a ``limit`` error if a text has more than ``MAX_CHARS`` characters."""
    if len(text) > MAX_CHARS:
        raise over_limit(f"{what} has more than {MAX_CHARS} characters")


def check_integer(value: object) -> None:
    """Raise a ``limit`` error if a value is an integer of more than ``MAX_BITS`` bits."""
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise over_limit(f"an integer has more than {MAX_BITS} bits")


def check_shape(source: str) -> None:
    """Raise a ``limit`` error if a source could take a parser long or deep, without parsing it.

    Brackets and the length of a logical line bound every nesting inside a statement. Text that is no Python is
    measured all the same.
    """
    check_length(source, "the program")
    # Nearly every program is too short to reach a cap, however it is written.
    if len(source) <= MAX_LINE and source.count("(") + source.count("[") + source.count("{") <= MAX_BRACKETS:
        return
    code = line = brackets = 0
    for piece in _PIECE.finditer(source):
        kind = piece.lastgroup
        if kind == "newline" and not brackets:
            line = 0
        elif _is_code(piece):
            line += len(piece.group())
            code += len(piece.group())
        if kind == "open":
            brackets += 1
        elif kind == "close":
            brackets = max(0, brackets - 1)
        if brackets > MAX_BRACKETS:
            raise over_limit(f"more than {MAX_BRACKETS} brackets are open at once")
        if line > MAX_LINE:
            raise over_limit(f"a line has more than {MAX_LINE} characters")
        if code > MAX_CODE:
            raise over_limit(f"the program has more than {MAX_CODE} characters")


def _is_code(piece: re.Match[str]) -> bool:
    if piece.lastgroup == "string":
        # The expressions in an f-string are parsed too; a raw string is taken with them, which does no harm.
        return piece.string[max(0, piece.start() - 1)] in "fFrR"
    return piece.lastgroup != "comment"
