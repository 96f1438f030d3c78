"""Reading every problem set of a run once, and setting a tenth of the training problems apart for validation."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from zlib import crc32

from fdd_edge.curation import mask_numbers
from fdd_edge.errors import FddError
from fdd_edge.progress import announce
from fdd_edge.records import Problem, write_jsonl
from fdd_edge.resolve.dataset import DatasetOptions, read_set
from fdd_edge.runs.stage_files import ProblemSetFiles

__all__ = ["read_problem_sets"]

_MAX_VALID = 200

Files = Mapping[str, Mapping[str, Sequence[Path]]]
"""The files of data sets, by role and name."""


def read_problem_sets(
    out: Path,
    *,
    files: Files,
    train: Sequence[DatasetOptions],
    valid: Sequence[DatasetOptions],
    eval: Sequence[DatasetOptions],
    seed: int,
) -> None:
    """Read every set once and write the problems to the folder ``out``, see ``ProblemSetFiles``.

    Without ``valid``, a tenth of ``train``, at most 200 problems, is set apart by the seed.

    Raises:
        FddError: A set is broken, or two problems of one role have the same id.
    """
    written = ProblemSetFiles(out)
    skipped: list[dict[str, str]] = []

    def read(role: str, sets: Sequence[DatasetOptions]) -> list[list[Problem]]:
        found = []
        for spec in sets:
            # Seeded by the set's name, not its position, so that adding sets does not change the others.
            draw = seed if role == "train" else seed + crc32(f"{role}:{spec.label}".encode())
            problems, left_out = read_set(spec, files[role][spec.label], seed=draw)
            skipped.extend(left_out)
            if left_out:
                announce(
                    f"{spec.label}: skipped {len(left_out)} items without a numeric answer (see {written.skipped.name})"
                )
            found.append(problems)
        return found

    seeds = _joined(read("train", train), "train")
    chosen = _joined(read("valid", valid), "valid")
    if not chosen:
        chosen, seeds = _set_apart(seeds, seed)
    write_jsonl(written.seeds, (p.to_row() for p in seeds))
    write_jsonl(written.valid, (p.to_row() for p in chosen))
    for spec, problems in zip(eval, read("eval", eval), strict=True):
        write_jsonl(written.eval_set(spec.label), (replace(p, program=None, n_ops=None).to_row() for p in problems))
    write_jsonl(written.skipped, skipped)


def _joined(sets: Sequence[Sequence[Problem]], role: str) -> list[Problem]:
    """Join several sets of one role.

    Raises:
        FddError: Two problems have the same id.
    """
    problems = [problem for one in sets for problem in one]
    repeated = [name for name, n in Counter(p.id for p in problems).items() if n > 1]
    if repeated:
        raise FddError(f"Two problems of data.{role} have the id {repeated[0]!r}; give each set its own name.")
    return problems


def _set_apart(problems: Sequence[Problem], seed: int) -> tuple[list[Problem], list[Problem]]:
    """Draw a tenth for validation; problems that differ only in their numbers stay together, or the rest would leak.

    Raises:
        FddError: No tenth can be separated.
    """
    n = min(_MAX_VALID, len(problems) // 10)
    wordings: dict[str, list[Problem]] = {}
    for problem in problems:
        wordings.setdefault(mask_numbers(problem.question), []).append(problem)
    groups = list(wordings.values())
    random.Random(f"valid:{seed}").shuffle(groups)
    apart: set[str] = set()
    for group in groups:
        if len(apart) + len(group) <= n:
            apart |= {problem.id for problem in group}
    if not apart:
        raise FddError(
            f"A tenth of the {len(problems)} training problems cannot be set apart for validation: there are too few, "
            "or they differ only in their numbers. Name a validation set in data.valid, such as [{path: FILE}]."
        )
    return [p for p in problems if p.id in apart], [p for p in problems if p.id not in apart]
