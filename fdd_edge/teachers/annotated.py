"""A teacher that turns the calculator notes of GSM8K's solutions into programs (Cobbe et al. 2021, arXiv 2110.14168).

Each note becomes an assignment, and an operand that equals an earlier result becomes its variable. Only programs that
give the gold answer are returned.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fdd_edge.number_words import numbers_in_words
from fdd_edge.ondevice.language import ProgramError, normalize, run_program
from fdd_edge.records import Problem, same_answer
from fdd_edge.teachers._interface import Declined, Draft
from fdd_edge.teachers._naming import name_result
from fdd_edge.teachers._notes import NUMBER, Step, parse_number, read_steps

__all__ = ["AnnotatedTeacher", "program_from_solution"]

_ROUNDING_CUE = re.compile(r"\bround|\bnearest\b|\bwhole\b|\bfull\b|\bcomplete", re.IGNORECASE)
_PERCENT_CUE = re.compile(r"%|\bpercent", re.IGNORECASE)


class _Line(NamedTuple):
    """An assignment, and the earlier assignments that it reads."""

    name: str
    expression: ast.expr
    value: float
    reads: frozenset[int]


class AnnotatedTeacher:
    """Writes programs for problems whose ``solution`` has calculator notes."""

    name = "annotated"
    writes_problems = False

    async def rationale(self, problems: Sequence[Problem]) -> list[str | Declined]:
        """Return a program for each problem, or why its notes do not yield one."""
        return [self._program(problem) for problem in problems]

    async def complexify(
        self, problems: Sequence[Problem], *, per_problem: int, seed: int
    ) -> list[list[Draft] | Declined]:
        """Decline every problem: this teacher reads solutions and writes no new problems."""
        return [self._decline(problem, "writes_no_problems") for problem in problems]

    async def similar(
        self, problems: Sequence[Problem], *, per_problem: int, seed: int
    ) -> list[list[Draft] | Declined]:
        """Decline every problem: this teacher reads solutions and writes no new problems."""
        return [self._decline(problem, "writes_no_problems") for problem in problems]

    def _decline(self, problem: Problem, reason: str) -> Declined:
        return Declined(problem.id, self.name, reason)

    def _program(self, problem: Problem) -> str | Declined:
        solution = problem.solution
        if not isinstance(solution, str):
            return self._decline(problem, "no_solution")
        try:
            return program_from_solution(problem.question, solution, problem.answer)
        except _NoProgramError as error:
            return self._decline(problem, str(error))


class _NoProgramError(Exception):
    """A solution yields no program; the message is the reason."""


def program_from_solution(question: str, solution: str, answer: int | float) -> str:
    """Return the program that a solution's notes describe, in normal form; its answer is ``answer``.

    Raises:
        _NoProgramError: There is no such program; the message is the reason as a slug.
    """
    read = list(read_steps(solution))
    steps = [step for step in read if step is not None]
    if not steps:
        raise _NoProgramError("unparseable_note" if read else "no_notes")
    lines = _assign(steps, question)
    if not lines:
        raise _NoProgramError("no_arithmetic_in_notes")
    for last, final in _endings(lines, question, solution, answer):
        program = _checked(_write(lines, last, final), answer)
        if program is not None:
            if _reads_unexplained_number(program, steps, question):
                raise _NoProgramError("solved_in_words")
            return program
    raise _NoProgramError("unparseable_note" if len(steps) < len(read) else "notes_do_not_give_answer")


def _checked(text: str, answer: int | float) -> str | None:
    """Return the normal form of a program if it gives the answer, otherwise None."""
    try:
        program = normalize(text)
        return program if same_answer(run_program(program), answer) else None
    except ProgramError:
        return None


def _assign(steps: Sequence[Step], question: str) -> list[_Line]:
    """Turn steps into assignments, in which names replace the numbers that are earlier results."""
    given = _numbers_of(question)
    lines: list[_Line] = []
    used: set[int] = set()
    for step in steps:
        if not isinstance(step.expression, ast.BinOp | ast.UnaryOp):
            # "x = <<33=33>>" is the end of an equation that was solved in words, not a step.
            continue
        operands = _Operands(lines, used, given)
        expression = operands.visit(step.expression)
        name = name_result(step.before, step.after, {line.name for line in lines}, len(lines) + 1)
        lines.append(_Line(name, expression, step.stated, frozenset(operands.reads)))
        used |= operands.reads
    return lines


class _Operands(ast.NodeTransformer):
    """Replaces constants by the variables that have their value."""

    def __init__(self, lines: Sequence[_Line], used: set[int], given: frozenset[float]) -> None:
        self._lines = lines
        self._used = used
        self._given = given
        self.reads: set[int] = set()

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """In "60 - 60" or "7 * 7", only the second number may be a result; the first one is given."""
        if ast.dump(node.left) == ast.dump(node.right):
            return ast.BinOp(node.left, node.op, self.visit(node.right))
        return ast.BinOp(self.visit(node.left), node.op, self.visit(node.right))

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        """Prefer the latest result that is still unread, then a number of the question, then any result."""
        assert isinstance(node.value, int | float)
        found = [i for i, line in enumerate(self._lines) if _is_result(node.value, line.value)]
        unread = [i for i in found if i not in self._used and i not in self.reads]
        if unread:
            chosen = unread[-1]
        elif found and float(node.value) not in self._given:
            chosen = found[-1]
        else:
            return ast.Constant(_tidy(node.value))
        self.reads.add(chosen)
        return ast.Name(self._lines[chosen].name)


def _is_result(operand: float, result: float) -> bool:
    """Return whether an operand is a result, which the text may have rounded to two or more decimals."""
    if abs(operand - result) <= 1e-9 * max(1.0, abs(result)):
        return True
    decimals = len(repr(float(operand)).partition(".")[2])
    return decimals >= 2 and abs(operand - result) <= 10.0**-decimals


def _tidy(number: int | float) -> int | float:
    return int(number) if float(number).is_integer() else number


def _numbers_of(text: str) -> frozenset[float]:
    digits = [parse_number(found) for found in re.findall(NUMBER, text)]
    return frozenset([number for number in digits if number is not None] + numbers_in_words(text))


def _endings(
    lines: Sequence[_Line], question: str, solution: str, answer: int | float
) -> Iterator[tuple[int, ast.expr]]:
    """Yield the lines that a program may end with, most likely first, each with the expression of its answer."""
    for last in reversed(range(len(lines))):
        if same_answer(lines[last].value, answer):
            yield last, lines[last].expression
    last = len(lines) - 1
    result = lines[last].expression
    if _PERCENT_CUE.search(question):
        yield last, ast.BinOp(result, ast.Mult(), ast.Constant(100))
    if _ROUNDING_CUE.search(question + solution) and abs(lines[last].value - answer) < 1:
        for function in ("round", "floor", "ceil"):
            yield last, ast.Call(ast.Name(function), [result], [])


def _write(lines: Sequence[_Line], last: int, final: ast.expr) -> str:
    """Return the lines that the last one needs, in order, as a program."""
    needed, pending = {last}, [last]
    while pending:
        fresh = lines[pending.pop()].reads - needed
        needed |= fresh
        pending += fresh
    body = [f"{lines[i].name} = {ast.unparse(lines[i].expression)}" for i in sorted(needed - {last})]
    return "\n".join([*body, f"answer = {ast.unparse(final)}"])


def _reads_unexplained_number(program: str, steps: Sequence[Step], question: str) -> bool:
    """Return whether a literal of the program is the bare result of an equation that was solved in words."""
    bare = {step.stated for step in steps if isinstance(step.expression, ast.Constant)} - _numbers_of(question)
    literals = {
        float(node.value)
        for node in ast.walk(ast.parse(program))
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    }
    return bool(bare & literals)
