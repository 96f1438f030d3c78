"""Run a program line by line, to show what each line computes."""

from __future__ import annotations

import ast
import math
from typing import NamedTuple

from ._interpret import Machine, Number, python_faults
from ._normal import read_program
from ._program_error import ProgramError

__all__ = ["LineValue", "line_values"]


class LineValue(NamedTuple):
    """A line of a program.

    Attributes:
        text: The line.
        value: What it assigns; None if it assigns nothing, belongs to a loop or a branch, or is not reached.
    """

    text: str
    value: int | float | None


def line_values(program: str) -> list[LineValue]:
    """Return the lines of a program in normal form, each with the value that it assigns.

    Never raises: the lines from the one on that fails have no values, and neither have those of a text that is not a
    program.
    """
    try:
        body = read_program(program)
    except ProgramError:
        return [LineValue(line, None) for line in program.splitlines()]
    machine, found, failed = Machine({}), list[LineValue](), False
    for statement in body:
        value = None
        if not failed:
            try:
                with python_faults():
                    machine.run([statement])
                    value = _assigned(machine, statement)
            except ProgramError:
                failed = True
        found += [LineValue(line, value) for line in ast.unparse(statement).splitlines()]
    return found


def _assigned(machine: Machine, statement: ast.stmt) -> Number | None:
    """Return what a statement has assigned; None if it is not one assignment of a finite number."""
    target: ast.expr | None = None
    if isinstance(statement, ast.Assign):
        target = statement.targets[-1]
    elif isinstance(statement, ast.AugAssign):
        target = statement.target
    if not isinstance(target, ast.Name):
        return None
    value: Number = machine.names[target.id]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return int(value) if isinstance(value, bool) else value
