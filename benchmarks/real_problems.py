"""Problems of three kinds, for the benchmarks of training: of a bank, of GSM8K-train, and of the symbolic teacher.

The rows are shuffled the same way every time, and the first of each kind are set apart from training. A bank is a file
of problems that language models wrote, with their programs.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

from fdd_edge.records import write_jsonl
from fdd_edge.resolve.dataset import DatasetOptions, read_set

__all__ = ["KINDS", "rows_apart", "rows_to_train_on", "set_apart"]

KINDS = ("bank", "gsm8k", "symbolic")
SEED = 28
SYMBOLIC = 4000


def set_apart(folder: Path, bank: Path, gsm8k: Path, valid: int) -> None:
    """Write the rows of each kind to two files of a new folder: the first ``valid``, and the rest."""
    if folder.exists():
        return
    symbolic, *_ = read_set(DatasetOptions(path="symbolic:train", limit=SYMBOLIC), (), seed=SEED)
    partial = folder.with_name(f".{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    rows = {
        "bank": [json.loads(line) for line in bank.read_text(encoding="utf-8").splitlines()],
        "gsm8k": [json.loads(line) for line in gsm8k.read_text(encoding="utf-8").splitlines()],
        "symbolic": [problem.to_row() for problem in symbolic],
    }
    for kind in KINDS:
        rows[kind] = [row | {"id": f"{kind}-{n:05}"} for n, row in enumerate(rows[kind])]
        random.Random(f"{kind}:{SEED}").shuffle(rows[kind])
        write_jsonl(rows_apart(partial, kind), rows[kind][:valid])
        write_jsonl(rows_to_train_on(partial, kind), rows[kind][valid:])
    partial.rename(folder)


def rows_apart(folder: Path, kind: str) -> Path:
    """Return the file of the rows that are not trained on."""
    return folder / f"{kind}.valid.jsonl"


def rows_to_train_on(folder: Path, kind: str) -> Path:
    """Return the file of the other rows."""
    return folder / f"{kind}.train.jsonl"
