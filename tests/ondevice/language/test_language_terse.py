"""The terse form of a program: shorter, and the same number to the last bit."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_programs import random_program

from fdd_edge.ondevice.language import ProgramError, compute, count_operations, normalize, run_program, terse
from fdd_edge.ondevice.language._interpret import Machine

EXAMPLES = {
    "literals go where they are used": (
        "def solution():\n    eggs = 16\n    eaten = 3 + 4\n    price = 2\n    return (eggs - eaten) * price",
        "eaten = 3 + 4\nanswer = (16 - eaten) * 2",
    ),
    "also if they are used twice": (
        "total = 120\nred = total / 4\nanswer = total - red",
        "red = 120 / 4\nanswer = 120 - red",
    ),
    "but not if that is longer": (
        "r = 3.141592653589793\na = r * 2\nb = r * 3\nanswer = a + b * r",
        "r = 3.141592653589793\na = r * 2\nb = r * 3\nanswer = a + b * r",
    ),
    "a literal that is assigned again is not a constant": (
        "total = 5\nmore = total + 1\ntotal = 7\nanswer = more + total",
        "total = 5\nmore = total + 1\ntotal = 7\nanswer = more + total",
    ),
    "the last result is the answer": ("total = 3 * 4\nresult = total\nanswer = result", "answer = 3 * 4"),
    "also if it is augmented": ("total = 3 * 4\ntotal += 2\nprint(total)", "total = 3 * 4\nanswer = total + 2"),
    "brackets stay where they were": ("n = 3 * 4\nn *= 2 + n\nanswer = n", "n = 3 * 4\nanswer = n * (2 + n)"),
    "a line of which nothing is read goes": ("n = 3 * 4\nhalf = n / 2\nanswer = n + 1", "n = 3 * 4\nanswer = n + 1"),
    "and what only that line read": ("n = 3 * 4\nhalf = n / 2\nquarter = half / 2\nanswer = 5", "answer = 5"),
    "and a result that is replaced": ("n = 3 * 4\nn = 5 * 6\nanswer = n + n", "n = 5 * 6\nanswer = n + n"),
    "a second name goes": ("cost = 3 * 4\nfare = cost\nanswer = fare + cost", "cost = 3 * 4\nanswer = cost + cost"),
    "but not that of an earlier value": (
        "n = 3 * 4\nbefore = n\nn = n + 1\nanswer = before * n",
        "n = 3 * 4\nbefore = n\nn = n + 1\nanswer = before * n",
    ),
    "a negative number gets its brackets": ("n = -3\nanswer = n ** 2 - 1", "answer = (-3) ** 2 - 1"),
    "floats stay floats": ("price = 2.0\nbig = 1e22\nanswer = price * 3 + big", "answer = 2.0 * 3 + 1e+22"),
    "into blocks, which stay": (
        "days = 4\ntotal = 0\nfor day in range(days):\n    total += day\nanswer = total",
        "total = 0\nfor day in range(4):\n    total += day\nanswer = total",
    ),
    "or go as a whole": ("n = 0\nfor i in range(3):\n    n += i\nwhile n < 9:\n    n += 5\nanswer = 2", "answer = 2"),
    "a function is not a variable": ("min = 7\nanswer = max(min, 2)", "answer = max(7, 2)"),
    "nor is one that a variable replaces": (
        "n = max(2, 3)\nmax = 4\nanswer = n + max",
        "n = max(2, 3)\nanswer = n + 4",
    ),
    "imported constants are literals": ("from math import pi\nanswer = pi * 4", "answer = 3.141592653589793 * 4"),
    "the names of results stay": ("a = 2 + 3\nb = a * 4\nanswer = b - a", "a = 2 + 3\nb = a * 4\nanswer = b - a"),
}


@pytest.mark.parametrize(("written", "expected"), EXAMPLES.values(), ids=EXAMPLES)
def test_a_program_in_its_terse_form(written: str, expected: str) -> None:
    assert terse(written) == expected
    check(written)


def steps_of(program: str) -> int:
    machine = Machine({})
    before = machine.steps
    machine.run(ast.parse(program).body)
    return before - machine.steps


def check(text: str) -> None:
    """Hold the terse form of a text to all that it promises."""
    try:
        written = compute(text)
    except ProgramError as error:
        with pytest.raises(ProgramError) as raised:
            terse(text)
        assert (raised.value.verdict, str(raised.value)) == (error.verdict, str(error))
        return
    program = terse(text)
    answer = run_program(program)
    assert (type(answer), repr(answer)) == (type(written.answer), repr(written.answer)), program
    assert compute(program) == (program, answer)
    assert terse(program) == program == normalize(program)
    assert len(program) <= len(written.program)
    assert count_operations(program) == count_operations(written.program)
    assert steps_of(program) <= steps_of(written.program)


_NAMES = ("a", "b", "total", "price_each", "n", "left", "answer", "min")
_LITERALS = (
    st.integers(0, 20).map(str)
    | st.integers(-9, -1).map(str)
    | st.floats(0, 1e300, allow_subnormal=True).map(repr)
    | st.sampled_from(["0.1", "-0.0", "1e22", "True", "0.333333333333", "1_000", str(2**70)])
)


@st.composite
def programs(draw: st.DrawFn) -> str:
    """Return a program, of which about half run: most names that it reads have a value."""
    known: list[str] = []

    def operand() -> str:
        return draw(st.sampled_from(known)) if known and draw(st.integers(0, 4)) > 0 else draw(_LITERALS)

    def value() -> str:
        form = draw(st.sampled_from(["{}"] * 6 + ["{} ~ {}"] * 4 + ["({} - {}) / 3", "max({}, {})", "-{}", "{} ** 2"]))
        form = form.replace("~", draw(st.sampled_from(["+", "-", "*", "/", "//", "%"])))
        return form.format(*(operand() for _ in range(form.count("{}"))))

    def line() -> str:
        name = draw(st.sampled_from(_NAMES if draw(st.integers(0, 9)) == 0 else _NAMES[:6]))
        if name in known and draw(st.booleans()):
            return f"{name} {draw(st.sampled_from(['+', '-', '*']))}= {value()}"
        written = f"{name} = {value()}"
        known.append(name)
        return written

    def block(kind: str) -> str:
        head = {"if": f"if {operand()} > 3:", "for": f"for {draw(st.sampled_from(_NAMES[:6]))} in range({operand()}):"}
        inside = "".join(f"\n    {line()}" for _ in range(draw(st.integers(1, 2))))
        if kind == "while":
            return f"i = 0\nwhile i < 3:{inside}\n    i += 1"
        return head[kind] + inside + (f"\nelse:\n    {line()}" if kind == "if" else "")

    kinds = draw(st.lists(st.sampled_from(["line"] * 9 + ["if", "for", "while"]), min_size=1, max_size=9))
    return "\n".join([*(line() if kind == "line" else block(kind) for kind in kinds), f"answer = {value()}"])


@given(programs())
def test_the_terse_form_keeps_what_it_promises(program: str) -> None:
    check(program)


@given(st.integers(0, 10**6), st.booleans())
def test_the_terse_form_of_what_models_write_keeps_it_too(seed: int, plain: bool) -> None:
    check(random_program(seed, plain=plain))


@pytest.mark.parametrize("unread", ["half = 1 / 0", "half = missing", "n = 10 ** 400", "while True:\n    half = 1"])
def test_a_program_that_fails_has_no_terse_form(unread: str) -> None:
    """The line that fails may be one that nothing reads: without it, there would be an answer."""
    with pytest.raises(ProgramError):
        terse(f"{unread}\nanswer = 3")


@pytest.mark.parametrize(
    "loop", ["for i in range(3300):\n    t += n", "if t < 1:\n    for i in range(9):\n        t += n"]
)
def test_a_sign_is_not_put_into_a_loop(loop: str) -> None:
    """It is a step each time: a program within the limit could exceed it."""
    program = f"n = -1\nt = 0\n{loop}\nanswer = t * t"
    assert "n = -1" in terse(program)
    check(program)


def test_a_program_stays_as_it_is_if_a_line_would_exceed_a_limit() -> None:
    long = f"c = 2 * 3\nn = 1234567\nanswer = max({'c, ' * 661}n)"
    assert len(long.splitlines()[-1]) == 1_998
    deep = f"n = -2\nanswer = {'-' * 99}n"
    for program in (long, deep):
        assert terse(program) == program
        check(program)
        check(program.replace("n = 1234567", "n = 7").replace("-" * 99, "-" * 98))
