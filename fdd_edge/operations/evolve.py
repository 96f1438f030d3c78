"""From a split to new problems: the teacher writes harder ones for easy problems, similar ones for hard problems."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fdd_edge.event_loop import run_to_end
from fdd_edge.feedback import Branch, EvolveOptions, branches, offspring
from fdd_edge.operations.split import read_split
from fdd_edge.records import Problem, read_jsonl, write_jsonl
from fdd_edge.runs.stage_files import OffspringFiles
from fdd_edge.teachers import Declined, Draft, load_writer

__all__ = ["Refusals", "evolve", "read_declined"]

Refusals = dict[str, dict[str, list[str]]]
"""Parents for which the teacher wrote nothing: branch -> reason -> ids."""


def evolve(out: Path, *, split: Path, teacher: str, options: EvolveOptions, round_number: int, seed: int) -> None:
    """Ask the teacher for offspring of a split; write them, not yet curated, and what it declined.

    Args:
        out: Folder, see ``OffspringFiles``.
        split: Folder of the labelled problems.
        teacher: Who writes.
        options: How many, from which problems.
        round_number: Noted in each new problem.
        seed: Draws what is random.
    """
    writer = load_writer(teacher)
    wanted = {"complex": options.per_easy, "similar": options.per_hard}
    write = {"complex": writer.complexify, "similar": writer.similar}
    problems: list[Problem] = []
    declined: list[dict[str, str]] = []
    labelled = read_split(split)
    for branch in branches(labelled, max_depth=options.max_depth, policy=options.policy, seed=seed):
        answers: Sequence[list[Draft] | Declined] = []
        if branch.parents and wanted[branch.origin]:
            answers = run_to_end(write[branch.origin](branch.parents, per_problem=wanted[branch.origin], seed=seed))
        new, refused = _collect(branch, answers, writer.name, round_number)
        problems += new
        declined += refused
    files = OffspringFiles(out)
    out.mkdir(parents=True, exist_ok=True)
    write_jsonl(files.problems, (p.to_row() for p in problems))
    write_jsonl(files.declined, declined)


def read_declined(path: Path) -> Refusals:
    """Read which parents the teacher wrote nothing for, the most frequent reason first."""
    found: Refusals = {}
    for _, row in read_jsonl(path):
        found.setdefault(row["branch"], {}).setdefault(row["reason"], []).append(row["parent_id"])
    return {branch: dict(sorted(reasons.items(), key=lambda item: -len(item[1]))) for branch, reasons in found.items()}


def _collect(
    branch: Branch, answers: Sequence[list[Draft] | Declined], teacher: str, round_number: int
) -> tuple[list[Problem], list[dict[str, str]]]:
    """Turn one branch's drafts into problems, and list the parents that got none."""
    declined: list[dict[str, str]] = []

    def decline(parent: Problem, reason: str) -> None:
        declined.append({"parent_id": parent.id, "branch": branch.origin, "reason": reason})

    for parent in branch.too_deep:
        decline(parent, "max_depth")
    problems: list[Problem] = []
    for parent, answer in zip(branch.parents, answers, strict=bool(answers)):
        if isinstance(answer, Declined):
            decline(parent, answer.reason)
            continue
        if not answer:
            decline(parent, "nothing_written")
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
                notes=draft.notes,
            )
            for n, draft in enumerate(answer)
        ]
    return problems, declined
