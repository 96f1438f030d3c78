"""From an artifact's answers to the next round's problems: label a sample, split it, let the teacher write."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.feedback import (
    LABELS,
    Branch,
    LabelledProblem,
    Policy,
    Split,
    branches,
    offspring,
    pass_rates,
    sample_pool,
    split_problems,
)
from fdd_edge.ondevice.messages import ProtocolError
from fdd_edge.operations.evaluate import read_rows
from fdd_edge.records import Problem, read_problems, write_jsonl
from fdd_edge.teachers import Declined, Draft, load_writer

__all__ = [
    "EVOLVE_VERSION",
    "SPLIT_VERSION",
    "Refusals",
    "draw_pool",
    "evolve",
    "non_easy",
    "read_split",
    "solved_share",
    "split",
]

SPLIT_VERSION = 1
EVOLVE_VERSION = 3

Refusals = dict[str, dict[str, list[str]]]
"""Parents that have no offspring from the teacher: branch, reason, their ids."""

_PASS_RATE = "pass_rate"


def draw_pool(train: Path, limit: int, seed: int, *, reserve: Path | None = None) -> list[Problem]:
    """Return the problems that a round labels: of its training data, or of a reserve that it was not trained on."""
    trained = read_problems(train)
    if reserve is None:
        return sample_pool(trained, limit, seed)
    seen = {problem.id for problem in trained}
    return sample_pool([problem for problem in read_problems(reserve) if problem.id not in seen], limit, seed)


def solved_share(rows: Path) -> dict[str, float]:
    """Return the share of right answers of each problem of an evaluation.

    Raises:
        FddError: The folder holds no scored completions.
    """
    if rows.is_file():
        raise FddError(f"{rows} is a file; name the folder that fdd-edge eval wrote.")
    try:
        return pass_rates(read_rows(rows))
    except (ProtocolError, ValueError) as error:
        raise FddError(f"{rows} holds no evaluation ({error}); name a folder that fdd-edge eval wrote.") from None


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
        solved = {name for name, rate in solved_share(float_rows).items() if rate >= easy_at}
    found = split_problems(pool, read_rows(rows), easy_at=easy_at, hard_at=hard_at, solved_by_float=solved)
    for label in LABELS:
        write_jsonl(
            out / f"{label}.jsonl", (item.problem.to_row() | {_PASS_RATE: item.pass_rate} for item in found[label])
        )


def read_split(folder: Path) -> Split:
    """Read a split back.

    Raises:
        FddError: A file is missing, or holds something else than labelled problems.
    """
    if folder.is_dir() and not (folder / f"{LABELS[0]}.jsonl").exists():
        raise FddError(f"{folder} is no split; name a folder such as RUN/round-00/split, or what fdd-edge split wrote.")
    found: Split = {}
    for label in LABELS:
        path = folder / f"{label}.jsonl"
        found[label] = []
        for problem in read_problems(path):
            rate = problem.extra.get(_PASS_RATE)
            if not isinstance(rate, int | float):
                raise FddError(f"{path}: {problem.id} has no {_PASS_RATE}; make the split again: fdd-edge split.")
            found[label].append(LabelledProblem(problem, float(rate), label))
    return found


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
    policy: Policy = "fdd",
) -> Refusals:
    """Ask the teacher for offspring of a split and write them, unchecked, to the file ``out``.

    Returns:
        The parents that stayed without: ``{"complex": {"max_depth": ["gsm8k-3", ...]}}``.
    """
    writer = load_writer(teacher)
    wanted = {"complex": per_easy, "similar": per_hard}
    write = {"complex": writer.complexify, "similar": writer.similar}
    problems: list[Problem] = []
    declined: Refusals = {}
    for branch in branches(read_split(split_folder), max_depth=max_depth, policy=policy, seed=seed):
        answers: Sequence[list[Draft] | Declined] = []
        if branch.parents and wanted[branch.origin]:
            answers = asyncio.run(write[branch.origin](branch.parents, per_problem=wanted[branch.origin], seed=seed))
        new, declined[branch.origin] = _collect(branch, answers, writer.name, round_number)
        problems += new
    write_jsonl(out, (p.to_row() for p in problems))
    return declined


def _collect(
    branch: Branch, answers: Sequence[list[Draft] | Declined], teacher: str, round_number: int
) -> tuple[list[Problem], dict[str, list[str]]]:
    """Turn one branch's drafts into problems, and gather the parents without."""
    without: dict[str, list[str]] = defaultdict(list)
    for parent in branch.too_deep:
        without["max_depth"].append(parent.id)
    problems: list[Problem] = []
    for parent, answer in zip(branch.parents, answers, strict=bool(answers)):
        if isinstance(answer, Declined):
            without[answer.reason].append(parent.id)
            continue
        if not answer:
            without["nothing_written"].append(parent.id)
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
    return problems, dict(sorted(without.items(), key=lambda item: -len(item[1])))
