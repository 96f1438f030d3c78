"""New numbers for problems of other sources: text and program change together, or the problem is declined.

A number only changes if its role is certain: it occurs once in the text and once in the program, and is not also a
result in the program. The value of every operation must remain as sane as it was.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import NamedTuple

from fdd_edge.ondevice.language import ProgramError, normalize, run_program
from fdd_edge.records import Problem, same_answer
from fdd_edge.runs.fingerprint import Json
from fdd_edge.teachers._interface import Draft
from fdd_edge.teachers.symbolic._numbers import tidy
from fdd_edge.teachers.symbolic._operation_graph import OPERATORS, NotPlainError
from fdd_edge.teachers.symbolic.foreign._step_note import read_note
from fdd_edge.teachers.symbolic.foreign._text_numbers import TextNumber, draw_like, find_numbers, with_article

__all__ = ["renumber"]

_ATTEMPTS = 150
# Constants that a word of the text implies.
_CONSTANTS: Mapping[float, str] = {
    2: r"\b(?:half|halves|twice|doubl\w+|pairs?|both|couple|biweekly|again|round ?trip)\b",
    3: r"\b(?:thirds?|triplet?s?|tripl\w+|thrice|yards?)\b",
    4: r"\b(?:quarters?|fourths?|quadrupl\w+|weeks?|months?)\b",
    5: r"\b(?:fifths?|nickels?|weekdays?)\b",
    7: r"\b(?:week\w*|daily)\b",
    10: r"\b(?:tenths?|dimes?|decades?)\b",
    12: r"\b(?:dozens?|years?|yearly|annual\w*|months?|foot|feet|inch\w*)\b",
    16: r"\b(?:pounds?|ounces?)\b",
    24: r"\b(?:days?|daily|hours?)\b",
    25: r"\bquarters?\b",
    30: r"\b(?:months?|June|April|September|November)\b",
    52: r"\b(?:years?|yearly|annual\w*|weeks?)\b",
    60: r"\b(?:hours?|minutes?|seconds?)\b",
    100: r"(?:%|\bpercent\w*|\bcents?|\bmeters?|\bcentimeters?|\bcentury)",
    365: r"\b(?:years?|yearly|daily|days?)\b",
    1000: r"\b(?:kilo\w+|kg|km|grams?|meters?|liters?|milli\w+|thousands?)\b",
    0.5: r"\b(?:half|halves)\b",
    0.25: r"\b(?:quarters?|fourths?)\b",
    0.01: r"(?:%|\bpercent\w*|\bcents?)",
}


class _Link(NamedTuple):
    """A literal of the program and its number in the text; ``scale`` is 0.01 if 0.2 in the program means 20%."""

    literal: int
    number: TextNumber
    scale: float


def renumber(problem: Problem, count: int, rng: Random) -> list[Draft] | str:
    """Write up to ``count`` problems with different numbers than the given one, or return why there are none."""
    # In a terse program, a number that is used twice may be two numbers; as it was written, it has one name.
    program = problem.written or problem.program
    if program is None:
        return "no_program"
    try:
        tree = ast.parse(program)
        literals = _literals(tree)
        values = _trace(tree)
    except (SyntaxError, NotPlainError):
        return "program_not_plain"
    except (ProgramError, ZeroDivisionError):
        return "program_does_not_run"
    if not values or not same_answer(values[-1], problem.answer):
        return "program_gives_other_answer"
    links = _link(
        problem.question, [float(node.value) for node in literals if isinstance(node.value, int | float)], values
    )
    if isinstance(links, str):
        return links
    return _draw(problem, tree, links, values, count, rng) or "no_sane_numbers"


def _literals(tree: ast.Module) -> list[ast.Constant]:
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    if any(type(node.value) not in (int, float) for node in found):
        raise NotPlainError
    return found


def _trace(tree: ast.Module) -> list[float]:
    """Run a program; return the value of every operation, followed by its answer.

    Raises:
        NotPlainError: The program contains more than assignments of arithmetic.
    """
    names: dict[str, float] = {}
    values: list[float] = []
    for line in tree.body:
        if not isinstance(line, ast.Assign) or not isinstance(line.targets[0], ast.Name):
            raise NotPlainError
        names[line.targets[0].id] = _value(line.value, names, values)
    if "answer" not in names:
        raise NotPlainError
    return [*values, names["answer"]]


def _value(node: ast.expr, names: Mapping[str, float], values: list[float]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        left, right = _value(node.left, names, values), _value(node.right, names, values)
        result = run_program(f"answer = ({left!r}) {OPERATORS[type(node.op)]} ({right!r})")
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, names, values)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        arguments = ", ".join(repr(_value(argument, names, values)) for argument in node.args)
        result = run_program(f"answer = {node.func.id}({arguments})")
    else:
        raise NotPlainError
    values.append(result)
    return result


def _link(question: str, literals: Sequence[float], values: Sequence[float]) -> list[_Link] | str:
    """Find the number in the text for each literal, or return the reason if one is missing or ambiguous."""
    numbers = find_numbers(question)
    in_text, times = Counter(number.value for number in numbers), Counter(literals)
    if _is_also_result(question, {*in_text, *literals}, values):
        return "number_is_a_result"
    links: list[_Link] = []
    for index, literal in enumerate(literals):
        link = _find(index, literal, numbers, times)
        if link is None:
            if not _is_constant(literal, question):
                return "number_not_in_text"
            continue
        if link.number.form == "odd":
            return "odd_number"
        if link.number.form == "fixed":
            continue
        if link.number.percent and link.scale == 1 and not {100, 0.01} & times.keys():
            # The 20 of "20%" is not a plain number; such a program means a different 20.
            return "percent_used_as_number"
        if in_text[link.number.value] > 1:
            return "number_occurs_twice"
        if times[literal] > 1:
            return "number_used_twice"
        if link.scale == 1 and literal > 1 and _is_constant(literal, question):
            # The 2 of "these two days" may be confused with that of "twice".
            return "number_is_a_constant"
        links.append(link)
    if not links:
        return "nothing_to_change"
    return _reason_for_unused(numbers, links, literals) or links


def _is_also_result(question: str, given: set[float], values: Sequence[float]) -> bool:
    """Return whether an intermediate value equals a given number: the program may then use the wrong one of the two."""
    doubtful = {number for number in given if number > 1}
    doubtful |= {constant for constant in _CONSTANTS if _is_constant(constant, question)}
    return any(same_answer(value, number) for value in values[:-2] for number in doubtful)


def _find(index: int, literal: float, numbers: Sequence[TextNumber], times: Counter[float]) -> _Link | None:
    for number in numbers:
        if number.value == literal:
            return _Link(index, number, 1)
    for number in numbers:
        # 0.2 means 20% if the program does not use the 20 as well.
        if number.percent and same_answer(number.value / 100, literal) and number.value not in times:
            return _Link(index, number, 0.01)
    return None


def _is_constant(literal: float, question: str) -> bool:
    if literal in (0, 1):
        return True
    return literal in _CONSTANTS and re.search(_CONSTANTS[literal], question, re.IGNORECASE) is not None


def _reason_for_unused(numbers: Sequence[TextNumber], links: Sequence[_Link], literals: Sequence[float]) -> str | None:
    """Return a reason if the text has a number that the program does not use: the story may depend on it."""
    used = {link.number for link in links}
    for number in numbers:
        unused = number not in used and number.value not in literals and number.form != "fixed"
        if unused and (number.value > 1 or number.form == "odd"):
            return "number_not_used"
    return None


def _draw(
    problem: Problem, tree: ast.Module, links: Sequence[_Link], values: Sequence[float], count: int, rng: Random
) -> list[Draft]:
    seen = {problem.question}
    drafts: list[Draft] = []
    for attempt in range(_ATTEMPTS * count):
        if len(drafts) == count:
            break
        # Divisions rarely have whole results when everything changes at once, so some attempts change less.
        share = 1.0 if attempt % 3 == 0 else 0.6
        chosen = [link for link in links if rng.random() < share] or [rng.choice(links)]
        draft = _rewrite(problem, tree, chosen, values, rng)
        if draft is not None and draft.question not in seen:
            seen.add(draft.question)
            drafts.append(draft)
    return drafts


def _rewrite(
    problem: Problem, tree: ast.Module, links: Sequence[_Link], values: Sequence[float], rng: Random
) -> Draft | None:
    """Change numbers in text and program; None if the value of an operation is no longer sane."""
    question, fresh = problem.question, {}
    for link in sorted(links, key=lambda link: -link.number.start):
        written = draw_like(link.number, problem.question, rng)
        before = with_article(question[: link.number.start], written)
        question = before + written + question[link.number.end :]
        value = find_numbers(written)[0].value * link.scale
        fresh[link.literal] = int(value) if value.is_integer() else round(value, 10)
    try:
        program = _with_literals(tree, fresh)
        changed = _trace(ast.parse(program))
    except (ProgramError, ZeroDivisionError):
        return None
    if not all(_is_as_sane(old, new) for old, new in zip(values, changed, strict=True)):
        return None
    return Draft(question, program, tidy(run_program(program)), {"renumbered": True} | _valid_note(problem, question))


def _valid_note(problem: Problem, question: str) -> dict[str, Json]:
    """Return the note of an earlier further step, if no number in it has changed."""
    note = {key: problem.teacher_notes[key] for key in ("further", "asked") if key in problem.teacher_notes}
    renamed = replace(problem, question=question)
    return note if read_note(renamed) is not None else {}


def _with_literals(tree: ast.Module, fresh: Mapping[int, int | float]) -> str:
    copy = ast.parse(ast.unparse(tree))
    for index, node in enumerate(_literals(copy)):
        if index in fresh:
            node.value = fresh[index]
    return normalize(ast.unparse(copy))


def _is_as_sane(old: float, new: float) -> bool:
    """Return whether a new value is like the old one: its sign, whole or in cents, a fraction of one."""
    if (old > 0 and new <= 0) or (old >= 0 and new < 0) or (0 < old < 1 and new >= 1):
        return False
    for decimals in (0, 2):
        if abs(old - round(old, decimals)) < 1e-9:
            return abs(new - round(new, decimals)) < 1e-9 and abs(new) <= 5 * max(abs(old), 2)
    return abs(new) <= 5 * abs(old)
