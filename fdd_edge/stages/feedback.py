"""From an artifact's answers to the next round's problems: label a sample, split it, let the teacher write."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fdd_edge.data import read_dataset
from fdd_edge.errors import FddError
from fdd_edge.evaluation import score
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
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.records import Problem, read_problems, write_jsonl
from fdd_edge.stages.evaluation import read_rows
from fdd_edge.teachers import Declined, Draft, load_teacher

__all__ = [
    "EVOLVE_VERSION",
    "SPLIT_VERSION",
    "Refusals",
    "answered",
    "draw_pool",
    "evolve",
    "non_easy",
    "read_split",
    "split",
]

SPLIT_VERSION = 1
EVOLVE_VERSION = 2

Refusals = dict[str, dict[str, list[str]]]
"""Parents that have no offspring from the teacher: branch, reason, their ids."""

_PASS_RATE = "pass_rate"
_SCORED = (Verdict.correct, Verdict.wrong)
"""What a gold answer decides."""


def draw_pool(train: Path, limit: int, seed: int, *, reserve: Path | None = None) -> list[Problem]:
    """Return the problems that a round labels: of its training data, or of a reserve that it was not trained on."""
    trained = read_problems(train)
    if reserve is None:
        return sample_pool(trained, limit, seed)
    seen = {problem.id for problem in trained}
    return sample_pool([problem for problem in read_problems(reserve) if problem.id not in seen], limit, seed)


def answered(
    problems: Path, rows: Path, float_rows: Path | None = None, *, easy_at: float, hard_at: float
) -> list[Problem]:
    """Return the problems of a user's file that an evaluation has asked, in the file's order.

    Args:
        problems: Problem records, such as a round's, or a file of any known format, as was evaluated.
        rows: The judge's evaluation folder.
        float_rows: The float artifact's; it must answer all that is not easy.
        easy_at: Easy from this pass rate.
        hard_at: Hard up to this pass rate.

    Raises:
        FddError: There are none, some that were asked are not in the file, the answers are to others of the same ids,
            some that are not easy have no answer of the float artifact, or the bands cross.
    """
    if hard_at >= easy_at:
        raise FddError(f"The bands cross: hard up to {hard_at:g} must lie below easy from {easy_at:g}.")
    asked = set(_solved_share(rows))
    found = [problem for problem in _read_user_problems(problems) if problem.id in asked]
    if missing := sorted(asked - {problem.id for problem in found}):
        raise FddError(
            f"{rows} answers {len(missing)} of {len(asked)} problems that {problems} does not hold, such as "
            f"{missing[0]!r}; name the file that was asked."
        )
    if not found:
        raise FddError(f"{rows} answers no problem.")
    _check_verdicts(rows, problems, found)
    if float_rows is not None:
        _check_verdicts(float_rows, problems, found)
        missed = {problem.id for problem in non_easy(found, rows, easy_at=easy_at, hard_at=hard_at)}
        if unanswered := missed - set(_solved_share(float_rows)):
            raise FddError(
                f"{float_rows} leaves {len(unanswered)} of the {len(missed)} problems that are not easy without an "
                "answer; evaluate the float artifact on all of them."
            )
    return found


def _check_verdicts(rows: Path, path: Path, problems: Sequence[Problem]) -> None:
    """Refuse answers that were scored against other gold answers: other problems may have the same ids.

    Raises:
        FddError: Some were.
    """
    by_id = {problem.id: problem for problem in problems}
    scored = [row for row in read_rows(rows) if row.problem_id in by_id and row.verdict in _SCORED]
    again = score([replace(row, verdict=None) for row in scored], by_id)
    if wrong := [old.problem_id for old, new in zip(scored, again, strict=True) if old.verdict != new.verdict]:
        raise FddError(
            f"{rows} was not scored against the answers in {path}, see {wrong[0]!r}; name the file that was asked."
        )


def _read_user_problems(path: Path) -> list[Problem]:
    """Read problem records, in which one may stand twice, or a data set as `fdd-edge eval` reads it."""
    try:
        return read_problems(path)
    except FddError:
        return read_dataset(path).problems


def _solved_share(rows: Path) -> dict[str, float]:
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
        solved = {name for name, rate in _solved_share(float_rows).items() if rate >= easy_at}
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
    writer = load_teacher(teacher)
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
