"""How many labels of a round would change if another artifact had made them?

Every artifact of a round answers the problems that its judge labelled, decoded in the same way. For each pair of
artifacts, the table counts the problems that are easy by only one of them. The run itself is not changed; finished
evaluations are kept in DIR. Run it with:

    python benchmarks/labels.py RUN -o DIR [--round 0]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from fdd_edge.config_file import load_config
from fdd_edge.evaluation import mcnemar, wilson
from fdd_edge.ondevice.model_files import family_of, find_model
from fdd_edge.ondevice.shared_cores import spin_briefly
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.evaluate import evaluate_file
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.progress import show_on_stderr
from fdd_edge.records import Problem, read_problems
from fdd_edge.runs import Manifest, RunLayout
from fdd_edge.runs.stage_files import POOL
from fdd_edge.targets import Profile, TargetRuntime, load_profile

Labels = dict[str, bool]
"""Whether each problem is easy, by problem id."""


def labelled(layout: RunLayout, number: int, target: str, judge: str) -> list[Problem]:
    """Return the problems that the judge of a round labelled, in order."""
    round_dir = layout.round(number)
    rows = read_rows(round_dir.evaluation(target, judge, POOL))
    files = [path for path in (round_dir.train, layout.round(0).reserve) if path.is_file()]
    known = {problem.id: problem for path in files for problem in read_problems(path)}
    return [known[id] for id in dict.fromkeys(row.problem_id for row in rows)]


def labels(model: Path, out: Path, problems: list[Problem], target: Profile, asking: Asking) -> Labels:
    """Evaluate a model unless that was done before; return which problems are easy for it."""
    if not out.is_dir():
        evaluate_file(model, problems, out, runtime=TargetRuntime(target, family_of(model)), asking=asking)
    return {row.problem_id: row.verdict == "correct" for row in read_rows(out)}


def share(count: int, n: int) -> str:
    low, high = wilson(count, n)
    return f"{count} ({100 * low:.1f}-{100 * high:.1f} %)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run folder")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/labels"), help="(default: %(default)s)")
    parser.add_argument("--round", type=int, default=0, help="(default: %(default)s)")
    options = parser.parse_args()
    show_on_stderr()
    spin_briefly()  # as the command line does
    layout = RunLayout(options.run)
    config, _ = load_config(str(layout.config), [])
    target = load_profile(config.feedback.target)
    judge = Manifest(layout.manifest).facts["judge"]
    problems = labelled(layout, options.round, target.name, judge)
    asking = Asking(replace(config.decoding, temperature=0.0))
    options.output.mkdir(parents=True, exist_ok=True)
    round_dir = layout.round(options.round)
    names = sorted(path.name for path in round_dir.artifact(judge).parent.iterdir())
    found = {n: labels(find_model(round_dir.artifact(n)), options.output / n, problems, target, asking) for n in names}
    n = len(problems)
    print(f"{n} problems that {judge} labelled in round {options.round} on {target.name}\n")
    print("| artifact | easy |\n|---|---|")
    for name, easy in found.items():
        print(f"| {name} | {share(sum(easy.values()), n)} |")
    print("\n| first | second | labels that differ | easy only by the first | easy only by the second | p |")
    print("|---|---|---|---|---|---|")
    for one, other in combinations(names, 2):
        first = sum(found[one][p.id] and not found[other][p.id] for p in problems)
        second = sum(found[other][p.id] and not found[one][p.id] for p in problems)
        print(f"| {one} | {other} | {share(first + second, n)} | {first} | {second} | {mcnemar(first, second):.2g} |")


if __name__ == "__main__":
    main()
