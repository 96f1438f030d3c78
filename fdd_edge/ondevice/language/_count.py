"""Count the arithmetic operations of a program, which measure how complex a problem is."""

from __future__ import annotations

import ast

from ._clean import called_name
from ._grammar import COUNTED_FUNCTIONS
from ._needed import needed_lines
from ._parse import parse

__all__ = ["count_operations"]


def count_operations(program: str) -> int:
    """Count the arithmetic operations in the source of a program; an operation in a loop counts once.

    Binary operators, augmented assignments and calls count. Signs, comparisons, ``int()`` and ``float()`` do not, and
    neither do lines that the last one does not depend on.

    Args:
        program: A program in normal form.

    Raises:
        ProgramError: ``no_program`` or ``limit`` if it does not parse.
    """
    return sum(_is_operation(node) for statement in needed_lines(parse(program)) for node in ast.walk(statement))


def _is_operation(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp | ast.AugAssign) or called_name(node) in COUNTED_FUNCTIONS
