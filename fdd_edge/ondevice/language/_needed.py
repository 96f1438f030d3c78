"""Which lines of a program its result depends on."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

__all__ = ["assigned_names", "needed_lines", "read_names"]


def needed_lines(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Return the statements that the last one depends on, in order, and that one.

    A line is left out if nothing reads its result before it is replaced. A loop or an ``if`` is needed as a whole.
    """
    wanted = set(assigned_names(body[-1])) if body else set()
    needed: list[ast.stmt] = []
    for statement in reversed(body):
        assigned = set(assigned_names(statement))
        if needed and assigned.isdisjoint(wanted):
            continue
        if isinstance(statement, ast.Assign):
            wanted -= assigned
        wanted.update(read_names(statement))
        needed.append(statement)
    return needed[::-1]


def assigned_names(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement assigns, itself or in its blocks, each as often as it does."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def read_names(node: ast.AST) -> Iterator[str]:
    """Yield the names whose values a statement or expression reads, each as often as it does."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
    # A function that is called is not a variable.
    for child in node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node):
        yield from read_names(child)
