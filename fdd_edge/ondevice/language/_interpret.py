"""Run a program from its syntax tree, step by step; nothing is ever passed to Python's own compiler."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum, auto
from functools import lru_cache
from typing import Any

from ..verdicts import Verdict
from ._clean import called_name
from ._grammar import ANSWER
from ._limits import MAX_BITS, MAX_EXPONENT_BITS, MAX_STEPS, check_integer
from ._normal import read_program
from ._program_error import ProgramError, over_limit

__all__ = ["FUNCTIONS", "Exit", "Machine", "Number", "bounded", "failed", "interpret", "python_faults", "run_program"]

Number = int | float


class Exit(Enum):
    """Why a block ended before its last statement."""

    BREAK = auto()
    CONTINUE = auto()
    RETURN = auto()


def run_program(program: str, given: Mapping[str, Number] | None = None) -> int | float:
    """Run a program in normal form and return the value of ``answer``.

    Args:
        program: Straight-line code of the language; see ``normalize``.
        given: Variables that are set before the first line, to run one program with different values.

    Returns:
        The answer, with the type that the program gave it.

    Raises:
        ProgramError: ``error`` if the program raised or its answer is not a finite number, ``limit`` if it took too
            many steps or computed too large an integer; ``no_program`` and ``forbidden`` as in ``normalize``.
    """
    return interpret(_read(program), given)


@lru_cache(maxsize=256)
def _read(program: str) -> list[ast.stmt]:
    return read_program(program)


def interpret(body: list[ast.stmt], given: Mapping[str, Number] | None = None) -> int | float:
    """Run statements that were returned by ``clean_block``; see ``run_program``."""
    machine = Machine(given or {})
    with python_faults():
        machine.run(body)
        answer = machine.names[ANSWER] if ANSWER in machine.names else undefined(ANSWER)
        if isinstance(answer, bool) or not math.isfinite(answer):
            raise failed(f"the answer is {answer}")
    return answer


@contextmanager
def python_faults() -> Iterator[None]:
    """Turn what a running program raises into a ``ProgramError``."""
    try:
        yield
    except (ArithmeticError, TypeError, ValueError) as error:
        raise failed(f"{type(error).__name__}: {error}") from None
    except RecursionError:
        raise over_limit("the program is nested too deeply") from None


def failed(message: str) -> ProgramError:
    """Return the error for a program that raised."""
    return ProgramError(Verdict.error, message)


def undefined(name: str) -> Number:
    """Raise the error for a name without a value."""
    raise failed(f"the name {name!r} has no value")


class Machine:
    """The variables of one run and the number of steps it has left."""

    def __init__(self, given: Mapping[str, Number]) -> None:
        self.names: dict[str, Any] = dict(given)
        self.steps = MAX_STEPS

    def run(self, statements: list[ast.stmt]) -> Exit | None:
        for statement in statements:
            self.spend(1)
            exit_ = _STATEMENTS[type(statement)](self, statement)
            if exit_ is not None:
                return exit_
        return None

    def spend(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise over_limit(f"the program takes more than {MAX_STEPS} steps")

    def value(self, node: ast.expr) -> Number:
        return _EXPRESSIONS[type(node)](self, node)

    def assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            assert isinstance(target, ast.Name)
            self.names[target.id] = value

    def augment(self, node: ast.AugAssign) -> None:
        assert isinstance(node.target, ast.Name)
        self.names[node.target.id] = self.apply(node.op, self.name(node.target), self.value(node.value))

    def branch(self, node: ast.If) -> Exit | None:
        return self.run(node.body if self.value(node.test) else node.orelse)

    def while_loop(self, node: ast.While) -> None:
        while self.value(node.test):
            self.spend(1)
            if self.run(node.body) is Exit.BREAK:
                return

    def for_loop(self, node: ast.For) -> None:
        assert isinstance(node.target, ast.Name)
        for i in self.range_of(node.iter):
            self.spend(1)
            self.names[node.target.id] = i
            if self.run(node.body) is Exit.BREAK:
                return

    def range_of(self, node: ast.expr) -> range:
        assert isinstance(node, ast.Call)
        if self.is_variable("range"):
            raise TypeError("the variable 'range' is not a function")
        return range(*map(self.value, node.args))  # type: ignore[arg-type]  # a float raises TypeError, as in Python

    def is_variable(self, name: str) -> bool:
        return name in self.names

    def constant(self, node: ast.Constant) -> Number:
        value = node.value
        assert isinstance(value, int | float)
        return value

    def name(self, node: ast.Name) -> Number:
        try:
            value: Number = self.names[node.id]
        except KeyError:
            return undefined(node.id)
        return value

    def binary(self, node: ast.BinOp) -> Number:
        return self.apply(node.op, self.value(node.left), self.value(node.right))

    def apply(self, op: ast.operator, left: Number, right: Number) -> Number:
        self.spend(1)
        return bounded(_ARITHMETIC[type(op)](left, right))

    def unary(self, node: ast.UnaryOp) -> Number:
        self.spend(1)
        return _UNARY[type(node.op)](self.value(node.operand))

    def compare(self, node: ast.Compare) -> Number:
        left = self.value(node.left)
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            self.spend(1)
            right = self.value(comparator)
            if not _COMPARISONS[type(op)](left, right):
                return False
            left = right
        return True

    def boolean(self, node: ast.BoolOp) -> Number:
        is_and = isinstance(node.op, ast.And)
        for operand in node.values:
            self.spend(1)
            result = self.value(operand)
            if bool(result) is not is_and:
                break
        return result

    def conditional(self, node: ast.IfExp) -> Number:
        self.spend(1)
        return self.value(node.body if self.value(node.test) else node.orelse)

    def call(self, node: ast.Call) -> Any:
        self.spend(1)
        assert isinstance(node.func, ast.Name)
        if self.is_variable(node.func.id):
            raise TypeError(f"the variable {node.func.id!r} is not a function")
        return bounded(FUNCTIONS[node.func.id](*self.arguments(node)))

    def arguments(self, node: ast.Call) -> list[Any]:
        first = node.args[0] if len(node.args) == 1 else None
        if isinstance(first, ast.List | ast.Tuple):
            self.spend(len(first.elts))
            return [[self.value(value) for value in first.elts]]
        if first is not None and called_name(first) == "range":
            return [self.stepped(self.range_of(first))]
        self.spend(len(node.args))
        return [self.value(argument) for argument in node.args]

    def stepped(self, values: range) -> Iterator[int]:
        for value in values:
            self.spend(1)
            yield value


def bounded(value: Number | complex) -> Number:
    if isinstance(value, complex):
        raise failed("the root of a negative number is not a real number")
    check_integer(value)
    return value


def _power(base: Number, exponent: Number) -> Number | complex:
    # Checked before it is computed: 10**10**10 would never return.
    if isinstance(base, int) and isinstance(exponent, int):
        if (abs(base).bit_length() - 1) * exponent > MAX_BITS:
            raise over_limit(f"an integer has more than {MAX_BITS} bits")
        if exponent.bit_length() > MAX_EXPONENT_BITS:
            raise over_limit(f"an exponent has more than {MAX_EXPONENT_BITS} bits")
    result: Number | complex = base**exponent
    return result


def _sum(values: Iterable[Number]) -> Number:
    # Not the built-in, which rounds differently since Python 3.12: boards run different versions.
    total: Number = 0
    for value in values:
        total = bounded(total + value)
    return total


def _round(value: Number, digits: int | None = None) -> Number:
    # Rounding an integer to -n digits computes 10**n.
    if digits is not None and abs(digits) > MAX_BITS:
        raise over_limit(f"round() to more than {MAX_BITS} digits")
    return round(value, digits)


def _pairwise(function: Callable[..., Number]) -> Callable[..., Number]:
    # Two values at a time, so that no intermediate multiple exceeds the limit.
    def pairwise(*values: Number) -> Number:
        result = function()
        for value in values:
            result = bounded(function(result, value))
        return result

    return pairwise


_STATEMENTS: dict[type[ast.stmt], Callable[[Machine, Any], Exit | None]] = {
    ast.Assign: Machine.assign,
    ast.AugAssign: Machine.augment,
    ast.If: Machine.branch,
    ast.While: Machine.while_loop,
    ast.For: Machine.for_loop,
    ast.Break: lambda machine, node: Exit.BREAK,
    ast.Continue: lambda machine, node: Exit.CONTINUE,
    ast.Pass: lambda machine, node: None,
}
_EXPRESSIONS: dict[type[ast.expr], Callable[[Machine, Any], Number]] = {
    ast.Constant: Machine.constant,
    ast.Name: Machine.name,
    ast.BinOp: Machine.binary,
    ast.UnaryOp: Machine.unary,
    ast.Compare: Machine.compare,
    ast.BoolOp: Machine.boolean,
    ast.IfExp: Machine.conditional,
    ast.Call: Machine.call,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Number | complex]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Number]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
FUNCTIONS: dict[str, Callable[..., Number]] = {
    "min": min,
    "max": max,
    "sum": _sum,
    "abs": abs,
    "round": _round,
    "int": int,
    "float": float,
    "ceil": math.ceil,
    "floor": math.floor,
    "sqrt": math.sqrt,
    "gcd": _pairwise(math.gcd),
    "lcm": _pairwise(math.lcm),
}
