"""Limits that keep any text, however hostile, to a few milliseconds and a few megabytes.

Python's parser recurses in C, so the shape of a text is checked before it is parsed.
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
    "PIECE",
    "check_integer",
    "check_length",
    "check_shape",
]

MAX_CHARS = 16_000
"""Characters of a reply."""
MAX_CODE = 4_000
"""Characters of a program, not counting strings and comments."""
MAX_BLOCKS = 16
"""Fenced blocks that are tried, starting with the last one."""
MAX_LINE = 2_000
"""Characters of one logical line, not counting strings and comments; each level of nesting takes at least one."""
MAX_BRACKETS = 50
"""Open brackets at any point of a program."""
MAX_DEPTH = 100
"""Levels of the syntax tree, counting blocks and expressions."""
MAX_STEPS = 10_000
"""Statements, loop iterations and operations per run."""
MAX_BITS = 1_024
"""Bits of an integer, enough for int() of the largest float."""
MAX_EXPONENT_BITS = 64
"""Bits of an integer exponent of an integer: 1**n stays small, but takes time for each bit of n."""

# A backslash consumes the next character, so that a row of escaped quotes is not tried as a string at each quote.
PIECE = re.compile(
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
    """Raise a ``limit`` error if parsing a source could take too long or recurse too deeply.

    The number of open brackets and the length of a logical line bound all nesting inside a statement. The text need
    not be valid Python.
    """
    check_length(source, "the program")
    # Nearly every program is too short to reach a limit, however it is written.
    if len(source) <= MAX_LINE and source.count("(") + source.count("[") + source.count("{") <= MAX_BRACKETS:
        return
    code = line = brackets = 0
    for piece in PIECE.finditer(source):
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
        # Expressions inside an f-string are parsed too. Counting raw strings as well does no harm.
        return piece.string[max(0, piece.start() - 1)] in "fFrR"
    return piece.lastgroup != "comment"
