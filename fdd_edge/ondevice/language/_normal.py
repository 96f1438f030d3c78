"""Find the program in a reply and write it in normal form: equal programs have equal text."""

from __future__ import annotations

import ast
from typing import NamedTuple

from ..verdicts import Verdict
from ._clean import called_name, clean_block
from ._grammar import ANSWER
from ._imports import resolve_imports
from ._limits import check_length, check_shape
from ._parse import candidates, parse
from ._program_error import ProgramError, no_program, over_limit
from ._unfold import unfold

__all__ = ["Found", "find_program", "normalize", "read_program"]


class Found(NamedTuple):
    """A program found in a reply.

    Attributes:
        text: Its source in normal form.
        body: The syntax tree of that source.
        written: The program as it was written; None if it was written in normal form.
    """

    text: str
    body: list[ast.stmt]
    written: str | None


def normalize(text: str) -> str:
    """Find the program in a reply and return its normal form.

    The reply may be the bare lines of a program, or any text with the program in a fenced block, and the program may
    be wrapped in a ``def`` whose parameters all have defaults. If several fenced blocks are programs, the last counts.

    Args:
        text: What a model wrote.

    Returns:
        One statement per line, without imports, comments and prints, ending in ``answer = ...``. Normalizing it
        again changes nothing.

    Raises:
        ProgramError: ``no_program``, ``forbidden`` or ``limit``.
    """
    return find_program(text).text


def find_program(text: str) -> Found:
    """Find the program in a reply; see ``normalize``."""
    check_length(text, "the reply")
    fault: ProgramError | None = None
    for source in candidates(text):
        try:
            return _normal_form(source)
        except ProgramError as error:
            if error.verdict is Verdict.limit:
                raise  # several blocks at the limit would take too long together
            # The error of a block that nearly is a program says more than that of one that is not a program at all.
            if fault is None or (fault.verdict is Verdict.no_program and error.verdict is Verdict.forbidden):
                fault = error
    raise fault or no_program("the reply is empty")


def read_program(program: str) -> list[ast.stmt]:
    """Return the statements of a program's source, after checking them against the language.

    Raises:
        ProgramError: ``no_program``, ``forbidden`` or ``limit``.
    """
    try:
        return clean_block(resolve_imports(parse(program)))
    except RecursionError:
        raise over_limit("the program is nested too deeply") from None


def _normal_form(source: str) -> Found:
    statements = parse(source)
    if all(isinstance(s, ast.Expr) and not isinstance(s.value, ast.Call) for s in statements):
        raise no_program("nothing is computed")
    try:
        body = _cut_after_answer(clean_block(_with_answer(unfold(resolve_imports(statements)))))
        text = ast.unparse(ast.Module(body, []))
    except RecursionError:
        raise over_limit("the program is nested too deeply") from None
    check_shape(text)
    return Found(text, body, None if source.strip() == text else source)


def _with_answer(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Assign the value to ``answer`` if the last statement returns, prints or shows it instead."""
    last = statements[-1] if statements else None
    if isinstance(last, ast.Return):
        return statements[:-1] + _assign_answer(last.value)
    if isinstance(last, ast.Expr) and not _answer_positions(statements):
        return statements + _assign_answer(_shown_value(last.value))
    return statements


def _assign_answer(value: ast.expr | None) -> list[ast.stmt]:
    if value is None or _is_answer(value):
        return []
    return [ast.Assign(targets=[ast.Name(ANSWER, ast.Store())], value=value, lineno=0)]


def _shown_value(value: ast.expr) -> ast.expr | None:
    """Return the x of ``print(x)``, ``print("text", x)`` or a last line ``x``, or None if that is not one value."""
    if isinstance(value, ast.Name):
        return value
    if not isinstance(value, ast.Call) or called_name(value) != "print" or value.keywords:
        return None
    numbers = [argument for argument in value.args if not _is_text(argument)]
    return numbers[0] if len(numbers) == 1 else None


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _cut_after_answer(statements: list[ast.stmt]) -> list[ast.stmt]:
    positions = _answer_positions(statements)
    if not positions:
        raise no_program(f"nothing is assigned to {ANSWER!r}")
    return statements[: positions[-1] + 1]


def _answer_positions(statements: list[ast.stmt]) -> list[int]:
    return [i for i, statement in enumerate(statements) if _assigns_answer(statement)]


def _assigns_answer(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign):
        return any(map(_is_answer, statement.targets))
    if isinstance(statement, ast.AnnAssign | ast.AugAssign):
        return _is_answer(statement.target)
    if isinstance(statement, ast.For) and _is_answer(statement.target):
        return True
    if isinstance(statement, ast.If | ast.While | ast.For):
        return any(map(_assigns_answer, statement.body + statement.orelse))
    return False


def _is_answer(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Name) and node.id == ANSWER
