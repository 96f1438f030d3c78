"""Which hyperparameters train the best student? Ranks, learning rates, batches and epochs, all on as many tokens.

Each candidate is SmolLM2-135M trained for Q4_0 on problems of a bank, of GSM8K-train and of the symbolic teacher, and
judged by its Q4_0 file on 600 others of the same three kinds, which are in no public test set. A candidate changes what
its name says and nothing else. ``previous`` trains on half of the tokens, and goes on with the other half in a second
round.

Each finished training is a line of ``DIR/results.jsonl``; after an interruption the same command resumes. Run it with:

    FDD_DATA=FOLDER python benchmarks/hyperparameters.py --bank BANK.jsonl -o DIR [--candidates NAME...] [--seeds 0 1]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from real_problems import KINDS, rows_apart, rows_to_train_on, set_apart

from fdd_edge import api
from fdd_edge.evaluation import mcnemar, paired_difference
from fdd_edge.ondevice.shared_cores import spin_briefly
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.operations.training_record import read_training
from fdd_edge.progress import show_on_stderr
from fdd_edge.records import read_jsonl
from fdd_edge.runs import RunLayout

CONFIG = "hyperparameters"
VALID = 200
"""Of each kind."""
PROBLEMS = {"bank": 750, "gsm8k": 375, "symbolic": 250}
"""To train on: about as many tokens as ``training.max_tokens`` of the config."""
JUDGE = "gguf-q4_0"


MIX = 'training.mix={by: operations, shares: {1: 0.25, 2: 0.35, "3+": 0.4}}'


class Candidate(NamedTuple):
    """One way to train.

    Attributes:
        r: Rank.
        alpha: ``lora_alpha``.
        lr: Learning rate.
        batch: Examples per step.
        problems: How many problems there are, relative to the others; they are passed over more or less often.
        rslora: Whether the adapter is scaled by ``alpha / sqrt(r)``.
        tokens: Tokens to train on, in all rounds together.
        rounds: The second one starts from the first.
        more: Further settings.
    """

    r: int = 16
    alpha: int = 32
    lr: float = 1e-3
    batch: int = 4
    problems: float = 1
    rslora: bool = False
    tokens: int = 150_000
    rounds: int = 1
    more: tuple[str, ...] = ()

    def settings(self) -> list[str]:
        """Return it as settings of the config."""
        return [
            f"lora.r={self.r}",
            f"lora.lora_alpha={self.alpha}",
            f"lora.use_rslora={json.dumps(self.rslora)}",
            f"training.learning_rate={self.lr}",
            f"training.per_device_train_batch_size={self.batch}",
            f"training.max_tokens={self.tokens // self.rounds}",
            f"training.start_from={'previous' if self.rounds > 1 else 'base'}",
            *self.more,
        ]


CANDIDATES = {
    "r16": Candidate(),
    "r64": Candidate(64, 128),
    "r64 lr 5e-4": Candidate(64, 128, 5e-4),
    "r16 lr 2e-3": Candidate(lr=2e-3),
    "r16 lr 5e-4": Candidate(lr=5e-4),
    "r128": Candidate(128, 256),
    "r128 lr 5e-4": Candidate(128, 256, 5e-4),
    "r64 rsLoRA": Candidate(64, 32, rslora=True),
    "batch 8": Candidate(batch=8),
    "batch 8 lr 2e-3": Candidate(batch=8, lr=2e-3),
    "batch 16 lr 2e-3": Candidate(batch=16, lr=2e-3),
    "a quarter of the problems": Candidate(problems=0.25),
    "half of the problems": Candidate(problems=0.5),
    "twice the problems": Candidate(problems=2),
    "twice the tokens": Candidate(tokens=300_000),
    "previous": Candidate(rounds=2),
    "as written": Candidate(more=("teacher.style=as_written",)),
    "mixed by operations": Candidate(more=(MIX,)),
}


def train(candidate: Candidate, seed: int, out: Path, data: Path) -> dict[str, Any]:
    """Train a candidate, and return its line."""
    sets = [
        {"name": kind, "path": str(rows_to_train_on(data, kind)), "limit": round(n * candidate.problems)}
        for kind, n in PROBLEMS.items()
    ]
    valid = [{"name": f"{kind}-valid", "path": str(rows_apart(data, kind))} for kind in KINDS]
    overrides = [
        f"seed={seed}",
        f"data.train={json.dumps(sets)}",
        f"data.valid={json.dumps(valid)}",
        "data.eval=[]",
        *candidate.settings(),
    ]
    run = api.run(CONFIG, output=out, overrides=overrides, rounds=candidate.rounds, parity=False)
    return result_of(run.layout, candidate.rounds)


def result_of(layout: RunLayout, rounds: int) -> dict[str, Any]:
    """Return what training came to: tokens, steps, loss, and a 1 for every problem of valid solved."""
    records = [read_training(layout.round(number).adapter) for number in range(rounds)]
    solved: dict[str, str] = {}
    for row in read_rows(layout.round(rounds - 1).evaluation("local", JUDGE, "valid")):
        kind = row.problem_id.split("-")[0]
        solved[kind] = solved.get(kind, "") + str(int(row.verdict == "correct"))
    return {
        "tokens": sum(sum((record.operation_tokens or {}).values()) for record in records),
        "steps": sum(record.steps for record in records),
        "loss": records[-1].valid_losses[-1][1],
        "solved": solved,
    }


Key = tuple[str, int]
"""A candidate and a seed."""
Row = Mapping[str, Any]


def table(done: Mapping[Key, Row]) -> list[str]:
    """Return the lines of the table: each candidate compared with the first, paired by problem."""
    lines = [
        "| candidate | seed | tokens | steps | loss on valid | bank | GSM8K-train | symbolic | all "
        "| minus the first | gained, lost, p |",
        f"|{'---|' * 11}",
    ]
    for (name, seed), row in done.items():
        marks = [mark for kind in KINDS for mark in row["solved"][kind]]
        cells = [f"{100 * fmean(map(int, row['solved'][kind])):.1f}" for kind in KINDS]
        first = done.get((next(iter(CANDIDATES)), seed))
        compared = ["", ""]
        if first is not None and first is not row:
            others = [mark for kind in KINDS for mark in first["solved"][kind]]
            differences = [float(int(a) - int(b)) for a, b in zip(marks, others, strict=True)]
            low, high = paired_difference(differences)
            gained, lost = differences.count(1), differences.count(-1)
            compared = [
                f"{100 * fmean(differences):+.1f} ({100 * low:+.1f} to {100 * high:+.1f})",
                f"{gained}, {lost}, {mcnemar(gained, lost):.2g}",
            ]
        figures = [f"{row['tokens']:,}", f"{row['steps']:,}", f"{row['loss']:.3f}"]
        cells = [name, str(seed), *figures, *cells, f"{100 * fmean(map(int, marks)):.1f}", *compared]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def read(path: Path) -> dict[Key, Row]:
    """Return the finished lines, or none if there is no file yet."""
    if not path.is_file():
        return {}
    return {(str(row["candidate"]), int(row["seed"])): row for _, row in read_jsonl(path)}


def main() -> None:
    """Train the missing candidates, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--bank", type=Path, required=True)
    parser.add_argument("--candidates", nargs="*", choices=list(CANDIDATES), default=list(CANDIDATES))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    options = parser.parse_args()
    show_on_stderr()
    spin_briefly()  # as the command line does
    options.output.mkdir(parents=True, exist_ok=True)
    data, results = options.output / "data", options.output / "results.jsonl"
    set_apart(data, options.bank, Path(os.environ["FDD_DATA"]) / "gsm8k_train.jsonl", VALID)
    for seed in options.seeds:
        for name in options.candidates:
            if (name, seed) in read(results):
                continue
            folder = options.output / f"{name.replace(' ', '-')}-seed{seed}"
            row = {"candidate": name, "seed": seed} | train(CANDIDATES[name], seed, folder, data)
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            shutil.rmtree(folder)
    print("\n".join(table(read(results))))


if __name__ == "__main__":
    main()
