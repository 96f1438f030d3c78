"""The same file on x86 and on an emulated ARM core: how many texts, answers and labels differ?

The students of ``benchmarks/quantization.py`` (plain and trained for Q4_0, seed 0) answer MultiArith dev on this
machine and on the emulated boards, with the same waves, sequences and threads. Two more tables show how much sequences
and threads alone change on one CPU, and which token each CPU finds most likely at every position of x86's replies, read
in the same batches. The students are trained first unless STUDENTS, that benchmark's output folder, already has them.
Takes hours on two cores; finished parts are kept, and the same command resumes. Run it with:

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
from fdd_edge.ondevice.model_files import family_of, find_model
from fdd_edge.ondevice.protocol import Completion, Decoding, Score, Settings, Task, Wave
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.evaluate import evaluate_file
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.progress import announce, show_on_stderr
from fdd_edge.records import Problem, read_jsonl, write_jsonl
from fdd_edge.runs import RunLayout
from fdd_edge.runs.hashing import hash_file
from fdd_edge.targets import TargetRuntime, load_profile, open_session

WAVE, SEQUENCES, THREADS, MAX_NEW_TOKENS = 16, 16, 1, 200
FORCED = 60
"""Problems whose x86 replies both CPUs read, reporting the most likely token at every position."""


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
"""Sequences and threads, compared with 16 and 1."""


def model_of(students: Path, case: Case) -> Path:
    return find_model(RunLayout(students / f"{case.training}-seed0").round(0).artifact(case.recipe))


def check_files(out: Path, students: Path) -> None:
    """Stop unless the model files are those this folder was started with: both sides must use the same model."""
    found = {f"{case.training} {case.recipe}": hash_file(model_of(students, case)) for case in CASES}
    known = out / "files.json"
    if known.is_file() and json.loads(known.read_text(encoding="utf-8")) != found:
        raise SystemExit(f"{out} was started with other model files than those of {students}; choose a new folder.")
    known.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def answer(out: Path, model: Path, problems: Sequence[Problem], target: str, sequences: int, threads: int) -> Path:
    """Evaluate a file unless that was done before; return the folder."""
    if not out.is_dir():
        # Standard attention on both sides: the CPU is what differs.
        asking = Asking(Decoding(MAX_NEW_TOKENS, sequences, threads, wave=WAVE, flash_attention=False))
        evaluate_file(
            model, problems, out, runtime=TargetRuntime(load_profile(target), family_of(model)), asking=asking
        )
    return out


def forced_tokens(out: Path, model: Path, problems: Sequence[Problem], target: str, rows: Path) -> list[list[int]]:
    """Return the token a target finds most likely at every position of x86's replies, one list per problem."""
    if not out.is_file():
        settings = Settings(Decoding(MAX_NEW_TOKENS, SEQUENCES, THREADS), return_ids=True)
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
    """Write x86's replies with their token ids, in the same waves as everywhere."""
    if not out.is_file():
        settings = Settings(Decoding(MAX_NEW_TOKENS, SEQUENCES, THREADS), return_ids=True)
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


def print_most_likely(name: str, one: Sequence[Sequence[int]], other: Sequence[Sequence[int]]) -> None:
    """Print at how many positions two readings differ, and in how many replies; only the replies are independent."""
    different = [sum(a != b for a, b in zip(*pair, strict=True)) for pair in zip(one, other, strict=True)]
    tokens = sum(map(len, one))
    print(f"| {name} | {sum(different)} of {tokens} | {share(sum(map(bool, different)), len(different))} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("students", type=Path, help="output folder of benchmarks/quantization.py")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/arm"), help="(default: %(default)s)")
    options = parser.parse_args()
    show_on_stderr()
    out: Path = options.output
    out.mkdir(parents=True, exist_ok=True)
    if not all(model_of(options.students, case).is_file() for case in CASES):
        for training, _ in build(options.students, seed=0, students=STUDENTS):
            announce(f"{training}: ready")
    check_files(out, options.students)
    dev = read_dataset(Path(os.environ["FDD_DATA"]) / "multiarith.dev.json").problems
    print(
        "| file, compared with x86 | problems | different texts | different answers | easy on x86 only "
        "| easy there only | p | solved: x86, there |"
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
            label = f"{case.training} {case.recipe} on x86, {sequences} sequences, {threads} threads"
            print_difference(label, read_rows(out / name), read_rows(there))
    print("\n| file, on x86's replies | positions with a different most likely token | replies with any |")
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
        print_most_likely(f"{case.training} {case.recipe}: {case.target} reading vs x86 reading", read_there, read_here)
        print_most_likely(f"{case.training} {case.recipe}: x86 reading vs x86 writing", read_here, written)


if __name__ == "__main__":
    main()
