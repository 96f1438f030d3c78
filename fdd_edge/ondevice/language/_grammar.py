"""The vocabulary of the language, shared by the checker, the interpreter and the operation count."""

from __future__ import annotations

import ast

__all__ = [
    "ANSWER",
    "ARITHMETIC",
    "COMPARISONS",
    "COUNTED_FUNCTIONS",
    "FUNCTIONS",
    "LIST_FUNCTIONS",
    "MATH_FUNCTIONS",
    "UNARY",
]

ANSWER = "answer"
"""The variable that holds a program's result."""

MATH_FUNCTIONS = frozenset({"ceil", "floor", "sqrt", "gcd", "lcm"})
"""Functions that may also be written as ``math.NAME``."""
LIST_FUNCTIONS = frozenset({"min", "max", "sum"})
"""Functions that may take one list, tuple or range."""
COUNTED_FUNCTIONS = LIST_FUNCTIONS | MATH_FUNCTIONS | {"abs", "round"}
"""Calls that count as an operation; int() and float() only convert the type."""
FUNCTIONS = COUNTED_FUNCTIONS | {"int", "float"}

ARITHMETIC = frozenset({ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow})
UNARY = frozenset({ast.UAdd, ast.USub, ast.Not})
COMPARISONS = frozenset({ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE})
