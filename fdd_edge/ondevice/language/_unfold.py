"""Replace ``def solution(): ... return x`` and the code that uses it with lines that compute the same number."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Sequence

from ._clean import clean_block
from ._grammar import ANSWER
from ._program_error import forbidden, no_program
from ._uses import Uses, call_of, read_uses

__all__ = ["unfold"]


def unfold(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Return a module's statements with its only function replaced by its arguments, its body and what is made of it.

    The code after the function decides how it is called and what is done with its result: ``print(f(5) / 4)`` becomes
    the lines of ``f`` for 5, and a ``return`` of its result divided by 4. A ``return`` or ``print`` at the end is kept
    for the caller.

    Raises:
        ProgramError: ``forbidden`` for a second function, a parameter without a number, calls with different arguments,
            or code after the function that could mean something else; ``no_program`` for a ``return`` outside a
            function, which Python does not accept either.
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
    if function.decorator_list:
        raise forbidden("a decorator")
    before = statements[: positions[0]]
    known = _names(before, ast.Store)
    uses = read_uses(statements[positions[0] + 1 :], function.name, known=known)
    lines = _inline(function, uses)
    if uses.shown is None and ANSWER in known:
        # The answer was there before the function, which is only held to the language.
        clean_block([line for line in copy.deepcopy(lines) if not isinstance(line, ast.Return)])
        return before
    return before + lines


def _inline(function: ast.FunctionDef, uses: Uses) -> list[ast.stmt]:
    """Return the lines of a function as it is called, and a ``return`` of what is shown."""
    if uses.shown is not None and not uses.calls:
        return [ast.Return(uses.shown)]  # what is shown does not come from the function
    if len({ast.dump(call) for call in uses.calls}) > 1:
        raise forbidden("calling the function with different arguments")
    call = uses.calls[0] if uses.calls else None
    lines = _parameters(function.args, call)
    body = lines + function.body
    local = _names(body, ast.Store)
    if uses.changed & (_names(function.body, ast.Load) - local):
        raise forbidden("changing what the function reads after it")
    if uses.shown is None or call_of(uses.shown, function.name) is not None:
        return body
    last = body[-1]
    if not isinstance(last, ast.Return) or last.value is None:
        raise forbidden("computing with a function that returns nothing")
    rest = _ReplaceCalls(function.name, ast.Constant(0)).visit(copy.deepcopy(uses.shown))
    if (local | {function.name}) & _names([rest], ast.Load) or function.name in local:
        raise forbidden("computing with a name that the function also uses")
    if len(uses.calls) == 1:
        return [*body[:-1], ast.Return(_ReplaceCalls(function.name, last.value).visit(uses.shown))]
    # The function's own name is free: it may hold the result, which is then computed only once.
    result = ast.Assign(targets=[ast.Name(function.name, ast.Store())], value=last.value, lineno=0)
    shown = _ReplaceCalls(function.name, ast.Name(function.name, ast.Load())).visit(uses.shown)
    return [*body[:-1], result, ast.Return(shown)]


class _ReplaceCalls(ast.NodeTransformer):
    """Puts a value in the place of every call of a function."""

    def __init__(self, function: str, value: ast.expr) -> None:
        self._function, self._value = function, value

    def visit_Call(self, node: ast.Call) -> ast.expr:  # ast looks the method up by this name
        if call_of(node, self._function) is not None:
            return copy.deepcopy(self._value)
        self.generic_visit(node)
        return node


def _parameters(arguments: ast.arguments, call: ast.Call | None) -> list[ast.stmt]:
    """Return one assignment for each parameter, of the argument or else of the default."""
    values = _defaults(arguments) | ({} if call is None else _arguments(arguments, call))
    names = [parameter.arg for parameter in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    if arguments.vararg or arguments.kwarg or any(name not in values for name in names):
        raise forbidden("a parameter without a number as its default")
    lines: list[ast.stmt] = []
    for name in names:
        value = values[name]
        if isinstance(value, ast.Name) and value.id == name:
            continue
        if _names([value], ast.Load) & set(names):
            raise forbidden("an argument named like a parameter")
        lines.append(ast.Assign(targets=[ast.Name(name, ast.Store())], value=value, lineno=0))
    return lines


def _defaults(arguments: ast.arguments) -> dict[str, ast.expr]:
    positional = arguments.posonlyargs + arguments.args
    with_default = positional[len(positional) - len(arguments.defaults) :]
    pairs = [
        *zip(with_default, arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    found = {parameter.arg: value for parameter, value in pairs if value is not None}
    if not all(map(_is_number, found.values())):
        raise forbidden("a parameter without a number as its default")
    return found


def _arguments(arguments: ast.arguments, call: ast.Call) -> dict[str, ast.expr]:
    """Return the arguments of a call by the name of their parameter, as Python binds them."""
    positional = [parameter.arg for parameter in (*arguments.posonlyargs, *arguments.args)]
    named = {parameter.arg for parameter in (*arguments.args, *arguments.kwonlyargs)}
    if len(call.args) > len(positional) or any(isinstance(value, ast.Starred) for value in call.args):
        raise forbidden("an argument that the function does not take")
    found = dict(zip(positional, call.args, strict=False))
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg not in named or keyword.arg in found:
            raise forbidden("an argument that the function does not take")
        found[keyword.arg] = keyword.value
    return found


def _is_number(node: ast.expr) -> bool:
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


def _names(nodes: Sequence[ast.AST], context: type[ast.expr_context]) -> set[str]:
    return {node.id for node in _all(nodes) if isinstance(node, ast.Name) and isinstance(node.ctx, context)}


def _all(nodes: Sequence[ast.AST]) -> Iterable[ast.AST]:
    for node in nodes:
        yield from ast.walk(node)
