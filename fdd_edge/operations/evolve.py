"""From a split to new problems: the teacher writes harder ones for easy problems, similar ones for hard problems."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fdd_edge.errors import WaitingError
from fdd_edge.event_loop import run_to_end
from fdd_edge.feedback import Branch, EvolveOptions, branches, offspring
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.operations.evaluate import read_rows
from fdd_edge.operations.split import read_split
from fdd_edge.operations.teaching import NamedTeacher, write_calls
from fdd_edge.records import Problem, read_jsonl, read_problems, write_jsonl
from fdd_edge.runs.stage_files import OffspringFiles
from fdd_edge.teachers import Declined, Draft, Stocked, Teacher

__all__ = ["Refusals", "evolve", "read_declined"]

Refusals = dict[str, dict[str, list[str]]]
"""Parents for which the teacher wrote nothing: branch -> reason -> ids."""


def evolve(
    out: Path,
    *,
    split: Path,
    teacher: NamedTeacher,
    options: EvolveOptions,
    round_number: int,
    seed: int,
    known: Sequence[Path] = (),
    answered: Path | None = None,
) -> None:
    """Ask the teacher for offspring of a split; write them, not yet curated, and what it declined.

    Args:
        out: Folder, see ``OffspringFiles``.
        split: Folder of the labelled problems.
        teacher: Who writes.
        options: How many, from which problems.
        round_number: Noted in each new problem.
        seed: Draws what is random.
        known: Problem records whose questions a teacher with a stock must not give out: what the run trains or tests
            on, and what it was given in earlier rounds.
        answered: The judge's evaluation folder: a language model is shown the student's wrong programs in it.
    """
    writer = teacher.open(round_number, failures=None if answered is None else _wrong_programs(answered))
    wanted = {"complex": options.per_easy, "similar": options.per_hard}
    inside = [problem.question for path in known for problem in read_problems(path)]
    problems: list[Problem] = []
    declined: list[dict[str, str]] = []
    waiting: list[str] = []
    labelled = read_split(split)
    for branch in branches(labelled, max_depth=options.max_depth, policy=options.policy, seed=seed):
        answers: Sequence[list[Draft] | Declined] = []
        if branch.parents and wanted[branch.origin]:
            asked = _left_in_stock(writer, [*inside, *(problem.question for problem in problems)])
            write = asked.complexify if branch.origin == "complex" else asked.similar
            try:
                answers = run_to_end(write(branch.parents, per_problem=wanted[branch.origin], seed=seed))
            except WaitingError as error:  # the other branch can wait at the same time
                waiting.append(str(error))
                continue
        new, refused = _collect(branch, answers, writer.name, round_number)
        problems += new
        declined += refused
    if waiting:
        raise WaitingError("\n".join(waiting))
    files = OffspringFiles(out)
    out.mkdir(parents=True, exist_ok=True)
    write_jsonl(files.problems, (p.to_row() for p in problems))
    write_jsonl(files.declined, declined)
    write_calls(files.calls, [teacher], round_number)


def _wrong_programs(evaluation: Path) -> dict[str, str]:
    """Return the first wrong program of each problem in an evaluation folder, by the problem's id."""
    found: dict[str, str] = {}
    for completion in read_rows(evaluation):
        if completion.verdict == Verdict.wrong and completion.program is not None:
            found.setdefault(completion.problem_id, completion.program)
    return found


def _left_in_stock(writer: Teacher, questions: Sequence[str]) -> Teacher:
    """Return a teacher that gives out none of these questions, if it has a stock; any other writes what it likes."""
    return writer.without(questions) if isinstance(writer, Stocked) else writer


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
