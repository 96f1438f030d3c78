"""What the code after a program's only function does with it: how it is called, and which number is shown."""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Iterator
from typing import NamedTuple

from ._clean import called_name, clean_block
from ._grammar import ANSWER
from ._printed import printed_numbers
from ._program_error import forbidden, over_limit

__all__ = ["Uses", "call_of", "is_main_guard", "read_uses"]

_MAX_NODES = 1_000
"""Nodes of an expression once the names in it are replaced: ``b = a + a`` doubles its length line by line."""


class Uses(NamedTuple):
    """How the code after a function uses it.

    Attributes:
        shown: The number that is shown, in terms of calls of the function; None if nothing is.
        calls: The calls that what is shown is made of; if nothing is shown, the last one of all.
        changed: The names that are assigned.
    """

    shown: ast.expr | None
    calls: list[ast.Call]
    changed: set[str]


def call_of(node: ast.AST | None, function: str) -> ast.Call | None:
    """Return a node that is a call of the function, or None if it is not."""
    return node if isinstance(node, ast.Call) and called_name(node) == function else None


def read_uses(statements: list[ast.stmt], function: str, *, known: Collection[str]) -> Uses:
    """Follow the lines after a function.

    The last ``print`` of a number that comes from the function shows it; otherwise what is assigned to ``answer`` is
    shown, or the number of the last ``print`` that has one, or a name on a line of its own. A print of a comparison, or
    of a variable of the function, which Python does not know there, is passed over.

    Args:
        statements: The lines after the function: assignments, calls of it, prints, and a main guard around such.
        function: Its name.
        known: Names that were assigned before it.

    Raises:
        ProgramError: ``forbidden`` for any other line, and for a print of several results.
    """
    after = _After(function, known)
    for statement in _without_guard(statements):
        after.follow(statement)
    shown = after.result or after.values.get(ANSWER) or after.other
    if shown is None and after.computed:
        raise forbidden("code after the function")
    calls = [] if shown is None else list(_calls(shown, function))
    if shown is None and after.last_call is not None:
        calls = [after.last_call]
    return Uses(shown, calls, set(after.values))


def _without_guard(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in statements:
        if isinstance(statement, ast.If) and is_main_guard(statement.test):
            yield from statement.body
        else:
            yield statement


def is_main_guard(test: ast.expr) -> bool:
    """Return whether a condition is ``__name__ == "__main__"``."""
    if not isinstance(test, ast.Compare) or not isinstance(test.left, ast.Name) or len(test.ops) > 1:
        return False
    other = test.comparators[0]
    is_main = isinstance(other, ast.Constant) and other.value == "__main__"
    return test.left.id == "__name__" and isinstance(test.ops[0], ast.Eq) and is_main


class _After:
    """The lines after the function, so far: every name stands for the expression that it was assigned."""

    def __init__(self, function: str, known: Collection[str]) -> None:
        self._function, self._known = function, known
        self.values: dict[str, ast.expr] = {}
        self.result: ast.expr | None = None
        self.other: ast.expr | None = None
        self.last_call: ast.Call | None = None
        self.computed = False

    def follow(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Pass):
            return
        if isinstance(statement, ast.Expr):
            self._follow_expression(statement.value)
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            self._assign(statement.targets[0], statement.value)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            self._assign(statement.target, statement.value)
        else:
            raise forbidden("code after the function")

    def _follow_expression(self, value: ast.expr) -> None:
        if called_name(value) == "print":
            assert isinstance(value, ast.Call)
            self._print(value)
        elif call_of(value, self._function) is not None:
            self.last_call = call_of(self._known_value(value), self._function)
        elif isinstance(value, ast.Name):
            self._show([value])
        elif not isinstance(value, ast.Constant):
            raise forbidden("code after the function")

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if not isinstance(target, ast.Name) or target.id == self._function:
            raise forbidden("code after the function")
        found = self._known_value(value)
        call = call_of(found, self._function)
        self.last_call, self.computed = call or self.last_call, call is None
        self.values[target.id] = found

    def _print(self, call: ast.Call) -> None:
        numbers = printed_numbers(call)
        if numbers is None:
            raise forbidden("what is printed after the function")
        self._show(numbers)

    def _show(self, numbers: list[ast.expr]) -> None:
        """Take the only number that comes from the function, or else the only one that is shown."""
        numbers = [value for value in numbers if not isinstance(value, ast.Compare)]
        if any(isinstance(value, ast.Name) and not self._knows(value.id) for value in numbers):
            return
        values = [self._known_value(value) for value in numbers]
        results = {ast.dump(value): value for value in values if any(_calls(value, self._function))}
        if len(results) > 1:
            raise forbidden("a print of several results")
        if results:
            self.result = next(iter(results.values()))
        elif len(values) == 1:
            self.other = values[0]

    def _knows(self, name: str) -> bool:
        return name in self.values or name in self._known

    def _known_value(self, value: ast.expr) -> ast.expr:
        """Return an expression with the names that were assigned after the function replaced by their values."""
        found: ast.expr = _ReplaceNames(self.values).visit(copy.deepcopy(value))
        if sum(1 for _ in ast.walk(found)) > _MAX_NODES:
            raise over_limit("the code after the function is too long")
        # A line without a use is dropped later, so what it contains is checked here.
        checked = _ReplaceOuterCalls(self._function).visit(copy.deepcopy(found))
        clean_block([ast.Expr(checked)])
        return found


def _calls(node: ast.expr, function: str) -> Iterator[ast.Call]:
    for inner in ast.walk(node):
        if (call := call_of(inner, function)) is not None:
            yield call


class _ReplaceNames(ast.NodeTransformer):
    def __init__(self, values: dict[str, ast.expr]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:  # ast looks the method up by this name
        # A function that is called is not a variable, whatever else has its name.
        return copy.deepcopy(self._values[node.id]) if node.id in self._values else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        node.args = [self.visit(value) for value in node.args]
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        return node


class _ReplaceOuterCalls(ast.NodeTransformer):
    """Replaces calls of the function by the sum of their arguments, so that these are checked too."""

    def __init__(self, function: str) -> None:
        self._function = function

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if call_of(node, self._function) is None:
            return node
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
        return ast.Call(ast.Name("min", ast.Load()), values, [])
