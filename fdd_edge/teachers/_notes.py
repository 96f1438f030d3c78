"""Reads the steps of a GSM8K solution: its calculator notes ``<<48/2=24>>`` and the plain equations between them.

The notes are described with the data set (Cobbe et al. 2021, arXiv 2110.14168). Some authors left out the
note of a step and only wrote the equation, often with units ("9 boxes * 4 cans/box = 36 cans"), so both are read.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

__all__ = ["NUMBER", "Step", "evaluate", "parse_expression", "parse_number", "read_steps"]

_NOTE = re.compile(r"<<([^<>]*)>>")
NUMBER = r"(?:\d[\d,]*\.?\d*|\.\d+)"
_PLAIN_RESULT = re.compile(rf"=\s*(?:about\s+)?\$?\s*(?P<value>{NUMBER})(?P<percent>\s*%)?(?!\s*[-+*/x×(]\s*[\d$(.])")
_TOKEN = re.compile(rf"{NUMBER}|[-+*/()]|%|=|[,:;!?]|\.(?=\s|$)|[^\W\d_][\w']*|\S")
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class Step(NamedTuple):
    """One step of a solution.

    Attributes:
        expression: The computation, as a syntax tree of constants and operators only.
        stated: The result that the solution states.
        before: The text of the sentence before the equation.
        after: The text of the sentence after the equation.
    """

    expression: ast.expr
    stated: float
    before: str
    after: str


def parse_number(text: str) -> float | None:
    """Return a number that may have ``$``, thousands separators, a percent sign or a unit; None if there is none."""
    found = re.search(rf"-?\s*\$?\s*{NUMBER}", text)
    if found is None:
        return None
    digits = re.sub(r"[\s$,]", "", found.group())
    try:
        return float(digits)
    except ValueError:
        return None


def evaluate(node: ast.expr) -> float:
    """Evaluate the result of ``parse_expression``.

    Raises:
        ZeroDivisionError: The expression divides by zero.
    """
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](evaluate(node.left), evaluate(node.right))
    if isinstance(node, ast.UnaryOp):
        return -evaluate(node.operand)
    assert isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    return node.value


def parse_expression(text: str) -> ast.expr | None:
    """Parse the left side of a note's equation; None if it is not arithmetic.

    Accepts what authors write: ``x`` for times, ``$``, commas, ``50%``, ``.5``, leading zeros, units, ``2(3)`` and
    unbalanced parentheses.
    """
    text = text.replace("×", "*").replace("÷", "/").replace("−", "-").replace("–", "-").replace("$", "")
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<=[\d)\s])[xX](?=[\s\d(.])", "*", text)
    text = re.sub(r"/\s*[^\W\d_][\w]*", "", text)  # a unit such as "/hour"
    text = re.sub(r"[^\W\d_]+\.?", "", text)
    text = re.sub(rf"({NUMBER})\s*%", r"(\1/100)", text)
    text = re.sub(r"(?<![\d.])0+(?=\d)", "", text)
    text = re.sub(r"([\d)])\s*\(", r"\1*(", text)
    text = _balance(text.strip().rstrip("=").strip())
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return None
    return node if _is_arithmetic(node) else None


def _balance(text: str) -> str:
    kept, depth = [], 0
    for char in text:
        if char == ")" and depth == 0:
            continue
        depth += {"(": 1, ")": -1}.get(char, 0)
        kept.append(char)
    return "".join(kept) + ")" * depth


def _is_arithmetic(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return type(node.op) in _OPERATORS and _is_arithmetic(node.left) and _is_arithmetic(node.right)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and _is_arithmetic(node.operand)
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def read_steps(solution: str) -> Iterator[Step | None]:
    """Yield the steps in order, and None for a calculator note that cannot be read."""
    for line in solution.partition("####")[0].splitlines():
        for sentence in re.split(r"(?<=[a-z>)])[.;]\s+(?=[A-Z])", line):
            yield from _read_sentence(sentence)


def _read_sentence(sentence: str) -> Iterator[Step | None]:
    marks = sorted([*_NOTE.finditer(sentence), *_plain_results(sentence)], key=lambda mark: mark.start())
    for mark in marks:
        before, after = _NOTE.sub("", sentence[: mark.start()]), _NOTE.sub("", sentence[mark.end() :])
        if mark.re is _NOTE:
            yield _read_note(mark.group(1), before, after)
        else:
            step = _read_plain(mark, before, after)
            if step is not None:
                yield step


def _plain_results(sentence: str) -> Iterator[re.Match[str]]:
    """Find results without a note before them; notes are replaced by spaces, so that positions stay valid."""
    bare = _NOTE.sub(lambda note: " " * len(note.group()), sentence)
    for mark in _PLAIN_RESULT.finditer(bare):
        if not _NOTE.search(sentence, mark.start(), mark.end()):
            yield mark


def _read_note(note: str, before: str, after: str) -> Step | None:
    left, _, right = note.rpartition("=")
    expression, stated = parse_expression(left), parse_number(right)
    if expression is None:
        return None
    if isinstance(expression, ast.Constant) and before.rstrip(" $").endswith("="):
        # "2*30 = <<60=60>>": the computation is in the text.
        expression = _expression_in_text(before.rstrip(" $=") + " ", right) or expression
    try:
        value = evaluate(expression)
    except (ZeroDivisionError, OverflowError):
        return None
    return Step(expression, value if stated is None else stated, before, after)


def _read_plain(mark: re.Match[str], before: str, after: str) -> Step | None:
    expression = _expression_in_text(before, mark["value"], percent=mark["percent"] is not None)
    stated = parse_number(mark["value"])
    return None if expression is None or stated is None else Step(expression, stated, before, after)


def _expression_in_text(before: str, result: str, *, percent: bool = False) -> ast.expr | None:
    """Return the longest expression at the end of a text that has the stated result."""
    stated = parse_number(result)
    if stated is None:
        return None
    tolerance = 10.0 ** -len(result.partition(".")[2]) / 2 + 1e-9
    tokens = _tokens_of_last_equation(before)
    for start in range(len(tokens)):
        for text in _spellings(tokens[start:], percent=percent):
            expression = parse_expression(text)
            if not isinstance(expression, ast.BinOp):
                continue
            try:
                value = evaluate(expression)
            except (ZeroDivisionError, OverflowError):
                continue
            if abs(value - stated) <= tolerance:
                return expression
    return None


def _tokens_of_last_equation(before: str) -> list[str]:
    before = re.sub(r"/\s*(?=[^\W\d_])", " ", before.replace("×", "*").replace("−", "-").replace("–", "-"))
    before = re.sub(r"(?<=[\d)\w])\s+x\s+(?=[\d$(.])", " * ", before)
    tokens: list[str] = []
    for token in reversed(_TOKEN.findall(before.replace("$", ""))):
        if token in {"=", ":", ";", "!", "?", "."}:
            break
        if re.fullmatch(rf"{NUMBER}|[-+*/()%]", token):
            tokens.append(token)
    return tokens[::-1]


def _spellings(tokens: list[str], *, percent: bool) -> Iterator[str]:
    text = " ".join(tokens)
    if percent:
        # "8 / 40 * 100% = 20%": if the result is in percent, the sign is a unit.
        yield text.replace("%", "")
    yield text
