"""Write a program in its terse form: numbers where they are used, and only the lines that its answer needs.

Each step removes lines, and keeps every operation that the answer depends on: on the same values, in the same order.
So the answer is the same to the last bit.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Mapping, Sequence

from ._grammar import ANSWER
from ._needed import assigned_names, needed_lines, read_names
from ._normal import normalize
from ._parse import parse
from ._program_error import ProgramError
from ._reply import compute

__all__ = ["terse"]


def terse(program: str) -> str:
    """Return the terse form of a program, which computes the same number to the last bit.

    Literals that are assigned once go where they are used, unless that makes the program longer. Lines that only give
    a value another name go, and lines that nothing reads; the last result is assigned to ``answer`` itself. All other
    results keep their names.

    Args:
        program: A program that computes a number, in any text; see ``compute``.

    Returns:
        A program in normal form, never longer than that of the given one, with the same number of operations and no
        more steps. It is its own terse form.

    Raises:
        ProgramError: The program computes no number: a line that is left out may be the one that fails.
    """
    written = compute(program).program
    text, shorter = "", written
    try:
        while shorter != text:
            text = shorter
            body = _with_result_as_answer(_with_values_in_place(needed_lines(parse(text))))
            shorter = ast.unparse(ast.Module(body, []))
        return normalize(text)
    except ProgramError:  # a literal in the place of a name made a line too long, or nested it too deeply
        return written


def _with_values_in_place(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Put literals and other names of values in the place of the names that are assigned them, once."""
    last_assigned = {name: at for at, statement in enumerate(body) for name in assigned_names(statement)}
    times_assigned = Counter(name for statement in body for name in assigned_names(statement))
    times_read = Counter(name for statement in body for name in read_names(statement))
    loops = [node for statement in body for node in ast.walk(statement) if isinstance(node, ast.For | ast.While)]
    read_in_loops = {name for loop in loops for name in read_names(loop)}
    values: dict[str, ast.expr] = {}

    def stands_for(name: str, value: ast.expr, at: int) -> bool:
        """Return whether the name can be replaced by the value wherever it is read, in no more characters and steps."""
        if name == ANSWER or times_assigned[name] > 1:
            return False
        if isinstance(value, ast.Name) and last_assigned.get(value.id, at) >= at:
            return False
        if isinstance(value, ast.UnaryOp) and (times_read[name] > 1 or name in read_in_loops):
            return False  # a sign is a step each time that it is reached
        length = len(ast.unparse(value))
        return times_read[name] * (length - len(name)) <= len(f"{name} = \n") + length

    kept: list[ast.stmt] = []
    for at, statement in enumerate(body):
        _PutInPlace(values).visit(statement)
        if isinstance(statement, ast.Assign) and _is_literal_or_name(statement.value):
            (name,), value = assigned_names(statement), statement.value
            if stands_for(name, value, at):
                values[name] = value
                if isinstance(value, ast.Name):
                    times_read[value.id] += times_read[name] - 1
                continue
        kept.append(statement)
    return kept


def _with_result_as_answer(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Write ``total = a + b`` and ``answer = total`` at the end as ``answer = a + b``."""
    lines = [*body]
    while (result := _repeated_result(lines)) is not None:
        lines[-2:] = [ast.Assign(targets=[ast.Name(ANSWER, ast.Store())], value=result, lineno=0)]
    return lines


def _repeated_result(lines: Sequence[ast.stmt]) -> ast.expr | None:
    """Return what the line before the last one assigns, if the last one only gives it to ``answer``."""
    match lines[-2:]:
        case [ast.Assign(targets=[ast.Name(id=name)], value=value), ast.Assign(value=ast.Name(id=given))]:
            return value if name == given else None
        case [ast.AugAssign(target=ast.Name(id=name), op=op, value=value), ast.Assign(value=ast.Name(id=given))]:
            return ast.BinOp(ast.Name(name, ast.Load()), op, value) if name == given else None
    return None


class _PutInPlace(ast.NodeTransformer):
    """Puts values in the place of the names that are read; a function that is called is not a variable."""

    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:  # ast looks the method up by this name
        is_read = isinstance(node.ctx, ast.Load) and node.id in self._values
        return copy.deepcopy(self._values[node.id]) if is_read else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        node.args = [self.visit(argument) for argument in node.args]
        return node


def _is_literal_or_name(value: ast.expr) -> bool:
    match value:
        case ast.Constant() | ast.UnaryOp(op=ast.USub(), operand=ast.Constant()) | ast.Name():
            return True
    return False
