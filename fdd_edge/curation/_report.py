"""What came of the candidates, by branch, kind and number of operations."""

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
        kind: How they were made: ``situation``, ``further step``, ``renumbered`` or ``written``.
        n_ops: Operations of their programs; None where no program was counted.
        kept: How many may be trained on.
        rejected: How many not, by reason, commonest first.
    """

    origin: str
    kind: str
    n_ops: int | None
    kept: int
    rejected: dict[str, int]


def report(kept: Sequence[Problem], rejected: Sequence[Problem]) -> list[ReportRow]:
    """Count candidates by branch, kind and operations, in this order."""
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
    """Count rejected problems by their ``reason``, commonest first."""
    return dict(Counter(str(problem.extra["reason"]) for problem in rejected).most_common())


def kind_of(problem: Problem) -> str:
    """Say how a problem was made."""
    if problem.extra.get("renumbered"):
        return "renumbered"
    if problem.origin == "complex" and (problem.extra.get("further") or problem.extra.get("steps")):
        return "further step"
    return "situation" if problem.extra.get("situation") else "written"


def _group(problem: Problem) -> tuple[str, str, int]:
    return problem.origin, kind_of(problem), -1 if problem.n_ops is None else problem.n_ops
