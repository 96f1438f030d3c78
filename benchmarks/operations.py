"""Does the student use as many operations as a problem needs? For each round: its training data and its answers.

Problems of the ``eval`` sets that have an ``equation`` (ASDiv, SVAMP, MultiArith) are counted by the number of
operations in the equation and in the program with which the judge's artifact answered. The run is only read:

    python benchmarks/operations.py RUN
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from fdd_edge.config_file import load_config
from fdd_edge.ondevice.language import count_operations
from fdd_edge.operations.evaluate import read_rows
from fdd_edge.records import Problem, read_problems
from fdd_edge.runs import Manifest, RoundLayout, RunLayout
from fdd_edge.targets import load_profile

LAST_COLUMN = 3
"""Problems with this many operations or more share one column."""
COLUMNS = ("1", "2", f"{LAST_COLUMN} or more")
OPERATOR = re.compile(r"(?<=[\w.)])\s*[-+*/]")


def needed(problem: Problem) -> int:
    """Count the operations of a problem's equation, on the side that has more; 0 if there is no equation."""
    return max(len(OPERATOR.findall(side)) for side in str(problem.extra.get("equation", "")).split("="))


def shares(round_dir: RoundLayout) -> str:
    """Return the table row of a round's training data."""
    counts = Counter(min(problem.n_ops or 0, LAST_COLUMN) for problem in read_problems(round_dir.train))
    cells = [f"{100 * counts[n] / counts.total():.1f} %" for n in range(1, LAST_COLUMN + 1)]
    return f"| {round_dir.root.name} | {counts.total()} | {' | '.join(cells)} |"


def answers(name: str, problems: Iterable[Problem], folder: Path) -> list[str]:
    """Return the table rows of a set: operations needed against operations used.

    Replies that are not a program, and problems without an equation, are left out.
    """
    operations = {problem.id: min(needed(problem), LAST_COLUMN) for problem in problems}
    answered, correct = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    for row in read_rows(folder):
        if row.program is not None and operations[row.problem_id]:
            cell = operations[row.problem_id], max(1, min(count_operations(row.program), LAST_COLUMN))
            answered[cell] += 1
            correct[cell] += row.verdict == "correct"
    totals, rows = Counter(operations.values()), []
    for n in sorted(set(operations.values()) - {0}):
        cells = [f"{answered[n, used]} ({correct[n, used]} correct)" for used in range(1, LAST_COLUMN + 1)]
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
    print(f"| trained on | problems | with 1 operation | with 2 | with {COLUMNS[-1]} |")
    print("\n".join(["|---|---|---|---|---|", *map(shares, rounds)]))
    for round_dir in rounds:
        folders = {d.label: round_dir.evaluation(target, judge, d.label) for d in config.data.eval}
        if not any(folder.is_dir() for folder in folders.values()):
            continue
        print(
            f"\n| {round_dir.root.name} | operations needed | problems "
            f"| answered with at most 1 | with 2 | with {COLUMNS[-1]} |"
        )
        print("|---|---|---|---|---|---|")
        for label, folder in folders.items():
            if folder.is_dir():
                print("\n".join(answers(label, read_problems(layout.eval_set(label)), folder)))


if __name__ == "__main__":
    main()
