"""From a reply to syntax trees: the places a program may stand in, and a parser that always comes back."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator

from ._limits import MAX_BLOCKS, check_shape
from ._program_error import ProgramError, no_program, over_limit

__all__ = ["candidates", "parse"]

_FENCE = "```"
_CODE_LINE = re.compile(r"\bdef\b|\w[ \t]*[-+*/%]*=")


def candidates(text: str) -> Iterator[str]:
    """Yield the sources a reply may hold its program in, the likeliest first.

    With fences these are the fenced blocks from the last one back, then what stands before the first fence (a
    prompt may have opened the block that the reply closes); without, the whole text. A block that the end of the
    text cuts off counts. Code that is indented as a whole is moved to the margin.
    """
    parts = _split_at_fences(text.replace("\r\n", "\n").replace("\r", "\n"))
    blocks = parts[1::2][-MAX_BLOCKS:]
    for block in reversed(blocks):
        yield _at_margin(block)
    yield _at_margin(parts[0])


def _split_at_fences(text: str) -> list[str]:
    """Return what stands outside and inside the fences, in turn, beginning outside."""
    if _FENCE not in text:
        return [text]
    parts: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.lstrip().startswith(_FENCE):
            parts.append([])
        else:
            parts[-1].append(line)
    return ["\n".join(lines) for lines in parts]


def _at_margin(source: str) -> str:
    # A model's first token often brings a space that the later lines do not have; strip() takes that one.
    return textwrap.dedent(source).strip() if source[:1].isspace() else source


def parse(source: str) -> list[ast.stmt]:
    """Parse a source whose shape is within the limits.

    Raises:
        ProgramError: ``no_program`` if it is no Python, ``limit`` if it is too long or too deep.
    """
    try:
        check_shape(source)
    except ProgramError:
        # Prose may have any shape; it is only too much of a program if some line of it is code.
        if _CODE_LINE.search(source):
            raise
        raise no_program("no line of it is code") from None
    try:
        with warnings.catch_warnings():
            # Replies are full of things Python warns of, such as an invalid escape in a docstring.
            warnings.simplefilter("ignore")
            return ast.parse(source).body
    except (MemoryError, RecursionError):
        raise over_limit("the program is nested too deep for the parser") from None
    except SyntaxError as error:
        if "too many" in error.msg:  # levels of indentation, or nested parentheses in an f-string
            raise over_limit(f"the program has {error.msg}") from None
        raise no_program(f"not Python: {error.msg}") from None
    except ValueError as error:  # null bytes and lone surrogates
        raise no_program(f"not Python: {error}") from None
