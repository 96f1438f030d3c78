"""The operation graph of a program: what is computed from what, regardless of numbers and names."""

from __future__ import annotations

import ast

__all__ = ["OPERATORS", "PREVIOUS", "Graph", "NotPlainError", "operation_graph", "substitute"]

Graph = str | tuple["Graph", ...]
"""``n`` for a number, or an operation with its operands: ``("+", ("*", "n", "n"), "n")``."""
PREVIOUS = "previous"
"""The result before a further step, in the graph of the step."""

OPERATORS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
}  # fmt: skip
_COMMUTATIVE = {"+", "*"}


class NotPlainError(ValueError):
    """The program contains more than assignments of arithmetic."""


def operation_graph(program: str, previous: str | None = None) -> Graph:
    """Return the operation graph of a program in normal form.

    Sums and products are flattened and their operands sorted: ``a + (b + c)`` equals ``b + a + c``.

    Args:
        program: Assignments; the graph describes the last one.
        previous: A name without an assignment: the result before this program.

    Raises:
        NotPlainError: The program has loops, conditions or comparisons.
    """
    names: dict[str, Graph] = {previous: PREVIOUS} if previous else {}
    value: Graph = "n"
    for line in ast.parse(program).body:
        if not isinstance(line, ast.Assign) or not isinstance(line.targets[0], ast.Name):
            raise NotPlainError
        value = names[line.targets[0].id] = _read(line.value, names)
    return value


def substitute(graph: Graph, before: Graph) -> Graph:
    """Return a step's graph with ``before`` in the place of ``PREVIOUS``."""
    if isinstance(graph, str):
        return before if graph == PREVIOUS else graph
    return _join(str(graph[0]), [substitute(operand, before) for operand in graph[1:]])


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
    if operation not in _COMMUTATIVE:
        return (operation, *operands)
    flat: list[Graph] = []
    for operand in operands:
        inside = isinstance(operand, tuple) and operand[0] == operation
        flat += operand[1:] if inside else [operand]
    return (operation, *sorted(flat, key=repr))
