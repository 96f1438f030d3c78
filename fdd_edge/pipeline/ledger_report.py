"""What a run's calls to language models cost, and what came of them: ``fdd-edge ledger``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError
from fdd_edge.progress import warn
from fdd_edge.records import read_problems
from fdd_edge.result_base import Result
from fdd_edge.runs import Manifest, RunLayout
from fdd_edge.runs.stage_files import OffspringFiles, TrainingDataFiles
from fdd_edge.teachers.ledger.ledger_rows import LedgerRow, read_copy, rows_of_run

__all__ = ["CallGroup", "LedgerReport", "copied_rows", "money", "report_calls"]

_DECIMALS = 9
"""Of money; a token costs at least 1e-10, and nobody pays for one alone."""


@dataclass(frozen=True)
class CallGroup(Result):
    """The calls of a round for one purpose to one teacher.

    Attributes:
        round: The round that asked.
        purpose: ``rationale``, ``complexify`` or ``similar``.
        teacher: The name that the config gives to the model.
        models: Those that answered, as the endpoint names them.
        replies: Replies that there were to read, paid here or before.
        calls: Replies that the run paid for, and calls that may have been paid.
        found: Replies that were there already.
        failed: Attempts that brought no reply.
        input_tokens: Of the paid replies, as far as the endpoint counts.
        output_tokens: Likewise.
        cost: Of the paid replies; None if no price is known.
        accepted: Problems of this teacher that passed curation, by what they were written for.
    """

    round: int
    purpose: str
    teacher: str
    models: Sequence[str]
    replies: int
    calls: int
    found: int
    failed: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    accepted: int


@dataclass(frozen=True)
class LedgerReport(Result):
    """A run's calls to language models; iterating over it yields the groups.

    Attributes:
        path: The run.
        groups: The calls by round, purpose and teacher.
        in_doubt: Calls of which it is not known whether they were answered: they may have been paid twice.
        points: Points of accuracy gained on valid between the first and the last round; None with fewer than two.
        faults: Why attempts failed, and how many did; the most frequent reason first.
        waiting: Requests in files of a batch that have no reply yet.
    """

    path: Path
    groups: Sequence[CallGroup] = field(repr=False)
    in_doubt: Sequence[LedgerRow] = field(default=(), repr=False)
    points: float | None = None
    faults: Mapping[str, int] = field(default_factory=dict)
    waiting: int = 0

    def __iter__(self) -> Any:
        return iter(self.groups)

    @property
    def calls(self) -> int:
        """All calls that the run paid for, or may have."""
        return sum(group.calls for group in self.groups)

    @property
    def cost(self) -> float | None:
        """What all calls cost; None if a price is not known."""
        return _sum_or_none(group.cost for group in self.groups if group.calls)

    @property
    def accepted(self) -> int:
        """All problems with a program of a language model that passed curation."""
        return sum(group.accepted for group in self.groups)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``fdd-edge ledger --json`` prints."""
        totals = {"calls": self.calls, "cost": self.cost, "accepted": self.accepted}
        per = {
            "cost_per_accepted": _ratio(self.cost, self.accepted),
            "cost_per_point": _ratio(self.cost, self.points),
        }
        return {**super().to_dict(), **totals, **per}

    def _table_rows(self) -> Iterable[Mapping[str, Any]]:
        return [group.to_dict() for group in self.groups]


def report_calls(layout: RunLayout, ledger: Path, *, points: float | None) -> LedgerReport:
    """Return what a run's calls cost.

    Args:
        layout: The run.
        ledger: The user's ledger. What it lacks, as on another machine, is read from the run's own copies.
        points: Points of accuracy that the run gained on valid, if known.
    """
    rows = _rows(layout, ledger)
    accepted = _accepted(layout)
    groups: dict[tuple[int, str, str], list[LedgerRow]] = defaultdict(list)
    for row in rows:
        groups[row.round, row.purpose, row.teacher].append(row)
    in_doubt = [row for row in rows if row.in_doubt]
    return LedgerReport(
        layout.root,
        [_group(key, groups[key], accepted) for key in sorted(groups)],
        in_doubt,
        points,
        dict(Counter(row.fault or "unknown" for row in rows if row.state == "failed").most_common()),
        len({row.key for row in rows if row.state == "waiting"} - {row.key for row in rows if row.state == "done"}),
    )


def _rows(layout: RunLayout, ledger: Path) -> list[LedgerRow]:
    """Return every row about a run once, of the ledger and of the run's copies."""
    run = str(Manifest(layout.manifest).facts.get("id", ""))
    found: dict[tuple[object, ...], LedgerRow] = {}
    if run:
        try:
            found = {_identity(row): row for row in rows_of_run(ledger, run)}
        except FddError as error:
            warn(f"{error} What follows is from the run's own copies.")
    found = {_identity(row): row for row in copied_rows(layout)} | found
    return sorted(found.values(), key=lambda row: (row.round, row.id))


def copied_rows(layout: RunLayout) -> Iterator[LedgerRow]:
    """Yield the rows of a run's own copies of the ledger; some are in two.

    Raises:
        FddError: A copy is damaged.
    """
    for round_dir in layout.rounds:
        for path in (TrainingDataFiles(round_dir.data).calls, OffspringFiles(round_dir.offspring).calls):
            if path.is_file():
                yield from read_copy(path)


def _identity(row: LedgerRow) -> tuple[object, ...]:
    """Return what tells a row from others, in whichever ledger it is."""
    return row.key, row.round, row.purpose, row.problem_id, row.draw, row.found, row.reserved_at


def _group(key: tuple[int, str, str], rows: Sequence[LedgerRow], accepted: Mapping[object, int]) -> CallGroup:
    paid = [row for row in rows if row.paid]
    return CallGroup(
        *key,
        models=sorted({row.answered_by for row in rows if row.answered_by is not None}),
        replies=sum(row.state == "done" for row in rows),
        calls=len(paid),
        found=sum(row.found for row in rows),
        failed=sum(row.state == "failed" for row in rows),
        input_tokens=sum(row.input_tokens or 0 for row in paid),
        output_tokens=sum(row.output_tokens or 0 for row in paid),
        cost=_sum_or_none(row.cost for row in paid if not row.in_doubt),
        accepted=accepted.get(key, 0),
    )


def _accepted(layout: RunLayout) -> dict[object, int]:
    """Count the accepted problems by round, purpose and teacher."""
    counts: dict[object, int] = defaultdict(int)
    purposes = {"complex": "complexify", "similar": "similar"}
    for round_dir in layout.rounds:
        if round_dir.number == 0 and round_dir.train.is_file():
            for problem in read_problems(round_dir.train):
                counts[0, "rationale", problem.teacher] += problem.origin == "seed"
        if round_dir.accepted.is_file():
            for problem in read_problems(round_dir.accepted):
                counts[round_dir.number, purposes.get(problem.origin), problem.teacher] += 1
    return counts


def _sum_or_none(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else round(sum(value for value in known if value is not None), _DECIMALS)


def _ratio(cost: float | None, of: float | None) -> float | None:
    return round(cost / of, _DECIMALS) if cost is not None and of and of > 0 else None


def money(cost: float | None) -> str:
    """Return a cost with as many digits as say something; the currency is that of the prices."""
    if cost is None:
        return "-"
    return f"{cost:,.2f}" if cost >= 1 or cost == 0 else f"{cost:.2g}"
