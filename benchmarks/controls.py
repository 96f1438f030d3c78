"""Does the feedback work, and does it matter which artifact labels the problems? Each arm against its controls.

The arms of a seed share round 0: the student trained on the seed problems, with labels by the Q4_0 file. Each arm then
gets as many new problems as the arm with the fewest, and round 1 trains on the same number of tokens: ``fdd``;
``float``, split by the float model; ``random``, parents assigned to branches at random; ``none``, no new problems; and
``inverted``, complex problems from hard ones. Two more have a round 0 of their own: ``fresh``, whose seed problems are
labelled before they are trained on; and ``aware``, trained for Q4_0 rounding, of which only the labels by both files
are compared.

There are two studies. In ``symbolic``, the built-in teacher writes the new problems, and half of the seeds are its own;
``inverted`` runs for the first seed only. In ``bank``, every problem was written by people or by language models: 2,000
seeds of a bank and of GSM8K-train, and new problems from the rest of the bank; the student is trained for Q4_0, and the
arms are ``fdd``, ``random``, ``none`` and ``inverted``.

Each finished arm is a line of ``DIR/results.jsonl``; after an interruption the same command resumes. ``--with FILE``
adds lines measured on another day or machine; a seed that is complete there is not run again. Run it with:

    FDD_DATA=FOLDER python benchmarks/controls.py -o DIR [--seeds 0 1 2]
    FDD_DATA=FOLDER python benchmarks/controls.py --bank BANK.jsonl -o DIR [--seeds 0 1 2]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

import yaml
from real_problems import rows_apart, rows_to_train_on, set_apart

from fdd_edge import api
from fdd_edge.config_file import read_config_source
from fdd_edge.evaluation import mcnemar, paired_difference, wilson
from fdd_edge.ondevice.shared_cores import spin_briefly
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.operations.split import read_split
from fdd_edge.progress import show_on_stderr
from fdd_edge.records import read_jsonl, read_problems
from fdd_edge.runs import RoundLayout, RunLayout, write_atomic

Settings = tuple[str, ...]
Row = Mapping[str, Any]

START = "start"
FLOAT_LABELS = ("feedback.artifact=float",)
POLICIES: dict[str, Settings] = {
    "fdd": (),
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


class Study(NamedTuple):
    """What is compared, and on which problems.

    Attributes:
        config: Name of the config that every arm starts from.
        sets: Eval sets that the tables show.
        recipes: Recipes of the files that the tables show.
        arms: The arms that share a round 0, each with its settings.
        most_new: New problems of an arm, at most.
        fresh: Settings of the arm ``fresh``; None if there is none.
        labels: Students with a round 0 of their own, of which only the labels are compared.
        once: Arms of the first seed only.
    """

    config: str
    sets: tuple[str, ...]
    recipes: tuple[str, ...]
    arms: Mapping[str, Settings]
    most_new: int
    fresh: Settings | None = None
    labels: Mapping[str, Settings] = {}
    once: tuple[str, ...] = ()

    def arms_of(self, seed: int) -> list[str]:
        """Return the arms of a seed that share a round 0."""
        return [arm for arm in self.arms if arm not in self.once or seed == 0]

    def all_of(self, seed: int) -> list[str]:
        """Return every arm of a seed, and the round that they share."""
        return [START, *self.arms_of(seed), *([] if self.fresh is None else [FRESH]), *self.labels]


PUBLIC = ("multiarith", "svamp", "asdiv", "gsm8k")
SYMBOLIC = Study(
    config="controls",
    sets=(*PUBLIC, "symbolic-heldout"),
    recipes=("gguf-q4_0", "gguf-f32"),
    arms={"fdd": (), "float": FLOAT_LABELS} | POLICIES,
    most_new=300,
    fresh=FRESH_POOL,
    labels={AWARE: FOR_Q4_0, "aware-float": (*FOR_Q4_0, *FLOAT_LABELS)},
    once=("inverted",),
)
BANK_SEEDS = {"bank": 1500, "gsm8k": 500}
"""Seed problems of the study ``bank``."""
VALID = 200
"""Rows of each kind that are set apart before; the same as in benchmarks/hyperparameters.py."""
HEAD = 2
"""Lines of a table without a row."""
BANK = Study(config="controls-bank", sets=PUBLIC, recipes=("gguf-q4_0",), arms=POLICIES, most_new=600)
PAIRS = (
    *(("fdd", control) for control in (START, "float", "random", "none", "inverted", FRESH)),
    ("none", START),
    ("random", "none"),
    (AWARE, START),
    (AWARE, "fdd"),
)
"""Pairs to compare. ``none`` minus ``start`` approximates the noise of training: the same problems and as many tokens,
except that problems lost by Q4_0 appear twice, which changes the order of all of them."""


class Arms:
    """The runs of one study.

    Attributes:
        study: What is compared.
        overrides: Settings of every run: where the study's problems are.
        results: The file that finished arms are added to.
    """

    def __init__(self, study: Study, overrides: Settings, results: Path) -> None:
        """Take the study and where its problems are."""
        self.study = study
        self.overrides = overrides
        self.results = results

    def run_seed(self, seed: int, done: Mapping[tuple[int, str], Row]) -> None:
        """Run every unfinished arm of a seed: those that start from the shared round 0, then those with their own."""
        study = self.study
        start = self.results.parent / f"seed-{seed}" / START

        def keep(arm: str, row: dict[str, Any]) -> None:
            with self.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"seed": seed, "arm": arm} | row) + "\n")

        missing = [arm for arm in study.arms_of(seed) if (seed, arm) not in done]
        known = [int(row["max_new"]) for (s, _), row in done.items() if s == seed and "max_new" in row]
        if missing:
            self._run(start, seed, (), rounds=1)
            if (seed, START) not in done:
                keep(START, self._figures(RunLayout(start).round(0)))
            folders = {arm: start.with_name(arm) for arm in missing}
            for folder in folders.values():
                branch_off(start, folder)
            if not known:
                offspring = [self._offspring_of(arm, f, seed) for arm, f in folders.items() if arm != "none"]
                known = [min([study.most_new, *offspring])]
            for arm, folder in folders.items():
                keep(arm, self._one_round_more(folder, seed, study.arms[arm], known[0]))
                shutil.rmtree(folder)
        if study.fresh is not None and (seed, FRESH) not in done:
            keep(FRESH, self._one_round_more(start.with_name(FRESH), seed, study.fresh, known[0]))
            shutil.rmtree(start.with_name(FRESH))
        for arm, settings in study.labels.items():
            if (seed, arm) not in done:
                keep(arm, self._figures(self._run(start.with_name(AWARE), seed, settings, rounds=1).round(0)))
        shutil.rmtree(start.parent, ignore_errors=True)

    def _run(self, folder: Path, seed: int, settings: Settings, *, rounds: int) -> RunLayout:
        """Run the config with an arm's settings, or resume its folder."""
        config = self.study.config
        overrides = [f"seed={seed}", "keep=last", *self.overrides, *settings]
        if RunLayout(folder).is_run():
            # An arm starts as a copy of another arm's folder; whatever its settings change is built again.
            output = f"output_dir={json.dumps(str(folder))}"
            source = read_config_source(config, [*overrides, output, f"rounds={rounds}"])
            write_atomic(RunLayout(folder).config, yaml.safe_dump(source, sort_keys=False))
        return api.run(config, output=folder, overrides=overrides, rounds=rounds, parity=False).layout

    def _offspring_of(self, arm: str, folder: Path, seed: int) -> int:
        """Return how many new problems an arm could train on after round 0 if there were no limit."""
        if not RunLayout(folder).round(1).root.exists():
            self._run(folder, seed, self.study.arms[arm], rounds=1)
        round_dir = RunLayout(folder).round(0)
        over = [p for p in read_problems(round_dir.turned_down) if p.reason == "over_max_new"]
        return len(read_problems(round_dir.accepted)) + len(over)

    def _one_round_more(self, folder: Path, seed: int, settings: Settings, max_new: int) -> dict[str, Any]:
        """Train round 1 on the new problems as well, and return the arm's line."""
        layout = self._run(folder, seed, (*settings, f"feedback.max_new={max_new}"), rounds=2)
        new = [p.origin for p in read_problems(layout.round(0).accepted)]
        counts = {origin: new.count(origin) for origin in ("complex", "similar")}
        return {"max_new": max_new, "new": counts} | self._figures(layout.round(1), labelled_in=layout.round(0))

    def _figures(self, round_dir: RoundLayout, labelled_in: RoundLayout | None = None) -> dict[str, Any]:
        """Return a round's labels, and a 1 for every problem solved and a 0 for every other, by recipe and set."""
        labels = labels_of(labelled_in or round_dir)
        solved = {
            recipe: {
                name: "".join(
                    str(int(r.verdict == "correct")) for r in read_rows(round_dir.evaluation("local", recipe, name))
                )
                for name in self.study.sets
            }
            for recipe in self.study.recipes
        }
        return {
            "easy": "".join(str(int(labels[name] == "easy")) for name in sorted(labels)),
            "labels": dict(Counter(labels_of(round_dir).values())),
            "solved": solved,
        }


def branch_off(start: Path, folder: Path) -> None:
    """Start an arm with a copy of the shared round 0, completely or not at all."""
    if not folder.exists():
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(start, partial, symlinks=True)
        partial.rename(folder)


def labels_of(round_dir: RoundLayout) -> dict[str, str]:
    """Return the label of every labelled problem of a round, by id."""
    return {item.problem.id: label for label, items in read_split(round_dir.split).items() for item in items}


def by_key(rows: Iterable[Row]) -> dict[tuple[int, str], Row]:
    """Return the lines by seed and arm; a later line replaces an earlier one."""
    return {(int(row["seed"]), str(row["arm"])): row for row in rows}


def read(path: Path) -> list[Row]:
    """Return the lines of a results file, or none if it does not exist yet."""
    return [row for _, row in read_jsonl(path)] if path.is_file() else []


def marks(row: Row, recipe: str, name: str) -> list[float]:
    """Return 1 or 0 for every problem of a set."""
    return [float(mark) for mark in row["solved"][recipe][name]]


def accuracy_table(study: Study, done: Mapping[tuple[int, str], Row]) -> list[str]:
    """Return the lines of the main table: for each arm and file, the mean over seeds and its interval."""
    lines = [f"| arm | file | seeds | {' | '.join(study.sets)} |", f"|---|---|---|{'---|' * len(study.sets)}"]
    for arm in (START, *study.arms, FRESH, AWARE):
        rows = [row for (_, name), row in sorted(done.items()) if name == arm]
        for recipe in study.recipes if rows else ():
            cells = [over_seeds([100 * fmean(marks(row, recipe, name)) for row in rows]) for name in study.sets]
            lines.append(f"| {arm} | {recipe} | {len(rows)} | {' | '.join(cells)} |")
    return lines


def over_seeds(values: Sequence[float], form: str = ".1f") -> str:
    """Return a mean and half of its 95 % interval by Student's t, which shows how much another seed changes it."""
    if len(values) < 2:
        return f"{fmean(values):{form}}"
    return f"{fmean(values):{form}} ± {STUDENT_T[len(values) - 2] * stdev(values) / len(values) ** 0.5:.1f}"


def difference_table(study: Study, done: Mapping[tuple[int, str], Row]) -> list[str]:
    """Return the differences of ``PAIRS`` in percentage points, over the seeds that have both arms.

    For each set and for all sets together, paired by problem, with the interval over problems; then for all sets
    together with the interval over seeds, and exact McNemar.
    """
    lines = [
        f"| compared | file | seeds | {' | '.join(study.sets)} | all | over seeds | gained, lost, p |",
        f"|---|---|---|{'---|' * (len(study.sets) + 3)}",
    ]
    for arm, control in PAIRS:
        seeds = [seed for seed, name in sorted(done) if name == control and (seed, arm) in done]
        for recipe in study.recipes if seeds else ():
            cells, pooled, gained, lost = [], [], 0, 0
            by_seed: list[list[float]] = [[] for _ in seeds]
            for name in study.sets:
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


def share_table(done: Mapping[tuple[int, str], Row]) -> list[str]:
    """Return how a round's problems were labelled, and how many new ones an arm got before it: means over seeds."""
    lines = ["| arm | seeds | labelled | easy | lost | hard | format | new: complex | similar |", f"|{'---|' * 9}"]
    for arm in dict.fromkeys(name for _, name in sorted(done)):
        rows = [row for (_, name), row in sorted(done.items()) if name == arm and "labels" in row]
        if rows:
            totals = [sum(row["labels"].values()) for row in rows]
            shares = [
                fmean(100 * row["labels"].get(label, 0) / total for row, total in zip(rows, totals, strict=True))
                for label in ("easy", "lost", "hard", "format")
            ]
            new = [fmean(row.get("new", {}).get(origin, 0) for row in rows) for origin in ("complex", "similar")]
            cells = [arm, str(len(rows)), f"{fmean(totals):.0f}", *(f"{share:.1f} %" for share in shares)]
            lines.append(f"| {' | '.join([*cells, *(f'{n:.0f}' for n in new)])} |")
    return lines


def bank_settings(folder: Path, bank: Path) -> Settings:
    """Return the settings of the study ``bank``: its seeds, and the bank that has the rest of the problems."""
    data = folder / "data"
    set_apart(data, bank, Path(os.environ["FDD_DATA"]) / "gsm8k_train.jsonl", VALID)
    files = {kind: str(rows_to_train_on(data, kind)) for kind in BANK_SEEDS}
    train = [{"name": kind, "path": files[kind], "limit": n} for kind, n in BANK_SEEDS.items()]
    valid = [{"name": f"{kind}-valid", "path": str(rows_apart(data, kind)), "limit": 100} for kind in BANK_SEEDS]
    return (
        f"data.train={json.dumps(train)}",
        f"data.valid={json.dumps(valid)}",
        f"teacher.models.bank.recorded={json.dumps(files['bank'])}",
    )


def main() -> None:
    """Run the missing arms and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--bank", type=Path, help="run the study bank instead, with this file")
    parser.add_argument("--with", dest="others", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    show_on_stderr()
    spin_briefly()  # as the command line does
    if len(options.seeds) > len(STUDENT_T) + 1:
        parser.error(f"at most {len(STUDENT_T) + 1} seeds are supported")
    options.output.mkdir(parents=True, exist_ok=True)
    results = options.output / "results.jsonl"
    study, settings = SYMBOLIC, Settings()
    if options.bank is not None:
        study, settings = BANK, bank_settings(options.output, options.bank)
    arms = Arms(study, settings, results)
    known_rows = by_key(row for path in options.others for row in read(path))
    for seed in options.seeds:
        if any((seed, arm) not in known_rows for arm in study.all_of(seed)):
            arms.run_seed(seed, by_key(read(results)))
    done = known_rows | by_key(read(results))
    tables = (accuracy_table(study, done), difference_table(study, done), label_table(done), share_table(done))
    for table in tables:
        if len(table) > HEAD:
            print("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
