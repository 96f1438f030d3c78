"""What a newcomer waits for: when a run shows its first trained answer, when it ends, and whether it says so rightly.

The run is started as in a pipe, where all that it shows are lines. From these, each with the time at which it came, it
is read when the first answers were shown before and after training, how long nothing was said, and how wrong the time
left was that the run stated, from its second stage on. Run it on idle cores with:

    python benchmarks/first_run.py [--config quickstart] [--set KEY=VALUE ...] [-o DIR]
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
TO_GO = re.compile(r"(?:about|at least) ([0-9.]+) (s|min|h) to go")
HEADLINE = re.compile(r"(Round [0-9]+ \([0-9]+ of [0-9]+\)|Untuned student) · ([a-z ]+) · ")
TOLERATED = 30.0
"""Seconds left of which a third is less than a rounded minute, so that nothing can be said of them."""


class Line(NamedTuple):
    seconds: float
    text: str


class Stated(NamedTuple):
    """What a run said how long it would still take, and how long it took."""

    stage: str
    left: float
    real: float


def run(command: Sequence[str]) -> list[Line]:
    """Return the lines that a command prints, with the seconds since it was started."""
    began, lines = time.monotonic(), []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for text in process.stdout:
            lines.append(Line(time.monotonic() - began, text.rstrip()))
            print(f"{lines[-1].seconds:7.1f}  {lines[-1].text}", flush=True)
    if process.returncode:
        sys.exit(f"the run ended with exit code {process.returncode}")
    return lines


def first(lines: Sequence[Line], beginning: str) -> float | None:
    """Return when the first line that begins so came."""
    return next((line.seconds for line in lines if line.text.startswith(beginning)), None)


def stated(lines: Sequence[Line]) -> Iterator[Stated]:
    """Yield the time left that was stated, from the second stage with a headline on."""
    end, stages, stage = lines[-1].seconds, 0, ""
    for line in lines:
        if headline := HEADLINE.match(line.text):
            stages, stage = stages + 1, f"{headline[1]}, {headline[2]}"
        if stages > 1 and (found := TO_GO.search(line.text)):
            yield Stated(stage, float(found[1]) * UNITS[found[2]], end - line.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="quickstart")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for fdd-edge run")
    parser.add_argument("-o", "--output", metavar="DIR", help="where the run is kept; default: it is not")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = [word for setting in given.set for word in ("--set", setting)]
        out = given.output or str(Path(folder) / "run")
        lines = run([sys.executable, "-u", "-m", "fdd_edge", "run", given.config, "-o", out, *settings])
    silences = [(later.seconds - line.seconds, line.text) for line, later in pairwise(lines)]
    longest, before = max(silences)
    print("\nseconds until")
    for what, beginning in (
        ("the untrained student was asked", "Asked before training"),
        ("training began", "Round 0 (1 of"),
        ("the first trained answer", "Asked after round 0"),
        ("the end", lines[-1].text),
    ):
        seconds = lines[-1].seconds if what == "the end" else first(lines, beginning)
        print(f"  {what}: {'-' if seconds is None else f'{seconds:.0f}'}")
    print(f"longest silence: {longest:.0f} s, after: {before}")
    judged = [one for one in stated(lines) if one.real > TOLERATED]
    wrong = [one for one in judged if not one.real * 2 / 3 <= one.left <= one.real * 4 / 3]
    print(
        f"time left: stated {len(judged)} times from the second stage on, wrong by more than a third {len(wrong)} times"
    )
    for one in wrong:
        print(f"  {one.stage}: {one.left:.0f} s were stated, {one.real:.0f} s were left")


if __name__ == "__main__":
    main()
