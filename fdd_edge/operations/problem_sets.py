"""What is trained on and evaluated: sets read once, programs by a teacher, and what curation lets in."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

from fdd_edge.curation import Reason, count_reasons, curate, mask_numbers, reject, with_right_programs
from fdd_edge.errors import FddError
from fdd_edge.feedback import sample_new, sample_pool
from fdd_edge.progress import announce
from fdd_edge.records import Problem, read_jsonl, read_problems, write_jsonl
from fdd_edge.resolve.dataset import DatasetSpec, read_set
from fdd_edge.runs.layout import VALID
from fdd_edge.teachers import Declined, load_teacher

__all__ = [
    "CURATION_VERSION",
    "DATA_VERSION",
    "REPEAT",
    "SETS_VERSION",
    "curate_offspring",
    "extend_training_data",
    "seed_training_data",
    "validation_data",
    "write_sets",
]

SETS_VERSION = 4
DATA_VERSION = 4
CURATION_VERSION = 4

REPEAT = "fdd_edge.repeat"
"""How often a problem is trained on, among the further fields of its record; the prefix keeps users' fields apart."""

_MAX_VALID = 200


def write_sets(
    out: Path, *, train: Sequence[DatasetSpec], valid: Sequence[DatasetSpec], eval: Sequence[DatasetSpec], seed: int
) -> None:
    """Read every set of a run once: ``seed.jsonl``, ``valid.jsonl``, ``eval/NAME.jsonl`` and ``skipped.jsonl``.

    Without ``valid``, a tenth of ``train``, at most 200 problems, is set apart by the seed.
    """
    skipped: list[dict[str, str]] = []

    def read(role: str, specs: Sequence[DatasetSpec]) -> list[list[Problem]]:
        sets = []
        for spec in specs:
            # Drawn by its name, not its place, so that a longer list leaves it as it was.
            draw = seed if role == "train" else seed + crc32(f"{role}:{spec.name}".encode())
            problems, left_out = read_set(spec, seed=draw)
            skipped.extend(left_out)
            if left_out:
                announce(f"{spec.name}: {len(left_out)} items without a numeric answer skipped (see skipped.jsonl)")
            sets.append(problems)
        return sets

    seeds = _joined(read("train", train), "train")
    chosen = _joined(read("valid", valid), "valid")
    if not chosen:
        chosen, seeds = _set_apart(seeds, seed)
    write_jsonl(out / "seed.jsonl", (p.to_row() for p in seeds))
    write_jsonl(out / "valid.jsonl", (p.to_row() for p in chosen))
    for spec, problems in zip(eval, read("eval", eval), strict=True):
        write_jsonl(
            out / "eval" / f"{spec.name}.jsonl", (replace(p, program=None, n_ops=None).to_row() for p in problems)
        )
    write_jsonl(out / "skipped.jsonl", skipped)


def _joined(sets: Sequence[Sequence[Problem]], role: str) -> list[Problem]:
    """Put several sets of one role together.

    Raises:
        FddError: Two problems have the same id.
    """
    problems = [problem for one in sets for problem in one]
    repeated = [name for name, n in Counter(p.id for p in problems).items() if n > 1]
    if repeated:
        raise FddError(f"Two problems of data.{role} have the id {repeated[0]!r}; give each set its own name.")
    return problems


def _set_apart(problems: Sequence[Problem], seed: int) -> tuple[list[Problem], list[Problem]]:
    """Draw a tenth for validation; problems that differ in numbers alone stay together, or the rest would leak.

    Raises:
        FddError: They cannot be parted.
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
            f"No tenth of the {len(problems)} training problems can be set apart to choose the best round: "
            "they are too few, or differ in numbers alone. Name a set under data.valid."
        )
    return [p for p in problems if p.id in apart], [p for p in problems if p.id not in apart]


def seed_training_data(
    seeds: Path,
    protected: Mapping[str, Path],
    out: Path,
    *,
    teachers: Sequence[str],
    fresh: bool = False,
    seed: int = 0,
) -> None:
    """Write the first round's data: seed problems with a program each, and what was kept out.

    Args:
        seeds: Problem records, with or without programs.
        protected: The valid and eval sets, by name.
        out: Folder for ``train.jsonl`` and ``rejected.jsonl``; and for ``reserve.jsonl`` under ``fresh``.
        teachers: ParityPrompt in this order for the programs that are missing.
        fresh: Whether half of the problems, spread over the sources, are a reserve, to be labelled before they are
            trained on.
        seed: Draws the reserve.

    Raises:
        FddError: No problem is left.
    """
    problems, declined = _with_programs(read_problems(seeds), teachers)
    valid, tests = _read_protected(protected)
    curated = curate(problems, valid=valid, protected=tests)
    rejected = [*declined, *curated.rejected]
    if not curated.kept:
        reasons = ", ".join(f"{n} {reason}" for reason, n in count_reasons(rejected).items())
        raise FddError(
            f"No training problem is left; kept out: {reasons}. A problem needs a right `program`, or GSM8K's notes "
            "for a teacher to write one, and must not be like one of the valid or eval sets."
        )
    reserve = sample_pool(curated.kept, len(curated.kept) // 2, seed) if fresh else []
    held_back = {p.id for p in reserve}
    write_jsonl(out / "train.jsonl", (p.to_row() for p in curated.kept if p.id not in held_back))
    write_jsonl(out / "rejected.jsonl", (p.to_row() for p in rejected))
    if fresh:
        write_jsonl(out / "reserve.jsonl", (p.to_row() for p in reserve))


def validation_data(valid: Path, out: Path, *, teachers: Sequence[str]) -> None:
    """Write the problems of ``valid`` that have a right program, or get one: what a validation loss is taken on.

    Args:
        valid: Problem records, with or without programs.
        out: The file to write; empty where there are no programs.
        teachers: ParityPrompt in this order for the programs that are missing.
    """
    solved, _ = _with_programs(read_problems(valid), teachers)
    right = with_right_programs(solved)
    if wrong := len(solved) - len(right):
        announce(f"valid: {wrong} of {len(solved)} programs do not give their answer: no part of the validation loss")
    write_jsonl(out, (p.to_row() for p in right))


def curate_offspring(
    evolved: Path,
    known: Sequence[Path],
    protected: Mapping[str, Path],
    out: Path,
    *,
    max_new: int | None = None,
    seed: int = 0,
) -> None:
    """Part the problems that the teacher wrote into those that the next round may train on and those it may not.

    Args:
        evolved: New problems, unchecked.
        known: Problems that are trained on, or will be.
        protected: The valid and eval sets, by name.
        out: Folder for ``accepted.jsonl`` and ``rejected.jsonl``.
        max_new: Accept so many at most, each branch in its share.
        seed: Draws which.
    """
    inside = [problem for path in known for problem in read_problems(path)]
    valid, tests = _read_protected(protected)
    curated = curate(read_problems(evolved), known=inside, valid=valid, protected=tests)
    accepted = sample_new(curated.kept, max_new, seed)
    drawn = {p.id for p in accepted}
    over = [reject(p, Reason.OVER_MAX_NEW) for p in curated.kept if p.id not in drawn]
    write_jsonl(out / "accepted.jsonl", (p.to_row() for p in accepted))
    write_jsonl(out / "rejected.jsonl", (p.to_row() for p in (*curated.rejected, *over)))


def extend_training_data(
    previous: Path, accepted: Path, rejected: Path, split: Path, out: Path, *, reserve: Path | None = None
) -> None:
    """Write the next round's data: all so far, what was labelled of a reserve, new problems, lost problems twice.

    Args:
        previous: The round's ``train.jsonl``.
        accepted: New problems that curation let in.
        rejected: Those that it did not.
        split: Folder of the labelled problems. Those that quantization lost are repeated once, however often they are
            lost.
        out: Folder for ``train.jsonl`` and ``rejected.jsonl``.
        reserve: Where problems are labelled before they are trained on: those that are labelled now join the data.
    """
    known = read_problems(previous)
    if reserve is not None:
        labelled = {row["id"] for path in sorted(split.glob("*.jsonl")) for _, row in read_jsonl(path)}
        known += [p for p in read_problems(reserve) if p.id in labelled]
    lost = {row["id"] for _, row in read_jsonl(split / "lost.jsonl")}
    weighted = [replace(p, extra={**p.extra, REPEAT: 2}) if p.id in lost else p for p in known]
    write_jsonl(out / "train.jsonl", (p.to_row() for p in (*weighted, *read_problems(accepted))))
    write_jsonl(out / "rejected.jsonl", (row for _, row in read_jsonl(rejected)))


def _read_protected(paths: Mapping[str, Path]) -> tuple[list[Problem], dict[str, list[Problem]]]:
    """Return ``valid``, and the test sets by name."""
    sets = {name: read_problems(path) for name, path in paths.items()}
    return sets.pop(VALID, []), sets


def _with_programs(problems: Sequence[Problem], teachers: Sequence[str]) -> tuple[list[Problem], list[Problem]]:
    """Ask the teachers in turn for missing programs; return solved problems and those that all declined."""
    done: dict[str, Problem] = {p.id: p for p in problems if p.program is not None}
    reasons: dict[str, dict[str, Any]] = {}
    for name in teachers:
        open_ = [p for p in problems if p.id not in done]
        if not open_:
            break
        answers = asyncio.run(load_teacher(name).rationale(open_))
        for problem, answer in zip(open_, answers, strict=True):
            if isinstance(answer, Declined):
                reasons.setdefault(problem.id, {})[name] = answer.reason
            else:
                done[problem.id] = replace(problem, program=answer, teacher=name)
    declined = [
        replace(p, extra={**p.extra, "reason": Reason.NO_RATIONALE.value, "declined": reasons[p.id]})
        for p in problems
        if p.id not in done
    ]
    return [done[p.id] for p in problems if p.id in done], declined
