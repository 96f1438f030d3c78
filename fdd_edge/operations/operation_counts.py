"""How many operations problems need, how many a student's programs use, and how many its training data have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fdd_edge.ondevice.language import ProgramError, count_operations
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.records import Problem
from fdd_edge.runs.fingerprint import Json

__all__ = ["AnsweredOperations", "OperationFigures", "count_answers", "count_trained", "operations_group"]

_MOST = 3
"""Problems with this many operations or more are counted together."""

_OPERATOR = re.compile(r"(?<=[\w.)])\s*[-+*/]")


@dataclass(frozen=True)
class AnsweredOperations:
    """Operations that the problems of a set need, and those that the answers to them use.

    Replies that are not a program, and problems whose operations are not known, are left out.

    Attributes:
        dataset: Name of the set.
        problems: Problems, by the operations they need.
        used: Answers by the operations that they use, for each number needed.
        correct: The right ones among them.
        more: Answers that use more operations than needed.
        fewer: Answers that use fewer.
    """

    dataset: str
    problems: dict[str, int]
    used: dict[str, dict[str, int]]
    correct: dict[str, dict[str, int]]
    more: int
    fewer: int

    @property
    def answered(self) -> int:
        """All answers that were counted."""
        return sum(n for row in self.used.values() for n in row.values())


@dataclass(frozen=True)
class OperationFigures:
    """The operations of what a round trained on, and of what its judge answered; groups are ``1``, ``2`` and ``3+``.

    Attributes:
        problems: Problems trained on, by operations.
        tokens: Tokens trained on, by operations; None if an earlier version trained.
        answered: For each set of which enough is known.
    """

    problems: dict[str, int]
    tokens: dict[str, int] | None
    answered: list[AnsweredOperations] = field(default_factory=list)

    def to_row(self) -> dict[str, Json]:
        """Return the JSON object."""
        return asdict(self)


def operations_group(n: int) -> str:
    """Return the group of a number of operations; a program without any is among those with one."""
    return f"{_MOST}+" if n >= _MOST else str(max(1, n))


def count_trained(problems: Sequence[Problem]) -> dict[str, int]:
    """Return how many problems have how many operations."""
    return _sorted(Counter(operations_group(problem.n_ops or 0) for problem in problems))


def count_answers(dataset: str, problems: Sequence[Problem], folder: Path) -> AnsweredOperations | None:
    """Compare the operations that problems need with those that an evaluation's answers use.

    Args:
        dataset: Name of the set.
        problems: The problems; those with neither ``n_ops`` nor an equation are left out.
        folder: The evaluation of them.

    Returns:
        The counts; None if the operations of no problem are known.
    """
    needed = {problem.id: n for problem in problems if (n := _needed(problem))}
    if not needed:
        return None
    used: Counter[tuple[str, str]] = Counter()
    correct: Counter[tuple[str, str]] = Counter()
    more = fewer = 0
    for row in read_rows(folder):
        least, uses = needed.get(row.problem_id), _used(row.program)
        if least is None or uses is None:
            continue
        cell = operations_group(least), operations_group(uses)
        used[cell] += 1
        correct[cell] += row.verdict == "correct"
        more += uses > least
        fewer += uses < least
    totals = _sorted(Counter(map(operations_group, needed.values())))
    rows = {group: {own: n for (least, own), n in sorted(used.items()) if least == group} for group in totals}
    right = {group: {own: correct[group, own] for own in row} for group, row in rows.items()}
    return AnsweredOperations(dataset, totals, rows, right, more, fewer)


def _needed(problem: Problem) -> int:
    """Return the operations that a problem needs: those of its program, or else of its equation; 0 if unknown.

    Of an equation, the side that has more is counted.
    """
    if problem.n_ops is not None:
        return problem.n_ops
    return max(len(_OPERATOR.findall(side)) for side in str(problem.extra.get("equation", "")).split("="))


def _used(program: str | None) -> int | None:
    """Return the operations of a reply's program; None if there is none that parses."""
    try:
        return None if program is None else count_operations(program)
    except ProgramError:
        return None


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))
