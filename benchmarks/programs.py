"""Programs judged per second on one core: our interpreter compared with the usual ways to run a model's programs.

The usual safe way is a new Python process per program. ``exec`` in the same process is the fastest way there is, and
completely unsafe. Run it with: python benchmarks/programs.py
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Callable

from fdd_edge.ondevice.language import judge_reply

PROGRAMS = 5_000
PROCESSES = 40
REPEATS = 3

HOSTILE = {
    "endless loop": "while 1:\n pass\nanswer = 1",
    "power tower": "answer = 10**10**10",
    "common divisor in a loop": f"while 1:\n a = gcd({2**1023 + 1}, {2**1022 + 12345678901234567891})\nanswer = a",
    "powers in a loop": "while 1:\n a = 3**640\nanswer = a",
    "remainder in a loop": f"while 1:\n a = {2**1023 + 1} % {2**512 + 12345678901234567891}\nanswer = a",
    "dense sums": ("a=" + "1+" * 90 + "1\n") * 21 + "answer=a",
    "dense signs": ("a=" + "-b+" * 60 + "1\n") * 21 + "answer=a",
    "dense blocks without an answer": ("```\n" + ("a=" + "-b+" * 60 + "1\n") * 21) * 4,
    "broken blocks": ("```python\n" + "x=1\n" * 220 + "answer=(\n```\n") * 16,
    "elif chain": "if 1:answer=1\n" + "elif 1:a=1\n" * 300,
    "open brackets": "answer = " + "(" * 15_000,
    "signs": "answer = " + "-" * 1_900 + "1",
}


def ordinary_reply(rng: random.Random) -> str:
    """Return the program of a word problem, 5 to 10 lines, in one of the forms models write."""
    names = rng.sample(["apples", "boxes", "price", "days", "friends", "rate", "hours", "cost_per_item"], 3)
    lines = [f"{name} = {rng.choice([rng.randint(2, 500), rng.randint(2, 99) / 4])}" for name in names]
    for step in range(rng.randint(2, 6)):
        left, right = rng.sample(names, 2)
        names.append(f"step_{step}")
        lines.append(f"{names[-1]} = {left} {rng.choice('+-*/')} {right}")
    if rng.random() < 0.5:
        return "\n".join([*lines, f"answer = {names[-1]}"])
    body = "\n    ".join(["def solution():", *lines, f"return {names[-1]}"])
    return f"```python\n{body}\n```" if rng.random() < 0.5 else body


def in_own_process(program: str) -> None:
    exec(program, {})  # the upper bound; nothing safe can be faster


def in_new_process(program: str) -> None:
    subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True, timeout=10)


def rate(run: Callable[[str], object], programs: list[str]) -> float:
    """Return programs per second: the best of several passes."""
    return max(len(programs) / seconds(lambda: [run(program) for program in programs]) for _ in range(REPEATS))


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    rng = random.Random(0)
    replies = [ordinary_reply(rng) for _ in range(PROGRAMS)]
    outcomes = [judge_reply(reply) for reply in replies]
    # Only programs that run: a division by zero would stop the other two.
    pairs = [(r, o.program) for r, o in zip(replies, outcomes, strict=True) if o.program and o.verdict is None]
    programs = [program for _, program in pairs]
    ours = rate(judge_reply, [reply for reply, _ in pairs])
    rows = [
        ("judge_reply: find, check, normal form, run", ours),
        ("a new Python process per program", rate(in_new_process, programs[:PROCESSES])),
        ("exec in the same process (unsafe)", rate(in_own_process, programs)),
    ]
    print(f"| {len(pairs)} ordinary programs, one core | programs/s | vs judge_reply |")
    print("|---|---:|---:|")
    for name, speed in rows:
        print(f"| {name} | {speed:,.0f} | {speed / ours:.3g}x |")
    times = {
        name: min(seconds(lambda text=text: judge_reply(text)) for _ in range(REPEATS))  # type: ignore[misc]
        for name, text in HOSTILE.items()
    }
    slowest = max(times, key=lambda name: times[name])
    print(f"\nslowest of {len(HOSTILE)} hostile replies: {slowest}, {times[slowest] * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
