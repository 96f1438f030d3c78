"""Does the student use as many operations as a problem needs? For each round: its training data and its answers.

The figures are those of the rounds' summaries. The run is only read:

    python benchmarks/operations.py RUN
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fdd_edge import load_run
from fdd_edge.operations.operation_counts import AnsweredOperations, OperationFigures

COLUMNS = {"1": "1", "2": "2", "3+": "3 or more"}
"""By the groups of a summary."""


def shares(name: str, figures: OperationFigures) -> str:
    """Return the table row of a round's training data."""
    total = sum(figures.problems.values())
    cells = [f"{100 * figures.problems.get(group, 0) / total:.1f} %" for group in COLUMNS]
    return f"| {name} | {total} | {' | '.join(cells)} |"


def answers(figures: AnsweredOperations) -> list[str]:
    """Return the table rows of a set: operations needed against operations used."""
    rows = []
    for needed, n in figures.problems.items():
        used, correct = figures.used[needed], figures.correct[needed]
        cells = [f"{used.get(group, 0)} ({correct.get(group, 0)} correct)" for group in COLUMNS]
        rows.append(f"| {figures.dataset} | {COLUMNS[needed]} | {n} | {' | '.join(cells)} |")
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run folder")
    rounds = {found.path.name: found.summary.operations for found in load_run(parser.parse_args().run).rounds}
    known = {name: figures for name, figures in rounds.items() if figures is not None}
    if not known:
        sys.exit("No round of this run has such figures: an earlier version made it, or none has finished.")
    print(f"| trained on | problems | with 1 operation | with 2 | with {COLUMNS['3+']} |")
    print("\n".join(["|---|---|---|---|---|", *(shares(name, figures) for name, figures in known.items())]))
    for name, figures in known.items():
        print(f"\n| {name} | operations needed | problems | answered with at most 1 | with 2 | with {COLUMNS['3+']} |")
        print("\n".join(["|---|---|---|---|---|---|", *(row for one in figures.answered for row in answers(one))]))


if __name__ == "__main__":
    main()
