"""The operation graph of a program: what is computed from what, whatever the numbers and the names are."""

from __future__ import annotations

import ast

__all__ = ["OPERATORS", "PREVIOUS", "Graph", "NotPlainError", "operation_graph", "put_in"]

Graph = str | tuple["Graph", ...]
"""``n`` for a number, or an operation with its operands: ``("+", ("*", "n", "n"), "n")``."""
PREVIOUS = "previous"
"""In the graph of a further step: the result before it."""

OPERATORS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
}  # fmt: skip
_IN_ANY_ORDER = {"+", "*"}


class NotPlainError(ValueError):
    """The program is more than assignments of arithmetic."""


def operation_graph(program: str, previous: str | None = None) -> Graph:
    """Return the operation graph of a program in normal form.

    Sums and products are flat, and their operands sorted: ``a + (b + c)`` is ``b + a + c``.

    Args:
        program: Assignments; the graph is that of the last one.
        previous: A name that is not assigned: the result of what comes before.

    Raises:
        NotPlainError: It has loops, conditions or comparisons.
    """
    names: dict[str, Graph] = {previous: PREVIOUS} if previous else {}
    value: Graph = "n"
    for line in ast.parse(program).body:
        if not isinstance(line, ast.Assign) or not isinstance(line.targets[0], ast.Name):
            raise NotPlainError
        value = names[line.targets[0].id] = _read(line.value, names)
    return value


def put_in(graph: Graph, before: Graph) -> Graph:
    """Return a step's graph with what comes before in its place."""
    if isinstance(graph, str):
        return before if graph == PREVIOUS else graph
    return _join(str(graph[0]), [put_in(operand, before) for operand in graph[1:]])


def _read(node: ast.expr, names: dict[str, Graph]) -> Graph:
    if isinstance(node, ast.Constant):
        return "n"
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return _join(OPERATORS[type(node.op)], [_read(node.left, names), _read(node.right, names)])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _join("-", [_read(node.operand, names)])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _join(node.func.id, [_read(argument, names) for argument in node.args])
    raise NotPlainError


def _join(operation: str, operands: list[Graph]) -> Graph:
    if operation not in _IN_ANY_ORDER:
        return (operation, *operands)
    flat: list[Graph] = []
    for operand in operands:
        inside = isinstance(operand, tuple) and operand[0] == operation
        flat += operand[1:] if inside else [operand]
    return (operation, *sorted(flat, key=repr))
