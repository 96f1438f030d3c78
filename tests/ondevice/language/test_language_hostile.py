"""Texts made to hang, crash or fill a device: each must end in its verdict, in little memory and few steps."""

import subprocess
import sys
import tracemalloc
import warnings
from pathlib import Path

import pytest

from fdd_edge.ondevice import language
from fdd_edge.ondevice.language import Verdict, judge_reply

BIG = 2**1023 + 1

LIMIT = {
    "a megabyte of program": "a = 1\n" * 170_000,
    "a megabyte of prose": "hello " * 170_000,
    "ten thousand brackets": "answer = " + "(" * 5_000 + "1" + ")" * 5_000,
    "unclosed brackets": "answer = " + "[" * 9_000,
    "a chain of signs": "answer = " + "-" * 12_000 + "1",
    "signs within the line cap": "answer = " + "-" * 1_900 + "1",
    "a chain of nots": "answer = " + "not " * 3_000 + "1",
    "a long sum": "answer = " + "1+" * 7_000 + "1",
    "a sum within the line cap": "answer = " + "1+" * 900 + "1",
    "powers from the right": "answer = " + "1**" * 600 + "1",
    "negative powers, which the normal form brackets": "answer = " + "1**-" * 90 + "1",
    "if-expressions": "answer = " + "1 if 1 else " * 150 + "1",
    "indentation": "".join(" " * i + "if 1:\n" for i in range(80)) + " " * 80 + "answer=1",
    "elif": "if 1:answer=1\n" + "elif 1:a=1\n" * 1_200,
    "elif within the cap": "if 1:answer=1\n" + "elif 1:a=1\n" * 300,
    "many statements": "a=1\n" * 3_900 + "answer=1",
    "backslash continuation": "answer = " + "1+\\\n" * 3_000 + "1",
    "a tower of powers": "answer = 10**10**10",
    "a power in a loop": "a = 2\nwhile 1:\n a **= 2\nanswer = a",
    "a product in a loop": "a = 7\nwhile 1:\n a *= a\nanswer = a",
    "one to a huge power": f"a = 1\nwhile 1:\n b = a ** {BIG}\nanswer = a",
    "a literal of many digits": "answer = " + "9" * 1_900,
    "a literal beyond Python's own cap": "answer = " + "9" * 5_000,
    "a hexadecimal literal": "answer = 0x" + "f" * 1_500,
    "an endless loop": "while 1:\n pass\nanswer = 1",
    "nested loops": "a = 0\nfor i in range(10**9):\n for j in range(10**9):\n  a += 1\nanswer = a",
    "a range beyond machine words": "for i in range(10**300):\n pass\nanswer = 1",
    "a sum of a huge range": "answer = sum(range(10**300))",
    "the largest of a huge range": "answer = max(range(10**12))",
    "sums in a loop": "while 1:\n a = sum(range(100))\nanswer = a",
    "rounding to many digits": "answer = round(1, -10**9)",
    "a common divisor in a loop": f"while 1:\n a = gcd({BIG}, {BIG // 3})\nanswer = a",
    "a common multiple": "answer = lcm(" + ", ".join(str(2**500 + i) for i in range(9)) + ")",
    "a tuple that a function hands itself": "def max(a=1, b=2):\n return 1 + max((a, b))\nanswer = max(3, 4)\nprint(5)",
    "a text that doubles with each call": "def f(a=1):\n print(f(f'{a}{a}'))\n return 3",
    "f-string brackets": "answer = 1\nprint(f'{" + "(" * 1_000 + "')",
}

FORBIDDEN = {
    "import": "import os\nos.system('ls')",
    "dunder import": "answer = __import__('os').getpid()",
    "escape over a class": "answer = ().__class__.__bases__[0]",
    "evaluation": "answer = eval('1')",
    "lambdas": "answer = " + "lambda:" * 200 + "1",
    "attributes": "answer = a" + ".b" * 900,
    "calls": "answer = a" + "()" * 900,
    "comprehensions": "answer = " + "[a for a in " * 40 + "b" + "]" * 40,
    "a match": "match 1:\n case " + "1|" * 900 + "1:\n  answer = 1",
    "hidden in the tested part": "answer = 1 if open('x') else 2",
    "hidden after the answer": "answer = 1\nopen('x')",
    "hidden in a default": "def f(a=open('x')):\n return 1",
    "hidden in a branch": "answer = 1\nif 0:\n open('x')\nanswer = 2",
}

NO_PROGRAM = {
    "brackets alone": "(" * 10_000,
    "escaped quotes": '\\"' * 7_000,
    "triple quotes": '"""' + "'''\\" * 3_000,
    "fences": "```\n" * 3_900,
    "broken blocks": "```\nanswer = (\n```\n" * 700,
    "spaces": " " * 15_000,
    "prose of one line": "word " * 3_000,
    "null": "answer = 1\0",
    "lone surrogate": 'answer = "\ud800"',
}

CASES = [
    *((Verdict.limit, note, text) for note, text in LIMIT.items()),
    *((Verdict.forbidden, note, text) for note, text in FORBIDDEN.items()),
    *((Verdict.no_program, note, text) for note, text in NO_PROGRAM.items()),
]


@pytest.mark.parametrize(("verdict", "text"), [(c[0], c[2]) for c in CASES], ids=[c[1] for c in CASES])
def test_hostile_text_ends_in_its_verdict(verdict: Verdict, text: str) -> None:
    tracemalloc.start()
    try:
        outcome = judge_reply(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert outcome.verdict is verdict, outcome
    assert outcome.answer is None
    assert len(outcome.detail.split("\n")) == 1
    assert peak < 8_000_000


@pytest.mark.parametrize("text", ["answer = 1 if 1is 1else 2", '"\\d"\nanswer = 1', "answer = 1 if 1 else 2or 3"])
def test_warnings_of_the_parser_are_not_shown(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        judge_reply(text)


def test_little_stack_left_is_a_limit_not_a_crash() -> None:
    def deeper(levels: int) -> Verdict | None:
        return judge_reply("answer = " + "1+" * 90 + "1").verdict if not levels else deeper(levels - 1)

    assert deeper(sys.getrecursionlimit() - 400) in (None, Verdict.limit)


def test_language_stands_alone_on_the_standard_library() -> None:
    package = Path(language.__file__).parents[2]  # a board has `ondevice` without the rest of fdd_edge
    code = (
        f"import sys; sys.path.insert(0, {str(package)!r}); import ondevice.language;"
        "print(sorted({m.split('.')[0] for m in sys.modules} - set(sys.stdlib_module_names) - {'__main__'}))"
    )
    shown = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "['ondevice']"
