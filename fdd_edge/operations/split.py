"""Labelling: a sample of problems is split into easy, hard, borderline, format and lost by an artifact's answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fdd_edge.data import Columns
from fdd_edge.errors import FddError
from fdd_edge.evaluation import score
from fdd_edge.feedback import LABELS, Bands, LabelledProblem, Split, pass_rates, sample_pool, split_problems
from fdd_edge.ondevice.verdicts import SCORED
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.operations.user_problems import read_user_problems
from fdd_edge.records import Problem, ProblemSet, read_problems, write_jsonl
from fdd_edge.runs.stage_files import SplitFiles

__all__ = ["draw_pool", "non_easy", "read_answered", "read_split", "split"]


def draw_pool(train: Path, limit: int, seed: int, *, reserve: Path | None = None) -> ProblemSet:
    """Return the problems that a round labels: from its training data, or from a reserve it was not trained on."""
    # A problem is asked once, however many programs it is trained on with.
    trained = [problem for problem in read_problems(train) if problem.origin != "own"]
    if reserve is None:
        return ProblemSet(sample_pool(trained, limit, seed))
    seen = {problem.id for problem in trained}
    return ProblemSet(sample_pool([p for p in read_problems(reserve) if p.id not in seen], limit, seed))


def non_easy(pool: Sequence[Problem], rows: Path, bands: Bands) -> ProblemSet:
    """Return the labelled problems that the judge did not find easy: the float artifact is asked these too."""
    found = split_problems(pool, read_rows(rows), bands, solved_by_float=())
    hard = {item.problem.id for label in LABELS if label != "easy" for item in found[label]}
    return ProblemSet(problem for problem in pool if problem.id in hard)


def split(out: Path, *, pool: Sequence[Problem], rows: Path, float_rows: Path | None, bands: Bands) -> None:
    """Write a split to the folder ``out``, one file of problems per label.

    Args:
        out: Folder, see ``SplitFiles``.
        pool: The labelled problems.
        rows: The judge's evaluation folder.
        float_rows: The float artifact's, for the problems that are not easy; None if it is the judge itself.
        bands: Pass rates of easy and hard problems.
    """
    solved = set()
    if float_rows is not None:
        solved = {name for name, rate in _solved_share(float_rows).items() if rate >= bands.easy_at}
    found = split_problems(pool, read_rows(rows), bands, solved_by_float=solved)
    for label in LABELS:
        rated = (replace(item.problem, pass_rate=item.pass_rate) for item in found[label])
        write_jsonl(SplitFiles(out).label(label), (problem.to_row() for problem in rated))


def read_split(folder: Path) -> Split:
    """Read a split back.

    Raises:
        FddError: A file is missing, or does not hold labelled problems.
    """
    files = SplitFiles(folder)
    if not files.label(LABELS[0]).exists():
        raise FddError(
            f"{folder} is not a split; name a folder such as RUN/round-00/split, or one that fdd-edge split wrote."
        )
    found: Split = {}
    for label in LABELS:
        found[label] = []
        for problem in read_problems(files.label(label)):
            if problem.pass_rate is None:
                raise FddError(
                    f"{files.label(label)}: {problem.id} has no pass_rate; make the split again with fdd-edge split."
                )
            found[label].append(LabelledProblem(problem, problem.pass_rate, label))
    return found


def read_answered(
    problems: Path, rows: Path, float_rows: Path | None, bands: Bands, columns: Columns | None = None
) -> list[Problem]:
    """Return the problems of a user's file that an evaluation has answered, in the file's order.

    Args:
        problems: Problem records, such as a round's, or a file of any known format, as it was evaluated.
        rows: The judge's evaluation folder.
        float_rows: The float artifact's; it must answer every problem that is not easy.
        bands: Pass rates of easy and hard problems.
        columns: The columns of ``problems`` to read, in place of a format.

    Raises:
        FddError: Nothing was answered, some answered problems are not in the file, the answers belong to other
            problems with the same ids, or the float artifact lacks answers.
    """
    asked = set(_solved_share(rows))
    found = [problem for problem in read_user_problems(problems, columns) if problem.id in asked]
    if missing := sorted(asked - {problem.id for problem in found}):
        raise FddError(
            f"{rows} answers {len(missing)} of {len(asked)} problems that are not in {problems}, such as "
            f"{missing[0]!r}; name the file that was evaluated."
        )
    if not found:
        raise FddError(f"{rows} contains no answers.")
    _check_verdicts(rows, problems, found)
    if float_rows is not None:
        _check_verdicts(float_rows, problems, found)
        missed = {problem.id for problem in non_easy(found, rows, bands)}
        if unanswered := missed - set(_solved_share(float_rows)):
            raise FddError(
                f"{float_rows} has no answer to {len(unanswered)} of the {len(missed)} problems that are not easy; "
                "evaluate the float artifact on all of them."
            )
    return found


def _solved_share(rows: Path) -> dict[str, float]:
    """Return the share of right answers to each problem of an evaluation.

    Raises:
        FddError: The folder holds no scored completions.
    """
    if not rows.is_dir():
        what = "is a file" if rows.exists() else "does not exist"
        raise FddError(f"{rows} {what}; name a folder that fdd-edge eval wrote.")
    try:
        return pass_rates(read_rows(rows))
    except ValueError as error:
        raise FddError(f"{rows} is not an evaluation ({error}); name a folder that fdd-edge eval wrote.") from None


def _check_verdicts(rows: Path, path: Path, problems: Sequence[Problem]) -> None:
    """Refuse answers that were scored against other gold answers: other problems may have the same ids.

    Raises:
        FddError: Some were.
    """
    by_id = {problem.id: problem for problem in problems}
    scored = [row for row in read_rows(rows) if row.problem_id in by_id and row.verdict in SCORED]
    again = score([replace(row, verdict=None) for row in scored], by_id)
    if wrong := [old.problem_id for old, new in zip(scored, again, strict=True) if old.verdict != new.verdict]:
        raise FddError(
            f"{rows} was not scored against the answers in {path}, see {wrong[0]!r}; name the file that was evaluated."
        )
