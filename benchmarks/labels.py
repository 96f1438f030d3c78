"""On how many problems would another artifact have split a run otherwise?

Every artifact of a round answers the problems that its judge labelled, decoded alike: how many are easy by the one and
not by the other, in both directions. Makes nothing of a run anew; what is finished is kept in DIR. Run it with:

    python benchmarks/labels.py RUN -o DIR [--round 0]
"""

from __future__ import annotations

import argparse
from itertools import combinations
from pathlib import Path

from fdd_edge.config import load_config
from fdd_edge.evaluation import mcnemar, wilson
from fdd_edge.operations.evaluate import Decoding, evaluate_file, read_rows
from fdd_edge.records import Problem, read_problems
from fdd_edge.runs import Manifest, RunLayout
from fdd_edge.runs.layout import POOL
from fdd_edge.targets import load_profile

Labels = dict[str, bool]
"""By problem: is it easy?"""


def labelled(layout: RunLayout, number: int, target: str, judge: str) -> list[Problem]:
    """Return the problems that the judge of a round has labelled, in their order."""
    place = layout.round(number)
    rows = read_rows(place.evaluation(target, judge, POOL))
    files = [path for path in (place.train, layout.round(0).reserve) if path.is_file()]
    known = {problem.id: problem for path in files for problem in read_problems(path)}
    return [known[id] for id in dict.fromkeys(row.problem_id for row in rows)]


def labels(model: Path, out: Path, problems: list[Problem], target: str, decoding: Decoding) -> Labels:
    """Have a model answer, unless that is done; return what is easy for it."""
    if not out.is_dir():
        evaluate_file(model, problems, out, target=target, decoding=decoding)
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
    layout = RunLayout(options.run)
    config, _ = load_config(str(layout.config), [])
    target = load_profile(config.feedback.target).name
    judge = Manifest(layout.manifest).facts["judge"]
    problems = labelled(layout, options.round, target, judge)
    own = config.decoding
    decoding = Decoding(own.max_new_tokens, own.sequences, own.threads, temperature=0.0, wave=own.wave)
    options.output.mkdir(parents=True, exist_ok=True)
    place = layout.round(options.round)
    names = sorted(path.name for path in place.artifact(judge).parent.iterdir())
    found = {n: labels(place.model(n), options.output / n, problems, target, decoding) for n in names}
    n = len(problems)
    print(f"{n} problems that {judge} labelled in round {options.round} on {target}\n")
    print("| artifact | easy |\n|---|---|")
    for name, easy in found.items():
        print(f"| {name} | {share(sum(easy.values()), n)} |")
    print("\n| first | second | labels that differ | easy by the first alone | by the second alone | p |")
    print("|---|---|---|---|---|---|")
    for one, other in combinations(names, 2):
        first = sum(found[one][p.id] and not found[other][p.id] for p in problems)
        second = sum(found[other][p.id] and not found[one][p.id] for p in problems)
        print(f"| {one} | {other} | {share(first + second, n)} | {first} | {second} | {mcnemar(first, second):.2g} |")


if __name__ == "__main__":
    main()
