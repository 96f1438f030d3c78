"""Does the feedback work, and does it matter which artifact labels the problems? Each arm against its controls.

The arms of a seed share round 0: the student trained on the seed problems, with labels by the Q4_0 file. Each arm then
gets as many new problems as the arm with the fewest, and round 1 trains on the same number of tokens: ``fdd``;
``float``, split by the float model; ``random``, parents assigned to branches at random; ``none``, no new problems; and,
for the first seed only, ``inverted``. Two more have a round 0 of their own: ``fresh``, whose seed problems are labelled
before they are trained on; and ``aware``, trained for Q4_0 rounding, of which only the labels by both files are
compared.

Each finished arm is a line of ``DIR/results.jsonl``; after an interruption the same command resumes. ``--with FILE``
adds lines measured on another day or machine; a seed that is complete there is not run again. Run it with:

    FDD_DATA=FOLDER python benchmarks/controls.py -o DIR [--seeds 0 1 2]
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import yaml

from fdd_edge import api
from fdd_edge.config_file import read_config_source
from fdd_edge.evaluation import mcnemar, paired_difference, wilson
from fdd_edge.operations.evaluate import read_rows
from fdd_edge.operations.split import read_split
from fdd_edge.progress import show_on_stderr
from fdd_edge.records import read_jsonl, read_problems
from fdd_edge.runs import RoundLayout, RunLayout, write_atomic

CONFIG = "controls"
SETS = ("multiarith", "svamp", "asdiv", "gsm8k", "symbolic-heldout")
RECIPES = ("gguf-q4_0", "gguf-f32")
MOST_NEW = 300
START = "start"
FLOAT_LABELS = ("feedback.artifact=float",)
ARMS: dict[str, tuple[str, ...]] = {
    "fdd": (),
    "float": FLOAT_LABELS,
    "random": ("feedback.policy=random",),
    "none": ("feedback.policy=none",),
    "inverted": ("feedback.policy=inverted",),
}
FRESH, FRESH_POOL = "fresh", ("feedback.pool=fresh", "feedback.limit=200")
"""Half of the seed problems are labelled before they are trained on; that is enough for 200 per round."""
STUDENT_T = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % points of Student's t, for 1, 2, ... degrees of freedom."""
AWARE = "aware"
FOR_Q4_0 = ("training.quantization_aware=gguf-q4_0",)
LABELS: dict[str, tuple[str, ...]] = {AWARE: FOR_Q4_0, "aware-float": (*FOR_Q4_0, *FLOAT_LABELS)}
"""The same student, labelled by either file."""
PAIRS = (
    *(("fdd", control) for control in (START, *(arm for arm in ARMS if arm != "fdd"), FRESH)),
    ("none", START),
    ("random", "none"),
    (AWARE, START),
    (AWARE, "fdd"),
)
"""Pairs to compare. ``none`` minus ``start`` approximates the noise of training: the same problems and as many tokens,
except that problems lost by Q4_0 appear twice, which changes the order of all of them."""

Row = Mapping[str, Any]


def arms_of(seed: int) -> list[str]:
    """Return the arms of a seed; ``inverted`` runs for the first seed only."""
    return [arm for arm in ARMS if arm != "inverted" or seed == 0]


def run(folder: Path, seed: int, settings: Sequence[str], *, rounds: int) -> RunLayout:
    """Run the config with an arm's settings, or resume its folder."""
    overrides = [f"seed={seed}", "keep=last", *settings]
    if RunLayout(folder).is_run():
        # An arm starts as a copy of another arm's folder; whatever its settings change is built again.
        source = read_config_source(CONFIG, [*overrides, f"output_dir={json.dumps(str(folder))}", f"rounds={rounds}"])
        write_atomic(RunLayout(folder).config, yaml.safe_dump(source, sort_keys=False))
    return api.run(CONFIG, output=folder, overrides=overrides, rounds=rounds, parity=False).layout


def branch_off(start: Path, folder: Path) -> None:
    """Start an arm with a copy of the shared round 0, completely or not at all."""
    if not folder.exists():
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(start, partial, symlinks=True)
        partial.rename(folder)


def easy(round_dir: RoundLayout) -> str:
    """Return a 1 for every labelled problem that is easy and a 0 for every other, sorted by id."""
    labels = {item.problem.id: label for label, items in read_split(round_dir.split).items() for item in items}
    return "".join(str(int(labels[name] == "easy")) for name in sorted(labels))


def solved(round_dir: RoundLayout) -> dict[str, dict[str, str]]:
    """Return, by recipe and set, a 1 for every solved problem and a 0 for every other."""
    return {
        recipe: {
            name: "".join(
                str(int(r.verdict == "correct")) for r in read_rows(round_dir.evaluation("local", recipe, name))
            )
            for name in SETS
        }
        for recipe in RECIPES
    }


def run_seed(seed: int, out: Path, done: Mapping[tuple[int, str], Row], results: Path) -> None:
    """Run every unfinished arm of a seed: those that start from the shared round 0, then those with their own."""
    start = out / f"seed-{seed}" / START

    def keep(arm: str, row: dict[str, Any]) -> None:
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"seed": seed, "arm": arm} | row) + "\n")

    missing = [arm for arm in arms_of(seed) if (seed, arm) not in done]
    known = [int(row["max_new"]) for (s, _), row in done.items() if s == seed and "max_new" in row]
    if missing:
        run(start, seed, (), rounds=1)
        if (seed, START) not in done:
            round_dir = RunLayout(start).round(0)
            keep(START, {"easy": easy(round_dir), "solved": solved(round_dir)})
        folders = {arm: start.with_name(arm) for arm in missing}
        for folder in folders.values():
            branch_off(start, folder)
        known = known or [min([MOST_NEW, *(offspring_of(arm, f, seed) for arm, f in folders.items() if arm != "none")])]
        for arm, folder in folders.items():
            keep(arm, one_round_more(folder, seed, ARMS[arm], known[0]))
            shutil.rmtree(folder)
    if (seed, FRESH) not in done:
        keep(FRESH, one_round_more(start.with_name(FRESH), seed, FRESH_POOL, known[0]))
        shutil.rmtree(start.with_name(FRESH))
    for arm, settings in LABELS.items():
        if (seed, arm) not in done:
            round_dir = run(start.with_name(AWARE), seed, settings, rounds=1).round(0)
            keep(arm, {"easy": easy(round_dir), "solved": solved(round_dir)})
    shutil.rmtree(start.parent, ignore_errors=True)


def offspring_of(arm: str, folder: Path, seed: int) -> int:
    """Return how many new problems an arm could train on after round 0 if there were no limit."""
    if not RunLayout(folder).round(1).root.exists():
        run(folder, seed, ARMS[arm], rounds=1)
    round_dir = RunLayout(folder).round(0)
    over = [p for p in read_problems(round_dir.turned_down) if p.reason == "over_max_new"]
    return len(read_problems(round_dir.accepted)) + len(over)


def one_round_more(folder: Path, seed: int, settings: Sequence[str], max_new: int) -> dict[str, Any]:
    """Train round 1 on the new problems as well, and return the arm's line."""
    layout = run(folder, seed, (*settings, f"feedback.max_new={max_new}"), rounds=2)
    new = [p.origin for p in read_problems(layout.round(0).accepted)]
    counts = {origin: new.count(origin) for origin in ("complex", "similar")}
    return {"max_new": max_new, "new": counts, "easy": easy(layout.round(0)), "solved": solved(layout.round(1))}


def by_key(rows: Iterable[Row]) -> dict[tuple[int, str], Row]:
    """Return the lines by seed and arm; a later line replaces an earlier one."""
    return {(int(row["seed"]), str(row["arm"])): row for row in rows}


def read(path: Path) -> list[Row]:
    """Return the lines of a results file, or none if it does not exist yet."""
    return [row for _, row in read_jsonl(path)] if path.is_file() else []


def marks(row: Row, recipe: str, name: str) -> list[float]:
    """Return 1 or 0 for every problem of a set."""
    return [float(mark) for mark in row["solved"][recipe][name]]


def accuracy_table(done: Mapping[tuple[int, str], Row]) -> list[str]:
    """Return the lines of the main table: for each arm and file, the mean over seeds and its interval."""
    lines = [f"| arm | file | seeds | {' | '.join(SETS)} |", f"|---|---|---|{'---|' * len(SETS)}"]
    for arm in (START, *ARMS, FRESH, AWARE):
        rows = [row for (_, name), row in sorted(done.items()) if name == arm]
        for recipe in RECIPES if rows else ():
            cells = [over_seeds([100 * fmean(marks(row, recipe, name)) for row in rows]) for name in SETS]
            lines.append(f"| {arm} | {recipe} | {len(rows)} | {' | '.join(cells)} |")
    return lines


def over_seeds(values: Sequence[float], form: str = ".1f") -> str:
    """Return a mean and half of its 95 % interval by Student's t, which shows how much another seed changes it."""
    if len(values) < 2:
        return f"{fmean(values):{form}}"
    return f"{fmean(values):{form}} ± {STUDENT_T[len(values) - 2] * stdev(values) / len(values) ** 0.5:.1f}"


def difference_table(done: Mapping[tuple[int, str], Row]) -> list[str]:
    """Return the differences of ``PAIRS`` in percentage points, over the seeds that have both arms.

    For each set and for all sets together, paired by problem, with the interval over problems; then for all sets
    together with the interval over seeds, and exact McNemar.
    """
    lines = [
        f"| compared | file | seeds | {' | '.join(SETS)} | all | over seeds | gained, lost, p |",
        f"|---|---|---|{'---|' * (len(SETS) + 3)}",
    ]
    for arm, control in PAIRS:
        seeds = [seed for seed, name in sorted(done) if name == control and (seed, arm) in done]
        for recipe in RECIPES if seeds else ():
            cells, pooled, gained, lost = [], [], 0, 0
            by_seed: list[list[float]] = [[] for _ in seeds]
            for name in SETS:
                sides = [(marks(done[s, arm], recipe, name), marks(done[s, control], recipe, name)) for s in seeds]
                per_seed = [[a - b for a, b in zip(one, other, strict=True)] for one, other in sides]
                gained += sum(d > 0 for own in per_seed for d in own)
                lost += sum(d < 0 for own in per_seed for d in own)
                means = [fmean(own) for own in zip(*per_seed, strict=True)]
                pooled += means
                for own, more in zip(by_seed, per_seed, strict=True):
                    own += more
                cells.append(with_interval(means))
            flips = f"{gained}, {lost}, {mcnemar(gained, lost):.2g}"
            seeds_apart = over_seeds([100 * fmean(own) for own in by_seed], "+.1f")
            head = (f"{arm} minus {control}", recipe, str(len(seeds)))
            lines.append(f"| {' | '.join([*head, *cells, with_interval(pooled), seeds_apart, flips])} |")
    return lines


def with_interval(differences: Sequence[float]) -> str:
    """Return a mean difference with its interval, in percentage points."""
    low, high = paired_difference(differences)
    return f"{100 * fmean(differences):+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def label_table(done: Mapping[tuple[int, str], Row]) -> list[str]:
    """Return how many labels differ between Q4_0 and float, for plain training and for training for Q4_0."""
    lines = [
        "| training | seed | easy only by Q4_0 | easy only by float | labels that differ |",
        "|---|---|---|---|---|",
    ]
    for training, quantized, by_float in (("plain", START, "float"), ("for Q4_0", AWARE, "aware-float")):
        for seed in sorted({s for s, _ in done}):
            if (seed, quantized) not in done or (seed, by_float) not in done:
                continue
            one, other = done[seed, quantized]["easy"], done[seed, by_float]["easy"]
            alone = [sum(a > b for a, b in zip(*pair, strict=True)) for pair in ((one, other), (other, one))]
            low, high = wilson(sum(alone), len(one))
            share = f"{100 * sum(alone) / len(one):.1f} % ({100 * low:.1f}-{100 * high:.1f})"
            lines.append(f"| {training} | {seed} | {alone[0]} | {alone[1]} | {share} |")
    return lines


def main() -> None:
    """Run the missing arms and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--with", dest="others", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    show_on_stderr()
    if len(options.seeds) > len(STUDENT_T) + 1:
        parser.error(f"at most {len(STUDENT_T) + 1} seeds are supported")
    options.output.mkdir(parents=True, exist_ok=True)
    results = options.output / "results.jsonl"
    known_rows = by_key(row for path in options.others for row in read(path))
    for seed in options.seeds:
        if any((seed, arm) not in known_rows for arm in (START, *arms_of(seed), FRESH, *LABELS)):
            run_seed(seed, options.output, by_key(read(results)), results)
    done = known_rows | by_key(read(results))
    for table in (accuracy_table(done), difference_table(done), label_table(done)):
        print("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
