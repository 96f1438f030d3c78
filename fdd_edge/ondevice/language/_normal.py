"""From a reply to the normal form of its program: equal programs have equal text."""

from __future__ import annotations

import ast
from typing import NamedTuple

from ..verdicts import Verdict
from ._clean import called_name, clean_block
from ._grammar import ANSWER
from ._limits import check_length, check_shape
from ._parse import candidates, parse
from ._program_error import ProgramError, no_program, over_limit
from ._unfold import unfold

__all__ = ["Found", "find_program", "normalize", "read_program"]


class Found(NamedTuple):
    """A program that was found in a reply, as text in normal form and as the tree of that text."""

    text: str
    body: list[ast.stmt]


def normalize(text: str) -> str:
    """Find the program in a reply and return its normal form.

    A reply is bare program lines, or any text with the program in a fenced block, or a ``def`` without free
    parameters around it. Of several fenced blocks the last that is a program of the language counts.

    Args:
        text: What a model wrote.

    Returns:
        One statement a line, without imports, comments and prints, ending in ``answer = ...``. It is its own
        normal form.

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
                raise  # several blocks at the limit would together take too long
            # A block that is no program at all says less than one that nearly is.
            if fault is None or (fault.verdict is Verdict.no_program and error.verdict is Verdict.forbidden):
                fault = error
    raise fault or no_program("the reply is empty")


def read_program(program: str) -> list[ast.stmt]:
    """Return the statements of a program that needs no finding, held to the language.

    Raises:
        ProgramError: ``no_program``, ``forbidden`` or ``limit``.
    """
    try:
        return clean_block(parse(program))
    except RecursionError:
        raise over_limit("the program is nested too deep") from None


def _normal_form(source: str) -> Found:
    statements = parse(source)
    if all(isinstance(s, ast.Expr) and not isinstance(s.value, ast.Call) for s in statements):
        raise no_program("nothing is computed")
    try:
        body = _up_to_answer(clean_block(_with_answer(unfold(statements))))
        text = ast.unparse(ast.Module(body, []))
    except RecursionError:
        raise over_limit("the program is nested too deep") from None
    check_shape(text)
    return Found(text, body)


def _with_answer(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Give the value its place in ``answer`` where the last statement returns, prints or shows it."""
    last = statements[-1] if statements else None
    if isinstance(last, ast.Return):
        return statements[:-1] + _answer_is(last.value)
    if isinstance(last, ast.Expr) and not _answer_positions(statements):
        return statements + _answer_is(_shown(last.value))
    return statements


def _answer_is(value: ast.expr | None) -> list[ast.stmt]:
    if value is None or _is_answer(value):
        return []
    return [ast.Assign(targets=[ast.Name(ANSWER, ast.Store())], value=value, lineno=0)]


def _shown(value: ast.expr) -> ast.expr | None:
    """Return what ``print(x)``, ``print("text", x)`` or a last line ``x`` shows, None if that is not one value."""
    if isinstance(value, ast.Name):
        return value
    if not isinstance(value, ast.Call) or called_name(value) != "print" or value.keywords:
        return None
    numbers = [argument for argument in value.args if not _is_text(argument)]
    return numbers[0] if len(numbers) == 1 else None


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _up_to_answer(statements: list[ast.stmt]) -> list[ast.stmt]:
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
