"""Check that a program says what its normal form computes."""

from __future__ import annotations

import ast
from typing import Any

from ..verdicts import Verdict
from ._grammar import ANSWER
from ._interpret import Number, python_faults
from ._normal import Found
from ._parse import parse
from ._program_error import ProgramError
from ._script import Function, Script

__all__ = ["check_answer"]


def check_answer(found: Found, answer: Number) -> None:
    """Raise unless a program says what its normal form computed.

    Args:
        found: The program.
        answer: What its normal form computed.

    Raises:
        ProgramError: ``error`` or ``limit`` if the program raises, also behind its answer; ``forbidden`` if it shows
            another number, or shows it in a way that is not understood.
    """
    if found.written is None:
        return
    statements = parse(found.written)
    script = Script()
    with python_faults():
        script.run_all(statements)
        said = _said(script, statements)
    if not any(isinstance(value, int | float) and value == answer for value in said):
        raise ProgramError(Verdict.forbidden, f"the lines compute {answer:.12g}, but the program shows something else")


def _said(script: Script, statements: list[ast.stmt]) -> list[Any]:
    """Return what may be the answer after a run: what was printed or named so, or else the result or the last line."""
    written_out = script.numbers(written_out=True)
    found = script.numbers(written_out=False) + ([script.module[ANSWER]] if ANSWER in script.module else [])
    last = statements[-1]
    if found:
        return found
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Name):
        return written_out or [script.value(last.value)]
    if not script.calls and not written_out:
        # Nothing uses the function, so its result is meant.
        for function in [value for value in script.module.values() if isinstance(value, Function)][-1:]:
            script.call_function(function, dict(function.defaults))
    if script.returned is not None:
        return [*written_out, script.returned]
    return [*script.numbers(written_out=False), *script.numbers(written_out=True), script.local.get(ANSWER)]
