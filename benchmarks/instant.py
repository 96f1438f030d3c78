"""What commands take that have nothing to do, compared with an import of the packages that they need.

``ls``, ``doctor``, ``solve`` until its first token, and ``run`` on a finished folder. Processor seconds are compared,
with those of child processes, in turns: they depend less on what else the machine does than the time that passes. The
smoke run is made in DIR first, unless it is there. Run it with:

    python benchmarks/instant.py -o DIR
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fdd_edge.resolve.model_file import find_model_file

AIM = 3.0
BASE: tuple[str, ...] = ("click", "numpy", "pydantic", "yaml", "rich")
RUNTIME: tuple[str, ...] = (*BASE, "gguf", "llama_cpp")
"""``solve`` and ``run`` read model files and vocabularies."""

QUESTION = "Tom has 3 bags of 4 apples. How many apples does he have?"


class Cost(NamedTuple):
    seconds: float
    cpu_seconds: float


def cost(command: Sequence[str], cache: str) -> Cost:
    """Run a command; its modules are compiled into ``cache`` once, as those of an installed package are."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = cache
    before, began = os.times(), time.perf_counter()
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    after = os.times()
    no_answer = ran.returncode == 1 and "solve" in command  # one token is rarely a program
    if (ran.returncode and not no_answer) or "Traceback" in ran.stderr:
        sys.exit(f"{' '.join(command)} failed:\n{ran.stderr[-2000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(time.perf_counter() - began, cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--turns", type=int, default=5, help="default: %(default)s")
    options = parser.parse_args()
    ours = [sys.executable, "-m", "fdd_edge"]
    finished = [*ours, "run", "smoke", "-o", str(options.output / "smoke")]
    subprocess.run(finished, stdout=subprocess.DEVNULL, check=True)
    file = find_model_file(str(options.output / "smoke"))
    commands = {
        "ls": (BASE, [*ours, "ls"]),
        "doctor": (BASE, [*ours, "doctor"]),
        "solve, one token": (RUNTIME, [*ours, "solve", str(file), QUESTION, "--max-new-tokens", "1"]),
        "run, finished": (RUNTIME, finished),
    }
    imports = {packages: [sys.executable, "-c", f"import {', '.join(packages)}"] for packages in (BASE, RUNTIME)}
    with tempfile.TemporaryDirectory() as cache:
        for command in (*imports.values(), *(command for _, command in commands.values())):
            cost(command, cache)  # compiles what it imports
        print(f"{'':18} {'CPU s':>7} {'import':>7} {'times':>7} {'seconds':>8}\n" + "─" * 51)
        for name, (packages, command) in commands.items():
            turns = [(cost(imports[packages], cache), cost(command, cache)) for _ in range(options.turns)]
            base, taken = (statistics.median(side.cpu_seconds for side in sides) for sides in zip(*turns, strict=True))
            ratio = statistics.median(two.cpu_seconds / one.cpu_seconds for one, two in turns)
            seconds = statistics.median(two.seconds for _, two in turns)
            above = f"  above {AIM:g}" if ratio > AIM else ""
            print(f"{name:18} {taken:7.2f} {base:7.2f} {ratio:6.1f}x {seconds:8.2f}{above}", flush=True)


if __name__ == "__main__":
    main()
