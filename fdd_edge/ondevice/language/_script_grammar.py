"""What a program may consist of to be run as it was written: every other kind of node is refused, wherever it is."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from ._clean import called_name
from ._grammar import ARITHMETIC, COMPARISONS, UNARY
from ._program_error import forbidden, no_program

__all__ = ["check_script"]


class _Place(NamedTuple):
    """Where a node is."""

    depth: int
    in_function: bool
    in_loop: bool


def check_script(statements: Sequence[ast.stmt]) -> None:
    """Raise unless ``Script`` has a rule for every node of a program, also for those that are never run.

    Raises:
        ProgramError: ``forbidden`` for a node without a rule, ``no_program`` for what Python does not accept either.
    """
    waiting: list[tuple[ast.AST, _Place]] = [(statement, _Place(0, False, False)) for statement in statements]
    while waiting:
        node, place = waiting.pop()
        rule = _RULES.get(type(node))
        if rule is None:
            raise forbidden(f"{type(node).__name__!r}")
        rule(node, place)
        inside = place._replace(
            depth=place.depth + 1,
            in_function=place.in_function or isinstance(node, ast.FunctionDef),
            in_loop=not isinstance(node, ast.FunctionDef) and (place.in_loop or isinstance(node, ast.For | ast.While)),
        )
        waiting += [(child, inside) for child in _children(node)]


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is in a node, except annotations, which are only held against what they may be."""
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST):
                continue
            if name in ("annotation", "returns"):
                _check_annotation(child)
            else:
                yield child


def _check_annotation(annotation: ast.AST) -> None:
    if any(type(node) not in _ANNOTATION for node in ast.walk(annotation)):
        raise forbidden("such an annotation")


def _any(node: ast.AST, place: _Place) -> None:
    """Allow a node that has no conditions."""


def _assign(node: ast.Assign, place: _Place) -> None:
    for target in node.targets:
        _check_target(target)


def _one_target(node: ast.AugAssign | ast.AnnAssign, place: _Place) -> None:
    _check_target(node.target)


def _check_target(node: ast.expr) -> None:
    if not isinstance(node, ast.Name):
        raise forbidden(f"assigning to {type(node).__name__!r}")


def _for(node: ast.For, place: _Place) -> None:
    _check_target(node.target)
    if called_name(node.iter) != "range" or getattr(node.iter, "keywords", None):
        raise forbidden("a loop over anything but range()")
    _while(node, place)


def _while(node: ast.For | ast.While, place: _Place) -> None:
    if node.orelse:
        raise forbidden("the 'else' of a loop")


def _leave_loop(node: ast.Break | ast.Continue, place: _Place) -> None:
    if not place.in_loop:
        raise no_program("not Python: 'break' or 'continue' outside a loop")


def _return(node: ast.Return, place: _Place) -> None:
    if not place.in_function:
        raise no_program("not Python: 'return' outside function")


def _function(node: ast.FunctionDef, place: _Place) -> None:
    if place.depth:
        raise forbidden("a function inside anything else")
    if node.decorator_list:
        raise forbidden("a decorator")
    if node.args.vararg or node.args.kwarg:
        raise forbidden("a parameter that takes any number of arguments")


_RULES: dict[type[ast.AST], Callable[[Any, _Place], None]] = {
    ast.Assign: _assign,
    ast.AnnAssign: _one_target,
    ast.AugAssign: _one_target,
    ast.For: _for,
    ast.While: _while,
    ast.Break: _leave_loop,
    ast.Continue: _leave_loop,
    ast.Return: _return,
    ast.FunctionDef: _function,
    **dict.fromkeys(
        (
            *(ast.Expr, ast.If, ast.Import, ast.ImportFrom, ast.Pass),
            *(ast.Attribute, ast.BinOp, ast.BoolOp, ast.Call, ast.Compare, ast.Constant, ast.FormattedValue, ast.IfExp),
            *(ast.JoinedStr, ast.List, ast.Name, ast.Tuple, ast.UnaryOp),
            *(ast.alias, ast.arg, ast.arguments, ast.keyword, ast.And, ast.Or, ast.Load, ast.Store),
            *ARITHMETIC,
            *UNARY,
            *COMPARISONS,
        ),
        _any,
    ),
}
_ANNOTATION = frozenset({ast.Name, ast.Constant, ast.Subscript, ast.Tuple, ast.List, ast.BinOp, ast.BitOr, ast.Load})
"""What an annotation may consist of: nothing that assigns, and nothing that could do anything else when it is read."""
