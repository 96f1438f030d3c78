"""Run a whole program as Python would, with its function, its imports and its prints."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from ._clean import called_name
from ._grammar import MATH_FUNCTIONS
from ._imports import MATH_CONSTANTS, MATH_NAMES
from ._interpret import FUNCTIONS, Exit, Machine, Number, bounded, failed, undefined
from ._limits import MAX_CHARS, MAX_STEPS
from ._printed_text import Piece, glued, written
from ._program_error import forbidden, no_program, over_limit
from ._script_grammar import check_script
from ._uses import is_main_guard

__all__ = ["Function", "Script"]

_TYPES = frozenset({"bool", "complex", "dict", "float", "int", "list", "object", "set", "str", "tuple"})
"""What an annotation may name without an import."""
_TEXT_STEP = 64
"""Characters of printed text that cost a step."""


class _NoNumber:
    """A value that can only be used as what it is: a condition or comparison would not have Python's result."""

    def __bool__(self) -> bool:
        raise forbidden("a condition that is not a number")

    def __eq__(self, other: object) -> bool:
        raise forbidden("comparing what is not a number")

    __hash__ = None  # type: ignore[assignment]  # nothing looks it up


@dataclass(frozen=True, eq=False)
class Function(_NoNumber):
    """The program's function.

    Attributes:
        node: Its definition.
        defaults: The values of its parameters that have one.
        local: Its parameters and what it assigns.
    """

    node: ast.FunctionDef
    defaults: dict[str, Any]
    local: frozenset[str]


@dataclass(frozen=True, eq=False)
class _Imported(_NoNumber):
    """A part of ``math``, or ``math`` itself."""

    name: str


@dataclass(frozen=True, eq=False)
class _Text(_NoNumber):
    """A text, list or tuple: it can be printed, and nothing else."""

    text: str

    def __str__(self) -> str:
        return self.text


class _Scope(dict[str, Any]):
    """The variables of a call; what it assigns nowhere is looked up in the module."""

    def __init__(self, local: frozenset[str], outside: dict[str, Any], values: dict[str, Any]) -> None:
        super().__init__(values)
        self._local, self._outside = local, outside

    def __missing__(self, name: str) -> Any:
        if name in self._local:
            raise failed(f"UnboundLocalError: the local name {name!r} has no value yet")
        return self._outside[name]


class Script(Machine):
    """One run of a whole program.

    Attributes:
        module: The variables of the module.
        local: Those of the last call of the function.
        returned: What it returned.
        calls: How often it was called.
    """

    def __init__(self) -> None:
        super().__init__({})
        self.steps = 3 * MAX_STEPS  # prints and calls cost extra; the normal form has to keep to the limit
        self.module: dict[str, Any] = self.names
        self.local: dict[str, Any] = {}
        self.returned: Any = None
        self.calls = 0
        self._imports = False  # a program without any import may leave that of math out
        self._pieces: list[Piece] = []
        self._replacing: list[_NoNumber] = []
        self._result: Any = None

    def run_all(self, statements: list[ast.stmt]) -> None:
        """Run a program from its first line to its last.

        Raises:
            ProgramError: ``forbidden`` for what the language has not, wherever it is, and as when it is run.
        """
        check_script(statements)
        nodes = (inner for statement in statements for inner in ast.walk(statement))
        self._imports = any(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes)
        self.run(statements)

    def run(self, statements: list[ast.stmt]) -> Exit | None:
        for statement in statements:
            special = _STATEMENTS.get(type(statement))
            exit_ = super().run([statement]) if special is None else special(self, statement)
            if exit_ is not None:
                return exit_
        return None

    def value(self, node: ast.expr) -> Any:
        special = _EXPRESSIONS.get(type(node))
        return super().value(node) if special is None else special(self, node)

    def is_variable(self, name: str) -> bool:
        try:
            self.names[name]
        except KeyError:
            return False
        return True

    def guard(self, node: ast.If) -> Exit | None:
        return self.run(node.body) if is_main_guard(node.test) else self.branch(node)

    def annotated(self, node: ast.AnnAssign) -> None:
        assert isinstance(node.target, ast.Name)
        if node.value is not None:
            self.names[node.target.id] = self.value(node.value)
        if self.names is self.module:
            self.check_annotation(node.annotation)

    def check_annotation(self, node: ast.expr | None) -> None:
        """Raise if Python 3.11 cannot evaluate an annotation."""
        for inner in [] if node is None else ast.walk(node):
            if isinstance(inner, ast.Name) and inner.id not in _TYPES and not self.is_variable(inner.id):
                undefined(inner.id)

    def define(self, node: ast.FunctionDef) -> None:
        given = node.args
        positional = given.posonlyargs + given.args
        parameters = [parameter.arg for parameter in positional + given.kwonlyargs]
        inside = [inner for statement in node.body for inner in ast.walk(statement)]
        if len(set(parameters)) < len(parameters):
            raise no_program("not Python: two parameters of one name")
        if any(isinstance(inner, ast.ImportFrom) and inner.names[0].name == "*" for inner in inside):
            raise no_program("not Python: 'import *' inside a function")
        pairs = [
            *zip(positional[len(positional) - len(given.defaults) :], given.defaults, strict=True),
            *zip(given.kwonlyargs, given.kw_defaults, strict=True),
        ]
        defaults = {parameter.arg: self.value(value) for parameter, value in pairs if value is not None}
        for annotation in [*(parameter.annotation for parameter in positional + given.kwonlyargs), node.returns]:
            self.check_annotation(annotation)
        stored = {inner.id for inner in inside if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)}
        imported = {alias.asname or alias.name for inner in inside if isinstance(inner, ast.Import | ast.ImportFrom)
                    for alias in inner.names}  # fmt: skip
        self.bind(node.name, Function(node, defaults, frozenset({*parameters, *stored, *imported})))

    def call_function(self, function: Function, values: dict[str, Any]) -> Any:
        scope = _Scope(function.local, self.module, values)
        outer, self.names = self.names, scope
        self.run(function.node.body)
        self.names = outer
        self.returned, self._result = self._result, None
        self.local = scope
        self.calls += 1
        return self.returned

    def leave(self, node: ast.Return) -> Exit:
        self._result = None if node.value is None else self.value(node.value)
        return Exit.RETURN

    def arguments_of(self, function: Function, node: ast.Call) -> dict[str, Any]:
        """Return the parameters of a function with their values, as Python binds them."""
        given = function.node.args
        positional = [parameter.arg for parameter in given.posonlyargs + given.args]
        named = {parameter.arg for parameter in given.args + given.kwonlyargs}
        if len(node.args) > len(positional):
            raise TypeError(f"{function.node.name}() takes {len(positional)} positional arguments")
        values = dict(zip(positional, map(self.value, node.args), strict=False))
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg not in named or keyword.arg in values:
                raise TypeError(f"{function.node.name}() got a wrong argument {keyword.arg!r}")
            values[keyword.arg] = self.value(keyword.value)
        values = function.defaults | values
        if missing := sorted({*positional, *named} - values.keys()):
            raise TypeError(f"{function.node.name}() misses the argument {missing[0]!r}")
        return values

    def call(self, node: ast.Call) -> Any:
        self.spend(1)
        called = self.called(node.func)
        if isinstance(called, Function):
            return self.call_function(called, self.arguments_of(called, node))
        if not isinstance(called, _Imported):
            raise TypeError("what is called is not a function")
        if called.name not in FUNCTIONS or node.keywords:
            raise forbidden(f"calling {called.name}")
        return bounded(FUNCTIONS[called.name](*self.arguments(node)))

    def called(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Attribute):
            return self.attribute(node)
        if not isinstance(node, ast.Name):
            raise forbidden("calling an expression")
        if self.is_variable(node.id):
            return self.names[node.id]
        needs_import = node.id in MATH_FUNCTIONS and self._imports
        return _Imported(node.id) if node.id in FUNCTIONS and not needs_import else undefined(node.id)

    def attribute(self, node: ast.Attribute) -> Any:
        if not isinstance(node.value, ast.Name):
            raise forbidden(f"the attribute {node.attr!r}")
        name = node.value.id
        is_left_out = name == "math" and not self._imports and not self.is_variable(name)
        module: Any = _Imported("math") if is_left_out else self.name(node.value)
        if not isinstance(module, _Imported) or module.name != "math":
            raise failed(f"AttributeError: {name!r} has no attribute {node.attr!r}")
        return _part_of_math(node.attr)

    def load_module(self, node: ast.Import) -> None:
        for alias in node.names:
            self.bind(alias.asname or alias.name, _Imported(alias.name))

    def load_parts(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            for name in MATH_NAMES if alias.name == "*" else [alias.name]:
                self.bind(alias.asname or name, _part_of_math(name))

    def constant(self, node: ast.Constant) -> Any:
        return node.value if isinstance(node.value, int | float) else _Text(str(node.value))

    def opaque(self, node: ast.JoinedStr | ast.List | ast.Tuple) -> _Text:
        if not isinstance(node, ast.JoinedStr):
            for value in node.elts:
                self.value(value)
            # Not what is in it: a function that calls itself with a list of its list would double the text each time.
            return _Text("[...]")
        text = "".join(piece.text for piece in written(node, self.printed))
        if len(text) > MAX_CHARS:
            raise over_limit("what is printed is too long")
        return _Text(text)

    def expression(self, node: ast.Expr) -> None:
        self.spend(1)
        if called_name(node.value) == "print" and not self.is_variable("print"):
            assert isinstance(node.value, ast.Call)
            self.print(node.value)
        else:
            self.value(node.value)

    def print(self, call: ast.Call) -> None:
        between = {"sep": " ", "end": "\n"}
        for keyword in call.keywords:
            if keyword.arg not in ("sep", "end", "flush") or not isinstance(keyword.value, ast.Constant):
                raise forbidden("an argument of print()")
            if isinstance(keyword.value.value, str):
                between[keyword.arg] = keyword.value.value
        pieces: list[Piece] = []
        for argument in call.args:
            pieces += [Piece(between["sep"])] * bool(pieces) + written(argument, self.printed)
        pieces.append(Piece(between["end"]))
        self.spend(sum(len(piece.text) for piece in pieces) // _TEXT_STEP)
        self._pieces += [piece._replace(is_literal=piece.is_literal and len(call.args) > 1) for piece in pieces]

    def printed(self, node: ast.expr) -> Any:
        """Return a value that is printed: no function whose name was a number's, which the normal form would show."""
        value = self.value(node)
        if any(value is function for function in self._replacing):
            raise forbidden("a print of a function that had a number's name")
        return value

    def bind(self, name: str, value: Any) -> None:
        """Give a name what is defined or imported."""
        if isinstance(value, _NoNumber) and isinstance(self.names.get(name), int | float):
            self._replacing.append(value)
        self.names[name] = value

    def numbers(self, *, written_out: bool) -> list[Number | None]:
        """Return the numbers that were printed; None for one that is only a part of what a reader sees, as in "15".

        Args:
            written_out: Whether to return those that the program has written out beside other things, or the others.
        """
        pairs = zip(self._pieces, glued(self._pieces), strict=True) if self._pieces else []
        return [
            None if is_glued else piece.number
            for piece, is_glued in pairs
            if piece.number is not None and piece.is_literal == written_out
        ]


def _part_of_math(name: str) -> Any:
    return MATH_CONSTANTS[name] if name in MATH_CONSTANTS else _Imported(name)


_STATEMENTS: dict[type[ast.stmt], Any] = {
    ast.If: Script.guard,
    ast.AnnAssign: Script.annotated,
    ast.FunctionDef: Script.define,
    ast.Return: Script.leave,
    ast.Import: Script.load_module,
    ast.ImportFrom: Script.load_parts,
    ast.Expr: Script.expression,
}
_EXPRESSIONS: dict[type[ast.expr], Any] = {
    ast.Attribute: Script.attribute,
    ast.Call: Script.call,
    ast.Constant: Script.constant,
    ast.JoinedStr: Script.opaque,
    ast.List: Script.opaque,
    ast.Tuple: Script.opaque,
}
