"""Find the parts of a reply that may be a program, and parse them within the limits."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator

from ._keywords import rename_keywords
from ._limits import MAX_BLOCKS, check_shape
from ._portable import portable
from ._program_error import ProgramError, no_program, over_limit

__all__ = ["candidates", "parse"]

_FENCE = "```"
_CODE_LINE = re.compile(r"\bdef\b|\w[ \t]*[-+*/%]*=")


def candidates(text: str) -> Iterator[str]:
    """Yield the parts of a reply that may be its program, the likeliest first.

    If there are fences, these are the fenced blocks, starting with the last one, then the text before the first fence
    (the prompt may have opened a block that the reply closes); otherwise the whole text. A block may lack its closing
    fence. Code that is indented as a whole is dedented.
    """
    parts = _split_at_fences(text.replace("\r\n", "\n").replace("\r", "\n"))
    blocks = parts[1::2][-MAX_BLOCKS:]
    for block in reversed(blocks):
        yield _dedent(block)
    yield _dedent(parts[0])


def _split_at_fences(text: str) -> list[str]:
    """Return the text outside and inside the fences in turn, starting outside."""
    if _FENCE not in text:
        return [text]
    parts: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.lstrip().startswith(_FENCE):
            parts.append([])
        else:
            parts[-1].append(line)
    return ["\n".join(lines) for lines in parts]


def _dedent(source: str) -> str:
    # A model's first token often adds a space that later lines do not have; strip() removes it.
    return textwrap.dedent(source).strip() if source[:1].isspace() else source


def parse(source: str) -> list[ast.stmt]:
    """Parse a source, after checking that its shape is within the limits.

    Raises:
        ProgramError: ``no_program`` if it is not Python, ``limit`` if it is too long or nested too deeply.
    """
    try:
        check_shape(source)
    except ProgramError:
        # Prose may have any shape; it exceeds the limits of a program only if some line of it is code.
        if _CODE_LINE.search(source):
            raise
        raise no_program("no line of the reply is code") from None
    try:
        return _parse(portable(source))
    except (MemoryError, RecursionError):
        raise over_limit("the program is nested too deeply for the parser") from None
    except SyntaxError as error:
        if "too many" in error.msg:  # levels of indentation, or nested parentheses in an f-string
            raise over_limit(f"the program has {error.msg}") from None
        raise no_program(f"not Python: {error.msg}") from None
    except ValueError as error:  # null bytes and lone surrogates
        raise no_program(f"not Python: {error}") from None


def _parse(source: str) -> list[ast.stmt]:
    with warnings.catch_warnings():
        # Replies are full of things Python warns about, such as an invalid escape in a docstring.
        warnings.simplefilter("ignore")
        try:
            return _statements(source)
        except SyntaxError as error:
            renamed = rename_keywords(source)
            if renamed == source:
                raise
            try:
                return _statements(renamed)
            except SyntaxError:
                raise error from None  # the fault of what the model wrote, not of what was made of it


def _statements(source: str) -> list[ast.stmt]:
    return ast.parse(source, feature_version=(3, 11)).body
