"""Replace ``def solution(): ... return x`` with the lines of its body."""

from __future__ import annotations

import ast

from ._clean import called_name
from ._program_error import forbidden, no_program

__all__ = ["unfold"]


def unfold(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Return a module's statements with its only function replaced by assignments of its defaults and its body.

    A ``return`` at the end of the body is kept for the caller. Code after the function may only call it or print its
    result, and is dropped.

    Raises:
        ProgramError: ``forbidden`` for a second function, a parameter without a number as its default, or other code
            after the function; ``no_program`` for a ``return`` outside a function, which Python does not accept either.
    """
    if any(isinstance(statement, ast.Return) for statement in statements):
        raise no_program("not Python: 'return' outside function")
    positions = [i for i, statement in enumerate(statements) if isinstance(statement, ast.FunctionDef)]
    if not positions:
        return statements
    if len(positions) > 1:
        raise forbidden("a second function")
    function = statements[positions[0]]
    assert isinstance(function, ast.FunctionDef)
    for statement in statements[positions[0] + 1 :]:
        if not _only_uses(statement, function.name):
            raise forbidden("code after the function")
    if function.decorator_list:
        raise forbidden("a decorator")
    return statements[: positions[0]] + _parameters(function.args) + function.body


def _parameters(arguments: ast.arguments) -> list[ast.stmt]:
    positional = arguments.posonlyargs + arguments.args
    required = len(positional) - len(arguments.defaults)
    if required or arguments.vararg or arguments.kwarg or None in arguments.kw_defaults:
        raise forbidden("a parameter without a number as its default")
    values = arguments.defaults + [value for value in arguments.kw_defaults if value is not None]
    if not all(map(_is_number, values)):
        raise forbidden("a parameter without a number as its default")
    return [
        ast.Assign(targets=[ast.Name(parameter.arg, ast.Store())], value=value, lineno=0)
        for parameter, value in zip(positional + arguments.kwonlyargs, values, strict=True)
    ]


def _is_number(node: ast.expr) -> bool:
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


def _only_uses(statement: ast.stmt, function: str) -> bool:
    """Return whether a statement only calls the function, assigns its result to a name, or prints."""
    if isinstance(statement, ast.Expr):
        return called_name(statement.value) == "print" or _is_bare_call(statement.value, function)
    if isinstance(statement, ast.Assign):
        return isinstance(statement.targets[0], ast.Name) and _is_bare_call(statement.value, function)
    if isinstance(statement, ast.If):
        return _is_main_guard(statement.test) and all(_only_uses(inner, function) for inner in statement.body)
    return False


def _is_bare_call(node: ast.expr, function: str) -> bool:
    return isinstance(node, ast.Call) and called_name(node) == function and not node.args and not node.keywords


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"
