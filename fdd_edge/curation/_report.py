"""Counts kept and rejected candidates by branch, kind and number of operations."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from fdd_edge.records import Problem

__all__ = ["ReportRow", "count_reasons", "kind_of", "report"]


class ReportRow(NamedTuple):
    """One group of candidates.

    Attributes:
        origin: Their branch: ``seed``, ``complex`` or ``similar``.
        kind: How they were made: ``situation``, ``further step``, ``renumbered`` or ``written``; ``recorded`` if
            they are from a bank.
        n_ops: Operations of their programs; None if these were not counted.
        kept: How many were kept.
        rejected: How many were rejected per reason, most common first.
    """

    origin: str
    kind: str
    n_ops: int | None
    kept: int
    rejected: dict[str, int]


def report(kept: Sequence[Problem], rejected: Sequence[Problem]) -> list[ReportRow]:
    """Return one row per branch, kind and number of operations, sorted in this order."""
    accepted: Counter[tuple[str, str, int]] = Counter(_group(problem) for problem in kept)
    reasons: dict[tuple[str, str, int], list[Problem]] = defaultdict(list)
    for problem in rejected:
        reasons[_group(problem)].append(problem)
    rows = []
    for group in sorted({*accepted, *reasons}):
        origin, kind, n_ops = group
        counted = None if n_ops < 0 else n_ops
        rows.append(ReportRow(origin, kind, counted, accepted[group], count_reasons(reasons[group])))
    return rows


def count_reasons(rejected: Sequence[Problem]) -> dict[str, int]:
    """Count rejected problems by their ``reason``, most common first."""
    return dict(Counter(str(problem.reason) for problem in rejected).most_common())


def kind_of(problem: Problem) -> str:
    """Return how a problem was made."""
    if problem.teacher_notes.get("bank"):
        return "recorded"
    if problem.renumbered:
        return "renumbered"
    if problem.origin == "complex" and (problem.teacher_notes.get("further") or problem.teacher_notes.get("steps")):
        return "further step"
    return "situation" if problem.teacher_notes.get("situation") else "written"


def _group(problem: Problem) -> tuple[str, str, int]:
    return problem.origin, kind_of(problem), -1 if problem.n_ops is None else problem.n_ops
