"""Does the student take as many operations as a problem needs? By round, what it was trained on and how it answers.

Problems of the ``eval`` sets whose record holds an ``equation`` (ASDiv, SVAMP, MultiArith) are sorted by its
operations, and by those of the program with which the judge's artifact answered. Makes nothing of a run anew:

    python benchmarks/operations.py RUN
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from fdd_edge.config import load_config
from fdd_edge.ondevice.language import count_operations
from fdd_edge.operations.evaluate import read_rows
from fdd_edge.records import Problem, read_problems
from fdd_edge.runs import Manifest, RoundLayout, RunLayout
from fdd_edge.targets import load_profile

MOST = 3
"""So many operations or more are one column."""
COLUMNS = ("1", "2", f"{MOST} or more")
OPERATOR = re.compile(r"(?<=[\w.)])\s*[-+*/]")


def needed(problem: Problem) -> int:
    """Count the operations of a problem's equation, on the side that has more; 0 where there is none to read."""
    return max(len(OPERATOR.findall(side)) for side in str(problem.extra.get("equation", "")).split("="))


def shares(place: RoundLayout) -> str:
    """Return the row of what a round was trained on."""
    counts = Counter(min(problem.n_ops or 0, MOST) for problem in read_problems(place.train))
    cells = [f"{100 * counts[n] / counts.total():.1f} %" for n in range(1, MOST + 1)]
    return f"| {place.root.name} | {counts.total()} | {' | '.join(cells)} |"


def answers(name: str, problems: Iterable[Problem], folder: Path) -> list[str]:
    """Return the rows of a set: of problems that need so many operations, how many were answered with how many.

    Replies that are no program, and problems without an equation, are left out.
    """
    operations = {problem.id: min(needed(problem), MOST) for problem in problems}
    all_, right = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    for row in read_rows(folder):
        if row.program is not None and operations[row.problem_id]:
            cell = operations[row.problem_id], max(1, min(count_operations(row.program), MOST))
            all_[cell] += 1
            right[cell] += row.verdict == "correct"
    totals, rows = Counter(operations.values()), []
    for n in sorted(set(operations.values()) - {0}):
        cells = [f"{all_[n, used]} ({right[n, used]} right)" for used in range(1, MOST + 1)]
        rows.append(f"| {name} | {COLUMNS[n - 1]} | {totals[n]} | {' | '.join(cells)} |")
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run folder")
    layout = RunLayout(parser.parse_args().run)
    config, _ = load_config(str(layout.config), [])
    target, judge = load_profile(config.feedback.target).name, Manifest(layout.manifest).facts["judge"]
    rounds = [layout.round(number) for number in range(config.rounds) if layout.round(number).train.is_file()]
    print(f"| trained on | problems | of 1 operation | of 2 | of {COLUMNS[-1]} |")
    print("\n".join(["|---|---|---|---|---|", *map(shares, rounds)]))
    for place in rounds:
        folders = {d.label: place.evaluation(target, judge, d.label) for d in config.data.eval}
        if not any(folder.is_dir() for folder in folders.values()):
            continue
        print(f"\n| {place.root.name} | needs | problems | answered with 1 at most | with 2 | with {COLUMNS[-1]} |")
        print("|---|---|---|---|---|---|")
        for label, folder in folders.items():
            if folder.is_dir():
                print("\n".join(answers(label, read_problems(layout.eval_set(label)), folder)))


if __name__ == "__main__":
    main()
