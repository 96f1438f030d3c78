"""What ``fdd-edge split`` is given: a user's problems and the answers to them, which must belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fdd_edge.data import read_dataset
from fdd_edge.errors import FddError
from fdd_edge.evaluation import score
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.operations.evaluate import read_rows
from fdd_edge.operations.evolve import non_easy, solved_share
from fdd_edge.records import Problem, read_jsonl, read_problems

__all__ = ["answered"]

_SCORED = (Verdict.correct, Verdict.wrong)
"""What a gold answer decides."""


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
            some that are not easy have no answer of the float artifact, or the bands cross or are none.
    """
    # So put, it refuses NaN as well, with which no comparison holds.
    if not 0 <= hard_at < easy_at <= 1:
        raise FddError(f"Hard up to {hard_at:g} must lie below easy from {easy_at:g}, and both in 0 to 1.")
    asked = set(solved_share(rows))
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
        if unanswered := missed - set(solved_share(float_rows)):
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
    """Read problem records, such as a round's, or a data set as `fdd-edge eval` reads it."""
    return read_problems(path) if _holds_records(path) else read_dataset(path).problems


def _holds_records(path: Path) -> bool:
    """Say whether a row of a file has what no row of a data set needs; the others may lack it by a fault."""
    try:
        return any({"source", "origin"} <= row.keys() for _, row in read_jsonl(path))
    except FddError:
        return False
