"""The language says what Python says, or gives no answer and a reason; each case names what once went wrong."""

from __future__ import annotations

import math

import pytest

from fdd_edge.ondevice.judging import judge
from fdd_edge.ondevice.language import ProgramError, Verdict, compute, judge_reply, last_number, marked_number
from fdd_edge.ondevice.verdicts import ANSWER_RULES

ANSWERS = {
    "an argument goes before the default": ("def cost(price=5, n=2):\n    return price * n\nprint(cost(7, 3))", 21),
    "a default that the call leaves": ("def cost(price=5, *, n=2):\n    return price * n\nprint(cost(7))", 14),
    "a printed expression": ("def half(price=10):\n    return price / 2\nprint(half() * 3)", 15.0),
    "an answer before a function that nothing calls": ("answer = 3\ndef never_called():\n    return 4", 3),
    "an answer before a function that is called": ("answer = 3\ndef f():\n    return 4\nx = f()", 3),
    "everything of math": ("from math import *\nr = 3\nanswer = pi * r * r", math.pi * 9),
    "everything of math, whose e it is not": ("from math import *\ne = 3\nanswer = e", 3),
    "everything of math over an own e": ("e = 3\nfrom math import *\nanswer = 2 * floor(2.5)", 4),
    "everything of math over an own e that is read again": ("e = 2\nprint(e)\nfrom math import *\nprint(e)", math.e),
    "everything of math over an own pi, in a branch": ("pi = 3\nif pi:\n    from math import *\nanswer = pi", math.pi),
    "everything of math in a loop, over an own tau": (
        "for i in range(2):\n    print(tau if i else 4)\n    tau = 5\n    from math import *\nprint(tau)",
        math.tau,
    ),
    "one constant over an own name": ("e = 2\nprint(e)\nfrom math import e\nprint(e)", math.e),
    "one constant over an own name, by another name": ("e = 2\nprint(e)\nfrom math import pi as e\nprint(e)", math.pi),
    "an own name over a constant, and the constant again": (
        "from math import pi\npi = 3\nprint(pi)\nfrom math import pi\nprint(pi)",
        math.pi,
    ),
    "math by another name": ("import math as m\nanswer = m.floor(m.pi) + m.sqrt(4)", 5.0),
    "math by another name, inside the function": (
        "def f(x=9):\n    import math as m\n    return m.sqrt(x)\nprint(f())",
        3.0,
    ),
    "parts of math by other names": (
        "from math import pi as p, sqrt as root, e\nanswer = root(16) + p - e",
        4 + math.pi - math.e,
    ),
    "a part of math called like a function": ("from math import ceil as round\nanswer = round(2.1)", 3),
    "tau and infinity": ("import math\nanswer = min(math.inf, math.tau)", math.tau),
    "a main guard": ("def f():\n    return 3\nif __name__ == '__main__':\n    print(f())", 3),
    "a guard of another name": ("def f():\n    return 3\nprint(f())\nif __name__ == 'f':\n    print(f() + 1)", None),
    "annotations that Python knows": ("def f(x: list[int] | int = 3) -> 'Money':\n    return x\nprint(f())", 3),
    "a print of texts on the way": ("answer = 3\nprint('yes' if answer > 2 else 'no', [answer], 'a' * 3)", 3),
    "a function that shows and returns the same": ("def f():\n    x = 3\n    print('It is', x)\n    return x\nf()", 3),
    "a number at the end of a sentence": ("def f():\n    return 3\nprint(f'It costs ${f()}.')", 3),
    "a share with its sign": ("def f():\n    return 3\nprint(f'{f()}%')", 3),
    "thousands": ("def f():\n    return 1234567\nprint(f'{f():,}')", 1234567),
}

NONE = {
    "a local name that is read too early": ("x = 5\ndef f():\n    x = x + 1\n    return x\nprint(f())", "error"),
    "a function that is no longer one": ("sum = 3\nanswer = sum([1, 2])", "error"),
    "a range that is no longer one": ("range = 3\nanswer = 0\nfor i in range(3):\n    answer += i", "error"),
    "math that is no longer one": ("math = 3\nanswer = math.sqrt(4)", "error"),
    "a function that calls itself by a built-in's name": (
        "def max(a=1, b=2):\n    return max(a, b)\nprint(max(3))",
        "limit",
    ),
    "an exception behind the answer": ("answer = 3\nx = 1 / 0", "error"),
    "an unknown name in a print": ("answer = 3\nprint(missing)", "error"),
    "a local name in a print outside": ("def f():\n    total = 3\n    return total\nprint(f())\nprint(total)", "error"),
    "an assignment inside a print": ("answer = 3\nprint((answer := 4))", "forbidden"),
    "an unused line that raises": ("def f():\n    return 3\nx = 1 / 0\nprint(f())", "error"),
    "an endless loop behind the answer": ("answer = 3\nwhile True:\n    pass", "limit"),
    "a shift in a print": ("answer = 3\nprint(1 << 10**9)", "forbidden"),
    "a digit before the number": ("def f():\n    return 3\nprint('1' + str(f()))", "forbidden"),
    "a minus before the number": ("def f():\n    return 3\nprint(f'-{f()}')", "forbidden"),
    "a minus between prints": ("def f():\n    return 3\nprint('-', end='')\nprint(f())", "forbidden"),
    "digits behind the number": ("def f():\n    return 3\nprint(f'{f()}.50')", "forbidden"),
    "a fraction": ("def f():\n    return 3\nprint(f'1/{f()}')", "forbidden"),
    "two numbers without a gap": ("def f():\n    return 3\nx = f()\nprint(f'{x}{x}')", "forbidden"),
    "a whole format for a part": ("def f():\n    return 2.5\nprint(f'{f():d}')", "error"),
    "a text and a number added": ("def f():\n    return 3\nprint('It is ' + f())", "error"),
    "a number that nothing returns": ("def f():\n    print(3)\nprint(f())", "forbidden"),
    "another number inside the function": ("def f():\n    x = 5\n    print(x)\n    return 3\nf()", "forbidden"),
    "two parameters of one name": ("def f(a, a=3):\n    return a\nprint(f(1))", "no_program"),
    "everything of math inside a function": (
        "def f():\n    from math import *\n    return pi\nprint(f())",
        "no_program",
    ),
    "a part of math that is imported too late": ("x = ceil(2.5)\nfrom math import *\nanswer = x", "error"),
    "math under a name that is not imported": ("import math as m\nanswer = math.pi", "error"),
    "an own name that everything of math takes": ("degrees = 5\nfrom math import *\nanswer = degrees * 2", "error"),
    "a function over a number that was shown": ("gcd = 3\nprint(gcd)\nfrom math import gcd\nprint(gcd)", "forbidden"),
    "everything of math over a number that was shown": (
        "sin = 3\nprint(sin)\nfrom math import *\nprint(sin)",
        "forbidden",
    ),
    "math over a number that was shown": ("math = 3\nprint(math)\nimport math\nprint(math)", "forbidden"),
    "an own function over a number that was shown": (
        "f = 3\nprint(f)\ndef f():\n    return 4\nprint(f)",
        "forbidden",
    ),
    "a function over a number, compared": (
        "gcd = 3\nprint(1)\nfrom math import gcd\nprint(1 if gcd == 3 else 2)",
        "forbidden",
    ),
    "an annotation that assigns": ("y = 5\nx: (y := 3) = 1\nprint(y)", "forbidden"),
    "an imported name with two meanings": ("from math import sqrt as s, pi\ns = 3\nanswer = s", "forbidden"),
    "a part of math that the language has not": ("from math import factorial\nanswer = factorial(10**6)", "forbidden"),
    "an annotation that Python does not know": ("def f(x: Money = 3):\n    return x\nprint(f())", "error"),
    "a huge text": ("answer = 1\nprint('x' * 10**9)", "limit"),
    "a huge width": ("answer = 1\nprint(f'{answer:>999999999}' + '%999999999d' % 5)", "forbidden"),
    "a huge text in disguise": ("answer = 1\nprint(('a' if answer else 'b') * 10**9)", "error"),
}


@pytest.mark.parametrize("note", ANSWERS)
def test_the_answer_is_pythons(note: str) -> None:
    reply, answer = ANSWERS[note]
    outcome = judge_reply(reply)
    assert (outcome.answer, type(outcome.answer)) == (answer, type(answer)), outcome
    if outcome.program is not None:
        assert judge_reply(outcome.program)[:3] == outcome[:3]


@pytest.mark.parametrize("note", NONE)
def test_there_is_no_answer_but_a_reason(note: str) -> None:
    reply, verdict = NONE[note]
    outcome = judge_reply(reply)
    assert (outcome.answer, outcome.verdict) == (None, verdict), outcome
    assert outcome.detail


def test_a_program_is_computed_under_the_same_rule() -> None:
    assert compute("def f(n=2):\n    return n * 2\nprint(f(3))") == ("n = 3\nanswer = n * 2", 6)
    with pytest.raises(ProgramError, match="shows something else") as caught:
        compute("def f():\n    return 3\nprint(f'-{f()}')")
    assert caught.value.verdict is Verdict.forbidden


DIGITS = "9" * 4301
ZEROS = "0" * 4301


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (DIGITS, None),
        (f"{ZEROS}5", 5),
        (f"{ZEROS}5 k", 5000),
        (f"0.{ZEROS}5 million", 0),
        (f"{ZEROS}\u00bd", 0.5),
        (f"-{DIGITS}", None),
        (f"1e{DIGITS}", None),
        (f"1e-{DIGITS} k", 0.0),
        ("\u0665" * 4301, None),
    ],
)
def test_thousands_of_digits_are_read_or_count_as_none(text: str, number: float | None) -> None:
    found = last_number(text)
    assert (found, type(found)) == (number, type(number))
    assert marked_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (rf"\boxed{{\frac{{{'9' * 80}}}{{{'9' * 80}}}}}", 1.0),
        (f"The answer is {'9' * 400}/{'9' * 400}", None),
        (f"The answer is {DIGITS} 1/2", None),
        (f"The answer is {ZEROS}1/{ZEROS}2", 0.5),
        (r"\boxed{\frac{1.2.3}{4}} of 7", None),
        (r"#### \frac{,}{,}", None),
        (rf"\boxed{{\frac{{1}}{{{'9' * 150}}}}}", 1 / float("9" * 150)),
    ],
)
def test_fractions_of_any_size_are_read_or_count_as_none(text: str, number: float | None) -> None:
    assert marked_number(text) == number


# Each took seconds, or longer than a minute: how often an expression is tried must not grow with the square.
SLOW = {
    "digits behind a mark": "The answer is " + "9" * 15_900,
    "digits behind hashes": "#### frac " + "9" * 15_900,
    "spaces behind a number": "#### 5" + " " * 15_800 + "!",
    "stars behind a number": "#### 5" + "*" * 15_800 + "!",
    "scales": "5" + " k" * 7_900,
    "boxes": "\\boxed{" * 2_200,
    "fields of a text": "answer = 1\nprint(f'" + "{answer:" * 1_700 + "')",
    "spaces in a field": "answer = 1\nprint(f'{answer" + " " * 1_800 + "=')",
}


@pytest.mark.parametrize("note", SLOW)
def test_hostile_texts_are_read_in_one_pass(note: str) -> None:
    for rule in ANSWER_RULES:
        outcome = judge(SLOW[note], unfinished=False, answer=rule)  # type: ignore[arg-type]  # one of them
        assert (outcome.answer is None) == (outcome.verdict is not None)


@pytest.mark.parametrize("rule", ANSWER_RULES)
@pytest.mark.parametrize(
    "text",
    [
        DIGITS,
        f"answer = {DIGITS}",
        f"answer = 5\nprint({DIGITS})",
        f"answer = 1 + {ZEROS}1",
        "def f():\n    return 10**400\nprint(f'{f()}')",
        "\0",
        "\ud800 5",
        "[" * 9_000,
    ],
)
def test_a_reply_of_any_kind_has_an_outcome(rule: str, text: str) -> None:
    outcome = judge(text, unfinished=False, answer=rule)  # type: ignore[arg-type]
    assert (outcome.answer is None) == (outcome.verdict is not None)
