"""From an artifact's answers to the next round's problems: label a sample, split it, let the teacher write."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fdd_edge.feedback import (
    LABELS,
    Branch,
    LabelledProblem,
    Split,
    branches,
    offspring,
    pass_rates,
    sample_pool,
    split_problems,
)
from fdd_edge.records import Problem, read_problems, write_jsonl
from fdd_edge.stages.evaluation import read_rows
from fdd_edge.teachers import Declined, Draft, load_teacher

__all__ = ["EVOLVE_VERSION", "SPLIT_VERSION", "draw_pool", "evolve", "non_easy", "read_split", "split", "split_counts"]

SPLIT_VERSION = 1
EVOLVE_VERSION = 1

_PASS_RATE = "pass_rate"


def draw_pool(train: Path, limit: int, seed: int) -> list[Problem]:
    """Return the problems of a round's training data that are labelled."""
    return sample_pool(read_problems(train), limit, seed)


def non_easy(pool: Sequence[Problem], rows: Path, *, easy_at: float, hard_at: float) -> list[Problem]:
    """Return the labelled problems that the judge did not find easy: those the float artifact is asked too."""
    found = split_problems(pool, read_rows(rows), easy_at=easy_at, hard_at=hard_at, solved_by_float=())
    hard = {item.problem.id for label in LABELS if label != "easy" for item in found[label]}
    return [problem for problem in pool if problem.id in hard]


def split(
    pool: Sequence[Problem], rows: Path, float_rows: Path | None, out: Path, *, easy_at: float, hard_at: float
) -> None:
    """Write a split, one file of problems a label, to the folder ``out``.

    Args:
        pool: The labelled problems.
        rows: The judge's evaluation folder.
        float_rows: The float artifact's, of the problems that are not easy; None where it is the judge itself.
        out: The folder.
        easy_at: Easy from this pass rate.
        hard_at: Hard up to this pass rate.
    """
    solved = set()
    if float_rows is not None:
        solved = {name for name, rate in pass_rates(read_rows(float_rows)).items() if rate >= easy_at}
    found = split_problems(pool, read_rows(rows), easy_at=easy_at, hard_at=hard_at, solved_by_float=solved)
    for label in LABELS:
        write_jsonl(
            out / f"{label}.jsonl", (item.problem.to_row() | {_PASS_RATE: item.pass_rate} for item in found[label])
        )


def read_split(folder: Path) -> Split:
    """Read a split back."""
    found: Split = {}
    for label in LABELS:
        problems = read_problems(folder / f"{label}.jsonl")
        found[label] = [LabelledProblem(p, float(p.extra[_PASS_RATE]), label) for p in problems]
    return found


def split_counts(folder: Path) -> dict[str, int]:
    """Return the number of problems under each label."""
    return {label: len(items) for label, items in read_split(folder).items()}


def evolve(
    split_folder: Path,
    out: Path,
    *,
    teacher: str,
    per_easy: int,
    per_hard: int,
    max_depth: int,
    round_number: int,
    seed: int,
) -> dict[str, dict[str, int]]:
    """Ask the teacher for offspring of a split and write them, unchecked, to the file ``out``.

    Returns:
        How often each branch was declined, by reason: ``{"complex": {"max_depth": 3}}``.
    """
    writer = load_teacher(teacher)
    wanted = {"complex": per_easy, "similar": per_hard}
    write = {"complex": writer.complexify, "similar": writer.similar}
    problems: list[Problem] = []
    declined: dict[str, dict[str, int]] = {}
    for branch in branches(read_split(split_folder), max_depth=max_depth):
        answers: Sequence[list[Draft] | Declined] = []
        if branch.parents and wanted[branch.origin]:
            answers = asyncio.run(write[branch.origin](branch.parents, per_problem=wanted[branch.origin], seed=seed))
        new, reasons = _collect(branch, answers, writer.name, round_number)
        problems += new
        declined[branch.origin] = reasons
    write_jsonl(out, (p.to_row() for p in problems))
    return declined


def _collect(
    branch: Branch, answers: Sequence[list[Draft] | Declined], teacher: str, round_number: int
) -> tuple[list[Problem], dict[str, int]]:
    """Turn one branch's drafts into problems, and count what was declined."""
    reasons: Counter[str] = Counter({"max_depth": branch.too_deep} if branch.too_deep else {})
    problems: list[Problem] = []
    for parent, answer in zip(branch.parents, answers, strict=bool(answers)):
        if isinstance(answer, Declined):
            reasons[answer.reason] += 1
            continue
        problems += [
            offspring(
                parent,
                n,
                origin=branch.origin,
                round_number=round_number,
                teacher=teacher,
                question=draft.question,
                program=draft.program,
                answer=draft.answer,
                extra=draft.extra,
            )
            for n, draft in enumerate(answer)
        ]
    return problems, dict(reasons.most_common())
