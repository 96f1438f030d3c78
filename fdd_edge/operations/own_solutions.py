"""The student's own right programs, which differ from those that it was trained on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fdd_edge.curation import ProgramStyle, check_solutions
from fdd_edge.ondevice.messages import Completion
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.operations.split import read_split
from fdd_edge.records import Problem, read_problems, write_jsonl
from fdd_edge.runs.stage_files import CuratedFiles

__all__ = ["STUDENT", "collect_own_solutions"]

STUDENT = "student"
"""Stands where other problems name their teacher."""


def collect_own_solutions(
    out: Path,
    *,
    split: Path,
    answered: Path,
    known: Sequence[Path],
    most: int,
    style: ProgramStyle,
    round_number: int,
) -> None:
    """Write the right programs of an evaluation that may be trained on, and those that may not.

    Args:
        out: Folder, see ``CuratedFiles``.
        split: Folder of the labelled problems.
        answered: The judge's evaluation folder of them.
        known: Problems that are trained on, or will be.
        most: Keep at most this many for each problem, in the order in which they were drawn.
        style: How programs are trained on.
        round_number: Noted in each.
    """
    replies: dict[str, list[Completion]] = defaultdict(list)
    for completion in read_rows(answered):
        if completion.verdict == Verdict.correct and completion.program is not None:
            replies[completion.problem_id].append(completion)
    labelled = [item.problem for items in read_split(split).values() for item in items]
    inside = [problem for path in known for problem in read_problems(path)]
    checked = check_solutions(list(_candidates(labelled, replies, round_number)), known=inside, most=most, style=style)
    written = CuratedFiles(out)
    write_jsonl(written.accepted, (problem.to_row() for problem in checked.kept))
    write_jsonl(written.rejected, (problem.to_row() for problem in checked.rejected))


def _candidates(
    labelled: Sequence[Problem], replies: Mapping[str, Sequence[Completion]], round_number: int
) -> Iterator[Problem]:
    for problem in labelled:
        for n, completion in enumerate(replies.get(problem.id, ())):
            yield replace(
                problem,
                id=f"{problem.id}.r{round_number}o{n}",
                program=completion.program,
                origin="own",
                parent_id=problem.id,
                round=round_number + 1,
                teacher=STUDENT,
                teacher_notes={},
            )
