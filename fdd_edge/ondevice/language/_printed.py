"""The numbers in what a ``print`` writes, however its text is put together."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterable

__all__ = ["is_str_call", "is_text", "printed_numbers"]

_PRINT_KEYWORDS = {"sep", "end", "flush"}
_FORMAT = re.compile(r",?(?:\.(?P<digits>[0-9]{1,2})f|(?P<whole>[dn])?)")
_PERCENT = re.compile(r"%%|%(?P<format>s|[di]|(?:\.[0-9]{1,2})?f)")


def printed_numbers(call: ast.Call) -> list[ast.expr] | None:
    """Return the numbers that a ``print`` writes, without the texts around them.

    f-strings, ``str()``, ``+`` between texts, ``%`` and ``.format()`` are understood; a format such as ``.2f`` rounds.

    Returns:
        The expressions in order; None if the text is put together in any other way.
    """
    if any(keyword.arg not in _PRINT_KEYWORDS for keyword in call.keywords):
        return None
    return _all_of(map(_numbers, call.args))


def _numbers(node: ast.expr) -> list[ast.expr] | None:
    """Return the numbers in an argument of ``print``."""
    return _text_numbers(node) if is_text(node) else [node]


def is_text(node: ast.expr) -> bool:
    """Return whether an expression is a text, going by how it is written."""
    if isinstance(node, ast.BinOp):
        is_either = isinstance(node.op, ast.Add | ast.Mult) and (is_text(node.left) or is_text(node.right))
        return is_either or (isinstance(node.op, ast.Mod) and is_text(node.left))
    if isinstance(node, ast.Call):
        return is_str_call(node) or (isinstance(node.func, ast.Attribute) and is_text(node.func.value))
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def is_str_call(node: ast.Call) -> bool:
    """Return whether a call is one of ``str``."""
    return isinstance(node.func, ast.Name) and node.func.id == "str"


def _text_numbers(node: ast.expr) -> list[ast.expr] | None:
    if isinstance(node, ast.Constant):
        return []
    if isinstance(node, ast.JoinedStr):
        return _all_of(map(_piece, node.values))
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Add):
            return _all_of(map(_numbers, (node.left, node.right)))
        if isinstance(node.op, ast.Mult):  # a line of dashes
            return [] if isinstance(node.left, ast.Constant) else None
        return _percent(node.left, node.right)
    assert isinstance(node, ast.Call)
    if is_str_call(node):
        return _numbers(node.args[0]) if len(node.args) == 1 and not node.keywords else None
    return _format_call(node)


def _piece(node: ast.expr) -> list[ast.expr] | None:
    if not isinstance(node, ast.FormattedValue):
        return []
    spec = ""
    if isinstance(node.format_spec, ast.JoinedStr):
        parts = node.format_spec.values
        if not all(isinstance(part, ast.Constant) for part in parts):
            return None
        spec = "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
    if is_text(node.value):
        return _text_numbers(node.value)
    return _formatted(node.value, spec)


def _formatted(value: ast.expr, spec: str) -> list[ast.expr] | None:
    """Return a number as a format shows it."""
    match = _FORMAT.fullmatch(spec)
    if match is None:
        return None
    if match["digits"] is not None:
        return [_call("round", value, ast.Constant(int(match["digits"])))]
    return [value]


def _percent(text: ast.expr, values: ast.expr) -> list[ast.expr] | None:
    """Return the numbers of ``"..." % values``."""
    if not isinstance(text, ast.Constant) or "%" in _PERCENT.sub("", str(text.value)):
        return None
    formats = [match["format"] for match in _PERCENT.finditer(str(text.value)) if match["format"]]
    given = values.elts if isinstance(values, ast.Tuple) else [values]
    if len(formats) != len(given):
        return None
    return _all_of(_percent_number(*pair) for pair in zip(formats, given, strict=True))


def _percent_number(format: str, value: ast.expr) -> list[ast.expr] | None:
    if is_text(value):
        return _text_numbers(value)
    if format in ("d", "i"):
        return [_call("int", value)]
    if format == "s":
        return [value]
    return [_call("round", value, ast.Constant(int(format[1:-1] or 6)))]


def _format_call(node: ast.Call) -> list[ast.expr] | None:
    """Return the numbers of ``"{} ... {:.2f}".format(a, b)``."""
    assert isinstance(node.func, ast.Attribute)
    text = node.func.value
    if node.func.attr != "format" or not isinstance(text, ast.Constant) or node.keywords:
        return None
    try:
        fields = [(name, spec) for _, name, spec, _ in string.Formatter().parse(str(text.value)) if name is not None]
    except ValueError:
        return None
    if any(name not in ("", str(i)) for i, (name, _) in enumerate(fields)) or len(fields) != len(node.args):
        return None
    pairs = zip(node.args, fields, strict=True)
    return _all_of(_text_numbers(v) if is_text(v) else _formatted(v, spec or "") for v, (_, spec) in pairs)


def _call(function: str, *values: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(function, ast.Load()), list(values), [])


def _all_of(parts: Iterable[list[ast.expr] | None]) -> list[ast.expr] | None:
    """Return all parts as one list, or None if one of them is not understood."""
    found: list[ast.expr] = []
    for part in parts:
        if part is None:
            return None
        found += part
    return found
