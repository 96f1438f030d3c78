"""Every kind of node that Python can parse, wherever it stands, ends in an outcome and never in an exception."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd_edge.ondevice.language import ProgramError, Verdict, _reply, compute, judge_reply

STATEMENTS = [
    *("x = 3", "x = y = 3", "x, y = 1, 2", "[x] = [1]", "x[0] = 3", "x.y = 3", "*x, y = 1, 2"),
    *("x += 3", "x |= 3", "x[0] += 3", "x: int = 3", "x: int", "x.y: int = 3", "x: lambda: 3 = 3"),
    *("global g", "nonlocal g", "assert 1", "del x", "raise x", "pass", "import math", "import os", "import math as x"),
    *("from math import *", "from math import e", "from . import x", "break", "continue", "return", "return 3, 4"),
    *(
        "try:\n    x = 3\nexcept x as y:\n    pass\nelse:\n    x = 4\nfinally:\n    pass",
        "try:\n    pass\nexcept* x:\n    pass",
    ),
    *(
        "with x as y, z: pass",
        "async def q(): await x",
        "async def q():\n    async with x: pass\n    async for y in x: pass",
    ),
    *("class A(x, y=3): pass", "def h(): return 1", "def h(*x, **y): yield", "@x\ndef h(): return 1"),
    *("for i in [1]: pass", "for i in range(2):\n    pass\nelse:\n    pass", "for i, j in range(2): pass"),
    *("for i in range(*x): pass", "for i in range(1, x=2): pass", "for x.y in range(2): pass", "while 0: x = 3"),
    *("while 0:\n    pass\nelse:\n    x = 3", "if x: x = 3\nelif y: x = 4\nelse: pass", "x"),
    "match x:\n    case 3 | None: pass\n    case [1, *y]: pass\n    case {'a': 1, **z}: pass\n    case A(b=3) as c:"
    " pass\n    case _: pass",
]
EXPRESSIONS = [
    *("3", "3.5", "1j", "'a'", "b'a'", "None", "...", "True", "x", "f", "max", "range", "math", "print", "answer"),
    *("-x", "+x", "~x", "not x", "x + 3", "x @ 3", "x << 3", "x >> 3", "x | 3", "x ^ 3", "x & 3", "x ** 3"),
    *(
        "x - 3",
        "x * 3",
        "x / 3",
        "x // 3",
        "x % 3",
        "'%d' % x",
        "'a' + 'b'",
        "'a' * x",
        "x < 3 <= 4 > 2 >= 1 == 1 != 0",
    ),
    *("x is x", "x is not x", "x in x", "x not in x", "x and 3", "x or 3", "3 if x else 4", "lambda x: 3", "(x := 3)"),
    *(
        "[1, x]",
        "(1, x)",
        "{1, x}",
        "{1: x}",
        "[*x]",
        "x[0]",
        "x[1:2:3]",
        "x.real",
        "math.pi",
        "math.foo",
        "'a'.upper()",
    ),
    *("[i for i in x if i]", "{i for i in x}", "{i: i for i in x}", "(i for i in x)", "(yield x)", "(yield from x)"),
    *("(await x)", "f'{x!r:>{x}}'", "f'{f}'", "'{}'.format(x)", "'{x}'.format(x=3, **y)", "str(x)", "f()", "f(*x)"),
    *(
        "f(**x)",
        "f(x=3)",
        "max(x for x in y)",
        "max([x, *y])",
        "sum(['a'])",
        "max('a')",
        "range(3)",
        "sum(range(1, 2, 0))",
    ),
    *("print(x)", "print(x, sep=x)", "print(*x)", "print(**x)", "(3)(4)", "round(x, 'a')", "gcd(1.5)", "int('3')"),
    *("x == 'a'", "'a' == x", "not 'a'", "1 if 'a' else 2", "f == 3", "math == 3", "not max", "x if f else 3"),
]

NOT_WRITTEN = {"Interactive", "Expression", "FunctionType", "Module", "TypeIgnore"}
OF_LATER_PYTHONS = {"TypeAlias", "TypeVar", "ParamSpec", "TypeVarTuple", "TemplateStr", "Interpolation"}


def _places(piece: str) -> Iterator[str]:
    """Yield programs with a statement in every place that a program has."""
    inside = piece.replace("\n", "\n    ")
    deeper = inside.replace("\n", "\n    ")
    yield f"x = 3\n{piece}\nprint(3)"
    yield f"x = 3\nanswer = 3\n{piece}"
    yield f"x = 3\nif x:\n    {inside}\nanswer = x"
    yield f"x = 3\nfor i in range(2):\n    {inside}\nanswer = x"
    yield f"def f():\n    {inside}\n    return 3\nr = f()\nr = 10\nprint(r)"
    yield f"def f(x=2):\n    {inside}\n    return 3\nprint(f())"
    yield f"def f(x=2):\n    while x < 3:\n        {deeper}\n        x += 1\n    return x\nr = f()\nprint(7)"
    yield f"def f(x=2):\n    return x\nx = 3\n{piece}\nprint(f(x))"
    yield f"def f(x=2):\n    return x\nif __name__ == '__main__':\n    x = f()\n    {inside}\n    print(x)"
    yield f"answer = 3\ndef f(x=2):\n    {inside}\n    return x\nf()"


def _statements_with(value: str) -> Iterator[str]:
    yield from (f"x = {value}", f"x += {value}", f"if {value}: pass", f"while {value}: break", f"return {value}", value)
    yield from (f"x = max({value}, 3)", f"x = min([{value}])", f"x = -{value}", f"x = {value} + 1", f"x = 1 < {value}")
    yield from (f"for i in range({value}): pass", f"x: {value} = 3", f"print({value})", f"print('a', {value})")
    yield from (f"print(f'{{{value}}}')" if "'" not in value else "pass", f"def h(x={value}): pass", f"x = f({value})")


ALL = [*STATEMENTS, *(statement for value in EXPRESSIONS for statement in _statements_with(value))]


def _never_raises(text: str) -> None:
    outcome = judge_reply(text)
    assert (outcome.answer is None) == (outcome.verdict is not None), text
    assert "no rule" not in outcome.detail, text


def test_the_pieces_have_every_kind_of_node() -> None:
    def kinds(base: type[ast.AST]) -> Iterator[type[ast.AST]]:
        for kind in base.__subclasses__():
            yield from kinds(kind) if kind.__subclasses__() else [kind]

    there = {type(node).__name__ for piece in ALL for tree in _trees(piece) for node in ast.walk(tree)}
    # Since 3.8, constants are of one kind; those of before are only names for it.
    wanted = {kind.__name__ for kind in kinds(ast.AST) if not issubclass(kind, ast.Constant | ast.slice)}
    old = {
        "Num",
        "Str",
        "Bytes",
        "NameConstant",
        "Ellipsis",
        "Index",
        "ExtSlice",
        "Suite",
        "AugLoad",
        "AugStore",
        "Param",
    }
    assert wanted - there - NOT_WRITTEN - OF_LATER_PYTHONS - old == set()


def _trees(piece: str) -> list[ast.AST]:
    try:
        return [ast.parse(piece)]
    except SyntaxError:
        return []


def test_a_statement_without_a_rule_in_a_function_whose_result_is_not_used_does_not_raise() -> None:
    for piece in ALL:
        for text in _places(piece):
            _never_raises(text)


@pytest.mark.parametrize(
    "statement",
    [
        "global g",
        "assert 1",
        "del g",
        "with g: pass",
        "x, y = 1, 2",
        "for i in [1]: pass",
        "def h(): return 1",
        "x @= 3",
    ],
)
def test_what_the_language_has_not_is_forbidden_also_where_it_is_not_used(statement: str) -> None:
    text = f"def f():\n    {statement}\n    return 3\nr = f()\nr = 10\nprint(r)"
    assert judge_reply(text).verdict is Verdict.forbidden
    with pytest.raises(ProgramError, match="outside the program language"):
        compute(text)


@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=4))
def test_any_mixture_of_nodes_has_an_outcome(pieces: list[str]) -> None:
    for text in _places("\n".join(pieces)):
        _never_raises(text)


def test_a_fault_of_the_language_itself_refuses_the_reply_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*given: object) -> None:
        raise KeyError("Global")

    monkeypatch.setattr(_reply, "check_answer", fails)
    outcome = judge_reply("answer = 3")
    assert (outcome.program, outcome.answer, outcome.verdict) == (None, None, Verdict.forbidden)
    assert outcome.detail == "what the judge has no rule for (KeyError) is outside the program language"
