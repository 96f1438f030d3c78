"""Finds the numbers in a program that its answer depends on."""

from __future__ import annotations

import ast

__all__ = ["numbers_used"]


def numbers_used(program: str) -> list[float]:
    """Return the numbers in a program that its answer depends on; lines whose result is not used are ignored."""
    tree = ast.parse(program)
    needed, size = {"answer"}, 0
    while len(needed) != size:
        size = len(needed)
        for node in ast.walk(tree):
            if needed & _assigned(node):
                needed |= {n.id for part in _read(node) for n in ast.walk(part) if isinstance(n, ast.Name)}
    parts = [part for node in ast.walk(tree) if needed & _assigned(node) for part in _read(node)]
    return [
        float(n.value)
        for part in parts
        for n in ast.walk(part)
        if isinstance(n, ast.Constant) and isinstance(n.value, int | float)
    ]


def _assigned(node: ast.AST) -> set[str]:
    """Return the names that a statement assigns, itself or in its body."""
    if isinstance(node, ast.expr | ast.Module):
        return set()
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _read(node: ast.AST) -> list[ast.expr]:
    """Return the expressions that a statement itself reads: its value, condition or iterable."""
    match node:
        case ast.Assign(value=value) | ast.AugAssign(value=value):
            return [value]
        case ast.If(test=test) | ast.While(test=test):
            return [test]
        case ast.For(iter=iterable):
            return [iterable]
    return []
