"""The same file on x86 and on an emulated ARM core: how many texts, answers and labels differ?

The students of ``benchmarks/quantization.py`` (plain and trained for Q4_0, seed 0) answer MultiArith dev here and on
the emulated boards, with the same waves, sequences and threads; beside it, what sequences and threads alone change on
one CPU, and which token each CPU holds likeliest along x86's own replies, both reading them in the same batches. The
students are made first, unless STUDENTS, the folder of that benchmark, holds them. Hours on two cores; what is finished
is kept, and the same command goes on. Run it with:

    fdd-edge targets create rpi5-emulated && fdd-edge targets create rpi4-emulated
    FDD_DATA=FOLDER python benchmarks/arm.py STUDENTS -o DIR
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from quantization import build

from fdd_edge.data import read_dataset
from fdd_edge.evaluation import mcnemar, wilson
from fdd_edge.ondevice.protocol import Completion, Score, Settings, Task, Wave
from fdd_edge.operations.evaluate import Decoding, evaluate_file, read_rows
from fdd_edge.progress import announce
from fdd_edge.records import Problem, read_jsonl, write_jsonl
from fdd_edge.runs import RunLayout
from fdd_edge.runs.hashing import hash_file
from fdd_edge.targets import load_profile, open_session

WAVE, SEQUENCES, THREADS, MAX_NEW_TOKENS = 16, 16, 1, 200
FORCED = 60
"""Problems along whose x86 replies both CPUs say their likeliest token, reading them."""


class Case(NamedTuple):
    """One file on one emulated board."""

    training: str
    recipe: str
    target: str
    problems: int


CASES = (
    Case("plain", "gguf-q4_0", "rpi5-emulated", 150),
    Case("aware-q4_0", "gguf-q4_0", "rpi5-emulated", 150),
    Case("plain", "gguf-q8_0", "rpi5-emulated", 75),
    Case("plain", "gguf-q4_0", "rpi4-emulated", 75),
    Case("aware-q4_0", "onnx-int4", "rpi5-emulated", 75),
)
STUDENTS = {"plain": ("gguf-q8_0", "gguf-q4_0"), "aware-q4_0": ("gguf-q4_0", "onnx-int4")}
FLOORS = ((1, 1), (4, 1), (16, 2))
"""Sequences and threads, against 16 and 1."""


def model_of(students: Path, case: Case) -> Path:
    return RunLayout(students / f"{case.training}-seed0").round(0).model(case.recipe)


def check_files(out: Path, students: Path) -> None:
    """Go on only with the files that this folder was begun with: both sides must have been asked of one model."""
    found = {f"{case.training} {case.recipe}": hash_file(model_of(students, case)) for case in CASES}
    known = out / "files.json"
    if known.is_file() and json.loads(known.read_text(encoding="utf-8")) != found:
        raise SystemExit(f"{out} was begun with other files than those of {students}; name a new folder.")
    known.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def answer(out: Path, model: Path, problems: Sequence[Problem], target: str, sequences: int, threads: int) -> Path:
    """Evaluate a file unless that is done; return the folder."""
    if not out.is_dir():
        decoding = Decoding(MAX_NEW_TOKENS, sequences, threads, temperature=0.0, wave=WAVE)
        evaluate_file(model, problems, out, target=target, decoding=decoding)
    return out


def forced_tokens(out: Path, model: Path, problems: Sequence[Problem], target: str, rows: Path) -> list[list[int]]:
    """Return a target's likeliest token at every position of x86's replies, one list a problem."""
    if not out.is_file():
        settings = Settings(MAX_NEW_TOKENS, SEQUENCES, THREADS, return_ids=True)
        profile = load_profile(target)
        replies = [Completion.from_row(row) for _, row in read_jsonl(rows)]
        texts = [
            Score(p.id, p.question, "", tuple(r.prompt_ids or ()), tuple(r.ids or ()))
            for p, r in zip(problems, replies, strict=True)
        ]
        with open_session(profile, model, settings=settings) as session:
            found = [list(score.best) for score in session.score(texts)]
        write_jsonl(out, ({"best": best} for best in found))
    return [row["best"] for _, row in read_jsonl(out)]


def replies_with_ids(out: Path, model: Path, problems: Sequence[Problem]) -> Path:
    """Write x86's replies with their ids, in waves as everywhere."""
    if not out.is_file():
        settings = Settings(MAX_NEW_TOKENS, SEQUENCES, THREADS, return_ids=True)
        tasks = [Task(p.id, 0, p.question) for p in problems]
        waves = [Wave(i, tuple(tasks[at : at + WAVE])) for i, at in enumerate(range(0, len(tasks), WAVE))]
        with open_session(load_profile("local"), model, settings=settings) as session:
            write_jsonl(out, (c.to_row() for result in session.complete(waves) for c in result.completions))
    return out


def share(count: int, n: int) -> str:
    low, high = wilson(count, n)
    return f"{count}/{n} ({100 * low:.1f}-{100 * high:.1f} %)"


def print_difference(name: str, here: Sequence[Completion], there: Sequence[Completion]) -> None:
    n = len(here)
    texts = sum(a.text != b.text for a, b in zip(here, there, strict=True))
    answers = sum(a.answer != b.answer for a, b in zip(here, there, strict=True))
    solved = [(a.verdict == "correct", b.verdict == "correct") for a, b in zip(here, there, strict=True)]
    lost, gained = solved.count((True, False)), solved.count((False, True))
    scores = f"{sum(a for a, _ in solved)}, {sum(b for _, b in solved)}"
    print(
        f"| {name} | {n} | {share(texts, n)} | {share(answers, n)} | {share(lost, n)} | {share(gained, n)} | "
        f"{mcnemar(gained, lost):.2g} | {scores} |"
    )


def print_likeliest(name: str, one: Sequence[Sequence[int]], other: Sequence[Sequence[int]]) -> None:
    """Print at how many positions two readings differ, and in how many replies, which alone are independent."""
    different = [sum(a != b for a, b in zip(*pair, strict=True)) for pair in zip(one, other, strict=True)]
    tokens = sum(map(len, one))
    print(f"| {name} | {sum(different)} of {tokens} | {share(sum(map(bool, different)), len(different))} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("students", type=Path, help="the output folder of benchmarks/quantization.py")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/arm"), help="(default: %(default)s)")
    options = parser.parse_args()
    out: Path = options.output
    out.mkdir(parents=True, exist_ok=True)
    if not all(model_of(options.students, case).is_file() for case in CASES):
        for training, _ in build(options.students, seed=0, students=STUDENTS):
            announce(f"{training}: there")
    check_files(out, options.students)
    dev = read_dataset(Path(os.environ["FDD_DATA"]) / "multiarith.dev.json").problems
    print(
        "| file, against x86 | problems | other texts | other answers | easy here, hard there | hard here, easy there "
        "| p | solved, each |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for case in CASES:
        problems, model = dev[: case.problems], model_of(options.students, case)
        name = f"{case.training}-{case.recipe}"
        here = answer(out / f"{name}-{case.problems}-local", model, problems, "local", SEQUENCES, THREADS)
        there = answer(out / f"{name}-{case.problems}-{case.target}", model, problems, case.target, SEQUENCES, THREADS)
        print_difference(f"{case.training} {case.recipe} on {case.target}", read_rows(here), read_rows(there))
    for case in CASES[:3]:
        problems, model = dev[: case.problems], model_of(options.students, case)
        name = f"{case.training}-{case.recipe}-{case.problems}-local"
        for sequences, threads in FLOORS:
            there = answer(out / f"{name}-{sequences}-{threads}", model, problems, "local", sequences, threads)
            label = f"{case.training} {case.recipe} here, {sequences} sequences, {threads} threads"
            print_difference(label, read_rows(out / name), read_rows(there))
    print("\n| file, along x86's replies | tokens with another likeliest one | replies with any |")
    print("|---|---|---|")
    for case in CASES:
        problems, model = dev[:FORCED], model_of(options.students, case)
        name = f"forced-{case.training}-{case.recipe}"
        rows = replies_with_ids(out / f"{name}.jsonl", model, problems)
        written = [row["ids"] for _, row in read_jsonl(rows)]
        read_here, read_there = (
            forced_tokens(out / f"{name}-{target}.jsonl", model, problems, target, rows)
            for target in ("local", case.target)
        )
        print_likeliest(f"{case.training} {case.recipe}: {case.target} reading, x86 reading", read_there, read_here)
        print_likeliest(f"{case.training} {case.recipe}: x86 reading, x86 writing", read_here, written)


if __name__ == "__main__":
    main()
