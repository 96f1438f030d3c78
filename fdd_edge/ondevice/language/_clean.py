"""Check statements against the language and rewrite them in normal form, without prints, annotations or ``math.``."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any

from ._grammar import ARITHMETIC, COMPARISONS, FUNCTIONS, LIST_FUNCTIONS, MATH_FUNCTIONS, UNARY
from ._imports import MATH_CONSTANTS
from ._limits import MAX_DEPTH, check_integer
from ._program_error import forbidden, no_program, over_limit

__all__ = ["called_name", "clean_block"]


def called_name(node: ast.AST) -> str | None:
    """Return the plain name of the function that a node calls, or None if it is not such a call."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id
    return None


def clean_block(statements: Iterable[ast.stmt], depth: int = 0, *, in_loop: bool = False) -> list[ast.stmt]:
    """Return the statements that have an effect, each in normal form. The given trees are modified.

    Raises:
        ProgramError: ``forbidden`` for the first construct outside the language, ``limit`` if the tree is too deep or
            a literal too large, ``no_program`` for a ``break`` outside a loop, which Python does not accept either.
    """
    _check_depth(depth)
    kept = []
    for statement in statements:
        clean = _STATEMENTS.get(type(statement))
        if clean is None:
            raise forbidden(_describe(statement))
        kept += clean(statement, depth + 1, in_loop)
    return kept


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise over_limit(f"the program is nested more than {MAX_DEPTH} levels deep")


def _describe(node: ast.AST) -> str:
    return f"{type(node).__name__!r}"


def _assign(node: ast.Assign, depth: int, in_loop: bool) -> list[ast.stmt]:
    value = _expression(node.value, depth)
    if len(node.targets) > 1:
        raise forbidden("assigning to several names at once")
    return [ast.Assign(targets=[_target(node.targets[0])], value=value, lineno=0)]


def _annotated(node: ast.AnnAssign, depth: int, in_loop: bool) -> list[ast.stmt]:
    target = _target(node.target)
    if node.value is None:
        return []
    return [ast.Assign(targets=[target], value=_expression(node.value, depth), lineno=0)]


def _augmented(node: ast.AugAssign, depth: int, in_loop: bool) -> list[ast.stmt]:
    _target(node.target)
    if type(node.op) not in ARITHMETIC:
        raise forbidden(_describe(node.op))
    node.value = _expression(node.value, depth)
    return [node]


def _target(node: ast.expr) -> ast.Name:
    if not isinstance(node, ast.Name):
        raise forbidden(f"assigning to {_describe(node)}")
    _name(node, 0)
    return node


def _bare_expression(node: ast.Expr, depth: int, in_loop: bool) -> list[ast.stmt]:
    is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    if not is_text and called_name(node.value) != "print":
        _expression(node.value, depth)
    return []


def _if(node: ast.If, depth: int, in_loop: bool) -> list[ast.stmt]:
    node.test = _expression(node.test, depth)
    node.body = _non_empty(node.body, depth, in_loop)
    node.orelse = clean_block(node.orelse, depth, in_loop=in_loop)
    return [node]


def _while(node: ast.While, depth: int, in_loop: bool) -> list[ast.stmt]:
    _forbid_else(node)
    node.test = _expression(node.test, depth)
    node.body = _non_empty(node.body, depth, True)
    return [node]


def _for(node: ast.For, depth: int, in_loop: bool) -> list[ast.stmt]:
    _forbid_else(node)
    _target(node.target)
    if called_name(node.iter) != "range":
        raise forbidden("a loop over anything but range()")
    _range(node.iter, depth)
    node.body = _non_empty(node.body, depth, True)
    return [node]


def _forbid_else(node: ast.For | ast.While) -> None:
    if node.orelse:
        raise forbidden("the 'else' of a loop")


def _non_empty(statements: list[ast.stmt], depth: int, in_loop: bool) -> list[ast.stmt]:
    return clean_block(statements, depth, in_loop=in_loop) or [ast.Pass()]


def _leave_loop(node: ast.Break | ast.Continue, depth: int, in_loop: bool) -> list[ast.stmt]:
    if not in_loop:
        raise no_program("not Python: 'break' or 'continue' outside a loop")
    return [node]


def _nothing(node: ast.Pass, depth: int, in_loop: bool) -> list[ast.stmt]:
    return []


def _expression(node: ast.expr, depth: int) -> ast.expr:
    _check_depth(depth)
    clean = _EXPRESSIONS.get(type(node))
    if clean is None:
        raise forbidden(_describe(node))
    return clean(node, depth + 1)


def _constant(node: ast.Constant, depth: int) -> ast.expr:
    if not isinstance(node.value, int | float):
        raise forbidden(f"a literal of type {type(node.value).__name__}")
    check_integer(node.value)
    return node


def _name(node: ast.Name, depth: int) -> ast.expr:
    if node.id.startswith("__"):
        raise forbidden(f"the name {node.id!r}")
    return node


def _attribute(node: ast.Attribute, depth: int) -> ast.expr:
    if (name := _math_attribute(node)) in MATH_CONSTANTS:
        return ast.Constant(MATH_CONSTANTS[name])
    raise forbidden(f"the attribute {node.attr!r}")


def _math_attribute(node: ast.Attribute) -> str | None:
    return node.attr if isinstance(node.value, ast.Name) and node.value.id == "math" else None


def _binary(node: ast.BinOp, depth: int) -> ast.expr:
    if type(node.op) not in ARITHMETIC:
        raise forbidden(_describe(node.op))
    node.left = _expression(node.left, depth)
    node.right = _expression(node.right, depth)
    return node


def _unary(node: ast.UnaryOp, depth: int) -> ast.expr:
    if type(node.op) not in UNARY:
        raise forbidden(_describe(node.op))
    node.operand = _expression(node.operand, depth)
    return node


def _compare(node: ast.Compare, depth: int) -> ast.expr:
    for op in node.ops:
        if type(op) not in COMPARISONS:
            raise forbidden(_describe(op))
    node.left = _expression(node.left, depth)
    node.comparators = [_expression(value, depth) for value in node.comparators]
    return node


def _boolean(node: ast.BoolOp, depth: int) -> ast.expr:
    node.values = [_expression(value, depth) for value in node.values]
    return node


def _conditional(node: ast.IfExp, depth: int) -> ast.expr:
    node.test = _expression(node.test, depth)
    node.body = _expression(node.body, depth)
    node.orelse = _expression(node.orelse, depth)
    return node


def _call(node: ast.Call, depth: int) -> ast.expr:
    if isinstance(node.func, ast.Attribute) and _math_attribute(node.func) in MATH_FUNCTIONS:
        node.func = ast.Name(node.func.attr, ast.Load())
    name = called_name(node)
    if name not in FUNCTIONS:
        raise forbidden(f"calling {name or _describe(node.func)}")
    if node.keywords:
        raise forbidden(f"a keyword argument of {name}()")
    if name in LIST_FUNCTIONS and len(node.args) == 1:
        node.args = [_list_argument(node.args[0], depth)]
    else:
        node.args = [_expression(argument, depth) for argument in node.args]
    return node


def _list_argument(node: ast.expr, depth: int) -> ast.expr:
    """Clean the only argument of min, max or sum, which may be a list, a tuple or a range."""
    if isinstance(node, ast.List | ast.Tuple):
        node.elts = [_expression(value, depth) for value in node.elts]
        return node
    return _range(node, depth) if called_name(node) == "range" else _expression(node, depth)


def _range(node: ast.expr, depth: int) -> ast.expr:
    assert isinstance(node, ast.Call)
    if node.keywords:
        raise forbidden("a keyword argument of range()")
    node.args = [_expression(argument, depth + 1) for argument in node.args]
    return node


_STATEMENTS: dict[type[ast.stmt], Callable[[Any, int, bool], list[ast.stmt]]] = {
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Expr: _bare_expression,
    ast.If: _if,
    ast.For: _for,
    ast.While: _while,
    ast.Break: _leave_loop,
    ast.Continue: _leave_loop,
    ast.Pass: _nothing,
}
_EXPRESSIONS: dict[type[ast.expr], Callable[[Any, int], ast.expr]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Compare: _compare,
    ast.BoolOp: _boolean,
    ast.IfExp: _conditional,
    ast.Call: _call,
}
