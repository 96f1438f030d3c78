"""What a round trains on: seed problems with programs, and after each round the new problems that were accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fdd_edge.curation import Curated, ProgramStyle, Reason, check_examples, check_programs, count_reasons, curate
from fdd_edge.errors import FddError
from fdd_edge.event_loop import run_to_end
from fdd_edge.feedback import sample_pool
from fdd_edge.operations.curate import read_protected
from fdd_edge.operations.teaching import NamedTeacher, write_calls
from fdd_edge.progress import announce, warn
from fdd_edge.records import Problem, read_jsonl, read_problems, write_jsonl
from fdd_edge.runs.stage_files import SplitFiles, TrainingDataFiles
from fdd_edge.teachers import Declined, Rationale

__all__ = ["examples_to_train_on", "extend_training_data", "first_training_data", "validation_data"]


def first_training_data(
    out: Path,
    *,
    seed_problems: Path,
    protected: Mapping[str, Path],
    teachers: Sequence[NamedTeacher],
    fresh: bool,
    style: ProgramStyle,
    seed: int,
) -> None:
    """Write the first round's data: every seed problem with a program, and what was kept out.

    Args:
        out: Folder, see ``TrainingDataFiles``.
        seed_problems: Problem records, with or without programs.
        protected: The valid and eval sets, by name.
        teachers: Asked in this order for the programs that are missing.
        fresh: Whether half of the problems, spread over the sources, are reserved: they are labelled before they are
            trained on.
        style: How programs are trained on, whoever wrote them.
        seed: Draws the reserve.

    Raises:
        FddError: No problem is left.
    """
    problems, declined = _with_programs(read_problems(seed_problems), teachers)
    valid, tests = read_protected(protected)
    curated = curate(problems, valid=valid, protected=tests, style=style)
    rejected = [*declined, *curated.rejected]
    if not curated.kept:
        raise FddError(_why_nothing_is_left(rejected))
    reserve = sample_pool(curated.kept, len(curated.kept) // 2, seed) if fresh else []
    reserved = {p.id for p in reserve}
    written = TrainingDataFiles(out)
    write_jsonl(written.train, (p.to_row() for p in curated.kept if p.id not in reserved))
    write_jsonl(written.rejected, (p.to_row() for p in rejected))
    write_calls(written.calls, teachers[0].calls, round_number=0)
    if fresh:
        write_jsonl(written.reserve, (p.to_row() for p in reserve))


def extend_training_data(
    out: Path, *, previous: Path, accepted: Path, rejected: Path, own: Path | None, split: Path, reserve: Path | None
) -> None:
    """Write the next round's data: all so far, the labelled part of a reserve, and what is new; lost ones twice.

    Args:
        out: Folder, see ``TrainingDataFiles``.
        previous: The problems that the round before trained on.
        accepted: New problems that passed curation.
        rejected: Those that did not.
        own: Other right programs that the student wrote for labelled problems; None if they are not trained on.
        split: Folder of the labelled problems. Those that were lost to quantization are repeated once, however often
            they are lost.
        reserve: Problems that are labelled before they are trained on: the labelled ones join the data.
    """
    known = read_problems(previous)
    if reserve is not None:
        labelled = {row["id"] for path in sorted(split.glob("*.jsonl")) for _, row in read_jsonl(path)}
        known += [p for p in read_problems(reserve) if p.id in labelled]
    lost = {row["id"] for _, row in read_jsonl(SplitFiles(split).lost)}
    weighted = [replace(p, repeat=2) if p.id in lost else p for p in known]
    new_programs = [] if own is None else read_problems(own)
    written = TrainingDataFiles(out)
    write_jsonl(written.train, (p.to_row() for p in (*weighted, *read_problems(accepted), *new_programs)))
    write_jsonl(written.rejected, (row for _, row in read_jsonl(rejected)))


def validation_data(out: Path, *, valid: Path, teachers: Sequence[NamedTeacher], style: ProgramStyle) -> None:
    """Write the problems of ``valid`` that have a right program, or get one: the validation loss is computed on them.

    Args:
        out: The file to write; empty if there are no programs.
        valid: Problem records, with or without programs.
        teachers: Asked in this order for the programs that are missing.
        style: That of the programs that are trained on.
    """
    solved, _ = _with_programs(read_problems(valid), teachers)
    checked = check_programs(solved, style)
    if checked.rejected:
        wrong = len(checked.rejected)
        warn(f"valid: {wrong} of {len(solved)} programs do not give their answer; the validation loss omits them")
    write_jsonl(out, (p.to_row() for p in checked.kept))


def examples_to_train_on(
    problems: Sequence[Problem], name: str, *, style: ProgramStyle, measured: bool = False
) -> Curated:
    """Hold a user's problems to the checks of a run for its seed problems, and say how many are left out, and why.

    Test sets are unknown here, so nothing is compared with them.

    Args:
        problems: Problem records, with or without programs.
        name: Where they are from, for messages.
        style: How programs are trained on.
        measured: The validation loss is computed on them; as in a run, their programs must be right, and that is all.

    Raises:
        FddError: No problem is left.
    """
    checked = check_programs(problems, style) if measured else check_examples(problems, style)
    if not problems:
        raise FddError(f"{name} has no problem with a program to train on: it is empty.")
    if n := sum(problem.repeat > 1 for problem in checked.kept):
        announce(
            f"{name}: {n} of {len(checked.kept)} problems are trained on several times, as in their run (`repeat`)"
        )
    if not checked.rejected:
        return checked
    counts = count_reasons(checked.rejected)
    listed = ", ".join(f"{n} {reason}" for reason, n in counts.items())
    examples = "".join(f"\n  {reason}: {_example(checked.rejected, reason)}" for reason in counts)
    if not checked.kept:
        raise FddError(
            f"{name} has no problem with a program to train on ({listed}); each row needs a `program` that gives its "
            f"answer. The first of each:{examples}"
        )
    left_out, are = len(checked.rejected), "is" if len(checked.rejected) == 1 else "are"
    warn(f"{name}: {left_out} of {len(problems)} problems {are} left out ({listed}). The first of each:{examples}")
    return checked


def _example(rejected: Sequence[Problem], reason: str) -> str:
    """Return the first problem that was rejected for a reason, and what exactly was wrong with it."""
    first = next(problem for problem in rejected if problem.reason == reason)
    why = first.detail or (f"the same as {first.against}" if first.against else "it has no program")
    return f"{first.id} {first.question[:60]!r}: {why}"


def _why_nothing_is_left(rejected: Sequence[Problem]) -> str:
    reasons = count_reasons(rejected)
    if set(reasons) == {Reason.NO_RATIONALE.value}:
        n = reasons[Reason.NO_RATIONALE.value]
        have = "1 problem has" if n == 1 else f"{n} problems have"
        return (
            f"No training problem is left: {have} no program, and no teacher could write one. Give each a "
            "`program`, or GSM8K's calculator notes, from which the teacher `annotated` makes one."
        )
    listed = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
    return (
        f"No training problem is left; rejected: {listed}. A problem needs a `program` that gives its answer, or "
        "GSM8K's calculator notes, and must not resemble one of the valid or eval sets."
    )


def _with_programs(
    problems: Sequence[Problem], teachers: Sequence[NamedTeacher]
) -> tuple[list[Problem], list[Problem]]:
    """Ask the teachers in turn for missing programs; return solved problems, and those that every teacher declined."""
    done: dict[str, Problem] = {p.id: p for p in problems if p.program is not None}
    reasons: dict[str, dict[str, str]] = {}
    for teacher in teachers:
        unsolved = [p for p in problems if p.id not in done]
        if not unsolved:
            break
        name, answers = teacher.name, run_to_end(teacher.open(round_number=0).rationale(unsolved))
        for problem, answer in zip(unsolved, answers, strict=True):
            if isinstance(answer, Declined):
                reasons.setdefault(problem.id, {})[name] = answer.reason
            elif isinstance(answer, Rationale):
                notes = {**problem.teacher_notes, **answer.notes}
                done[problem.id] = replace(problem, program=answer.program, teacher=name, teacher_notes=notes)
            else:
                done[problem.id] = replace(problem, program=answer, teacher=name)
    declined = [
        replace(p, reason=Reason.NO_RATIONALE.value, declined=reasons[p.id]) for p in problems if p.id not in done
    ]
    return [done[p.id] for p in problems if p.id in done], declined
