"""Random replies: programs with words and fences around them, damaged in random places, and plain noise."""

from __future__ import annotations

import random
from functools import cache

from random_programs import random_program

__all__ = ["random_reply"]

_TOKENS = [
    'answer', 'print(', 'def f():', 'return ', '```', '```python\n', '\n', '\n    ', '\t', '\r', '\x00', '\ud800',
    '\xa0', '\xe9', '\u0663', "'", '"', '"""', "f'", 'f"{', '{', '}', '{{', '}}', '{x!r}', ':>5', '\\',
    '\\N{DIGIT ONE}', '\\d', '\\u0041', "rb'", "t'", '#', '1if ', '0x1f', '1_0', '1e400', '07', '1j', '**',
    '10**10**10', '[', ')', 'lambda: ', 'type X = int\n', 'class A[T]: pass\n', 'match x:\n case 1: pass\n',
    'except A, B:', 'await ', 'yield ', ':=', '; ', ' if ', ' else ', 'for i in range(', 'while 1:\n ',
    'import math as m\n', 'from math import *\n', 'global x\n', 'nonlocal x\n', '@', '->', '####', '\\boxed{',
    '\\frac{', '3/4', '1,000', 'lakh', '\U0001d7d9', 'x', '\xb7', '\ufb01', '\ufeff', '\x0c', '\x1a', '%', 'math.',
    'None',
    "9" * 4301, "0" * 4301, "-" * 40, "(" * 60,
]  # fmt: skip
_PROGRAMS = 300


@cache
def _program(number: int) -> str:
    return random_program(number)


def random_reply(seed: int) -> str:
    """Return a reply; the same seed gives the same one."""
    rng = random.Random(seed)
    kind = rng.randrange(10)
    if kind == 0:
        return "".join(rng.choice(_TOKENS) for _ in range(rng.randint(0, 40)))
    if kind == 1:
        return rng.randbytes(rng.randint(0, 200)).decode("utf-8", errors=rng.choice(["replace", "surrogateescape"]))
    text = _program(rng.randrange(_PROGRAMS))
    if rng.random() < 0.4:
        text = f"So:\n```python\n{text}\n```\nThe answer is {rng.randint(0, 99)}."
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        start = rng.randint(0, len(text))
        end = start + rng.choice([0, 0, 1, 3, 20])
        kept = text[start:end] if rng.random() < 0.3 else ""
        text = text[:start] + kept + rng.choice(_TOKENS) + text[end:]
    return text
