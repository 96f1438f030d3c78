"""The texts that a program prints, as Python writes them, and the numbers in them."""

from __future__ import annotations

import ast
import math
import re
import string
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from ._limits import MAX_CHARS
from ._printed import is_str_call, is_text
from ._program_error import forbidden, over_limit

__all__ = ["Piece", "glued", "written"]

_FORMAT = re.compile(r"(?:[ -~]?[<>=^])?[-+ ]?#?0?[0-9]{0,2}[,_]?(?:\.[0-9]{1,2})?[bcdeEfFgGnoxX%]?")
_PERCENT = re.compile(r"%(?:%|(?P<format>[-+ 0#]*[0-9]{0,2}(?:\.[0-9]{1,2})?[diufFeEgGsrxXo]))")
_NUMBER = re.compile(r"\s*[-+]?[0-9][0-9,_]*(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?\s*")
# What makes the digits beside it part of one number, or of a sum: the 5 of "15", "0.5", "-5", "1/5" and "5e3".
_GLUED_BEFORE = re.compile(r"(?:[0-9][.,'/*^:eE_]?|(?<!\w)\.|[-+\u2212])\Z")
_GLUED_AFTER = re.compile(r"[.,'/*^:_]?[0-9]|[eE][-+]?[0-9]")
_NEIGHBOURS = 4
"""Characters before and behind a number that can be glued to it."""

Value = Callable[[ast.expr], Any]


class Piece(NamedTuple):
    """A part of a printed text.

    Attributes:
        text: What is written.
        number: Its number, as it is written; None if it is not a number.
        is_literal: Whether the program has that number, or text, written out.
    """

    text: str
    number: int | float | None = None
    is_literal: bool = True


def written(node: ast.expr, value: Value) -> list[Piece]:
    """Return what ``print`` writes for an argument.

    Args:
        node: The argument.
        value: Returns the value of an expression that is not text.

    Raises:
        ProgramError: ``forbidden`` for a text put together in an unknown way, ``limit`` for a huge one.
        TypeError, ValueError: As Python raises them.
    """
    if not is_text(node):
        return [_number_piece(node, value(node), str)]
    if isinstance(node, ast.Constant):
        return [Piece(str(node.value))]
    if isinstance(node, ast.JoinedStr):
        return [piece for part in node.values for piece in _part(part, value)]
    if isinstance(node, ast.BinOp):
        return _combined(node, value)
    assert isinstance(node, ast.Call)
    if not is_str_call(node):
        return list(_format_call(node, value))
    if len(node.args) != 1 or node.keywords:
        raise forbidden("what is printed")
    return written(node.args[0], value)


def glued(pieces: Sequence[Piece]) -> list[bool]:
    """Return for each piece of a text whether a reader sees its number as part of another one."""
    befores, afters = [""], [""]
    for piece in pieces[:-1]:
        befores.append((befores[-1] + piece.text)[-_NEIGHBOURS:])
    for piece in reversed(pieces[1:]):
        afters.append((piece.text + afters[-1])[:_NEIGHBOURS])
    pairs = zip(befores, reversed(afters), strict=True)
    return [bool(_GLUED_BEFORE.search(before) or _GLUED_AFTER.match(after)) for before, after in pairs]


def _number_piece(node: ast.expr, value: Any, write: Callable[[Any], str]) -> Piece:
    if value is None:
        raise forbidden("a print of None")
    text = write(value)
    is_literal = not any(isinstance(inner, ast.Name | ast.Call) for inner in ast.walk(node))
    if not isinstance(value, int | float) or not _NUMBER.fullmatch(text):
        return Piece(text, None, is_literal)
    plain = text.strip().replace(",", "").replace("_", "")
    number = float(plain) if set(plain) & {".", "e"} else int(plain)
    return Piece(text, number if math.isfinite(number) else None, is_literal)


def _part(node: ast.expr, value: Value) -> list[Piece]:
    """Return what a part of an f-string writes."""
    if not isinstance(node, ast.FormattedValue):
        return written(node, value)
    spec = node.format_spec.values if isinstance(node.format_spec, ast.JoinedStr) else []
    format = "".join(str(part.value) if isinstance(part, ast.Constant) else "{" for part in spec)
    return _field(node.value, format, value, is_converted=node.conversion != -1)


def _field(node: ast.expr, format: str, value: Value, *, is_converted: bool) -> list[Piece]:
    if format and (is_converted or is_text(node) or not _FORMAT.fullmatch(format)):
        raise forbidden(f"the format {format!r}")
    if is_text(node):
        return written(node, value)
    return [_number_piece(node, value(node), lambda number: f"{number:{format}}")]


def _combined(node: ast.BinOp, value: Value) -> list[Piece]:
    if isinstance(node.op, ast.Mod):
        return list(_percent(node.left, node.right, value))
    if isinstance(node.op, ast.Mult):
        text, count = (node.left, node.right) if is_text(node.left) else (node.right, node.left)
        whole = "".join(piece.text for piece in written(text, value))
        times = value(count)
        if isinstance(times, int) and len(whole) * times > MAX_CHARS:
            raise over_limit("what is printed is too long")
        return [Piece(whole * times)]
    if not (is_text(node.left) and is_text(node.right)):
        raise TypeError("a text and a number cannot be added")
    return written(node.left, value) + written(node.right, value)


def _percent(text: ast.expr, values: ast.expr, value: Value) -> Iterator[Piece]:
    if not isinstance(text, ast.Constant) or "%" in _PERCENT.sub("", str(text.value)):
        raise forbidden("what is printed")
    given = iter(values.elts if isinstance(values, ast.Tuple) else [values])
    at = 0
    for match in _PERCENT.finditer(str(text.value)):
        yield Piece(str(text.value)[at : match.start()])
        at = match.end()
        if match["format"] is None:
            yield Piece("%")
            continue
        node = next(given, None)
        if node is None:
            raise TypeError("not enough arguments for format string")
        yield from _percent_field(node, match.group(), value)
    yield Piece(str(text.value)[at:])
    if next(given, None) is not None:
        raise TypeError("not all arguments converted during string formatting")


def _percent_field(node: ast.expr, format: str, value: Value) -> list[Piece]:
    if not is_text(node):
        return [_number_piece(node, value(node), lambda number: str(format % (number,)))]
    if format != "%s":
        raise TypeError("a number is required, not str")
    return written(node, value)


def _format_call(node: ast.Call, value: Value) -> Iterator[Piece]:
    """Yield what ``"{} ... {:.2f}".format(a, b)`` writes."""
    text = node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr == "format" else None
    if not isinstance(text, ast.Constant):
        raise forbidden("what is printed")
    named = {keyword.arg: keyword.value for keyword in node.keywords}
    fields = 0
    for literal, name, spec, conversion in string.Formatter().parse(str(text.value)):
        yield Piece(literal)
        if name is None:
            continue
        # Names and fields without one in turn; a field with an index has to be in its place.
        argument = named.get(name) if name else None
        if name in ("", str(fields)) and fields < len(node.args):
            argument = node.args[fields]
        if argument is None:
            raise forbidden("what is printed")
        fields += argument not in named.values()
        yield from _field(argument, spec or "", value, is_converted=conversion is not None)
