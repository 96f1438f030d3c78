"""Properties that hold for any text and any program of the language."""

import math

from hypothesis import given
from hypothesis import strategies as st

from fdd_edge.ondevice.language import Outcome, ProgramError, judge_reply, last_number, normalize, run_program

_NUMBERS = st.integers(0, 99).map(str) | st.floats(0, 99, allow_nan=False).map(repr)


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operator = st.sampled_from(["+", "-", "*", "/", "//", "%", "<", "<=", "==", "!=", "and", "or"])
    return st.one_of(
        st.tuples(inner, operator, inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.integers(-3, 3)).map(lambda t: f"({t[0]} ** {t[1]})"),
        st.tuples(st.sampled_from(["-", "+", "not "]), inner).map(lambda t: f"({t[0]}{t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(st.sampled_from(["abs", "int", "float", "round"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}([{t[1]}, {t[2]}])"),
    )


EXPRESSIONS = st.recursive(_NUMBERS, _larger, max_leaves=12)
# Pieces that now and then make a program, and often nearly one.
_WORDS = "answer a if for in range( while def return not else lambda print( import math math. sqrt sum"
_SIGNS = '= : ( ) [ ] 1 2.5 0 ** * / - , ; # \\ \' " """ ``` f\'{ } é'
_PIECES = [
    *_WORDS.split(),
    *_SIGNS.split(),
    "def f():",
    "```python\n",
    "answer = ",
    "\n",
    " ",
    "    ",
    "\t",
    "\r",
    "\0",
]
FRAGMENTS = st.tuples(st.sampled_from(["", " "]), st.lists(st.sampled_from(_PIECES), max_size=60)).map(
    lambda pair: pair[0].join(pair[1])
)


@given(st.text(max_size=300) | FRAGMENTS)
def test_any_text_has_an_outcome(text: str) -> None:
    outcome = judge_reply(text)
    assert isinstance(outcome, Outcome)
    assert (outcome.answer is None) == (outcome.verdict is not None)
    if outcome.program is not None:
        assert normalize(outcome.program) == outcome.program
        assert judge_reply(outcome.program)[:3] == outcome[:3]


@given(st.text(max_size=300) | FRAGMENTS)
def test_any_text_runs_or_raises_one_kind(text: str) -> None:
    try:
        assert math.isfinite(run_program(text))
    except ProgramError as error:
        assert str(error)


@given(EXPRESSIONS)
def test_agrees_with_python(expression: str) -> None:
    try:
        expected = eval(expression)  # the test's own text
    except (ArithmeticError, ValueError):
        expected = None
    outcome = judge_reply(f"answer = {expression}")
    if outcome.verdict == "limit":
        return
    if expected is None or isinstance(expected, bool | complex) or not math.isfinite(expected):
        assert outcome.verdict == "error"
    elif outcome.verdict == "error":
        # A complex number on the way is refused although Python goes on with it.
        assert "**" in expression
    else:
        assert (outcome.answer, type(outcome.answer)) == (expected, type(expected))


@given(st.lists(EXPRESSIONS, min_size=1, max_size=4))
def test_every_way_to_write_a_program_has_one_normal_form(expressions: list[str]) -> None:
    lines = [f"v{i} = {expression}" for i, expression in enumerate(expressions)]
    last = f"v{len(lines) - 1}"
    bare = "\n".join([*lines, f"answer = {last}"])
    function = "\n    ".join(["def solution():", '"""Why?"""', *lines, f"return {last}  # done"])
    printed = "\n".join([*lines, f"print('It is', {last})"])
    fenced = f"So:\n```python\nimport math\n{function}\n\nprint(solution())\n```\nThat is it."
    assert {normalize(text) for text in (bare, function, printed, fenced)} == {normalize(bare)}


@given(st.text(max_size=200))
def test_any_text_has_a_last_number_or_none(text: str) -> None:
    number = last_number(text)
    assert number is None or math.isfinite(number)


@given(st.integers(-(10**12), 10**12))
def test_last_number_reads_thousands(number: int) -> None:
    assert last_number(f"1 and then {number:,}.") == number
