"""The rows of evaluations that a user wants to look at: by verdict, label and set, or next to those of another one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError, did_you_mean
from fdd_edge.evaluation import ScoredReply
from fdd_edge.pipeline.kept_evaluations import KeptEvaluation, find_evaluations
from fdd_edge.pipeline.same_sets import SamePair, pair_replies, pair_sets
from fdd_edge.result_base import Result
from fdd_edge.runs.stage_files import POOL

__all__ = ["RowsResult", "ShownRow", "find_rows"]


@dataclass(frozen=True)
class ShownRow(Result):
    """One reply, with its place.

    Attributes:
        artifact: What answered.
        dataset: The set of its problem.
        label: What its round labelled the problem; None outside the labelled sets.
        reply: The reply, with question, gold answer and verdict.
        against: The other evaluation's reply to the same problem.
    """

    artifact: str
    dataset: str
    label: str | None
    reply: ScoredReply
    against: ScoredReply | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of a row."""
        row = (
            {"artifact": self.artifact, "set": self.dataset}
            | ({} if self.label is None else {"label": self.label})
            | self.reply.to_row()
        )
        return row if self.against is None else row | {"against": self.against.to_row()}


@dataclass(frozen=True)
class RowsResult(Result):
    """Rows of evaluations.

    Attributes:
        path: Where the evaluations lie.
        artifact: What answered.
        against: What answered in the other evaluations; None without them.
        found: How many rows match.
        total: How many rows there are.
        rows: Those that were asked for, in the order of the problems.
    """

    path: Path
    artifact: str
    against: str | None
    found: int
    total: int
    rows: Sequence[ShownRow] = field(repr=False)

    def _table_rows(self) -> Iterable[Mapping[str, Any]]:
        return [row.to_dict() for row in self.rows]

    def _shown(self) -> Iterable[tuple[str, object]]:
        shown = (f"{row.reply.problem_id} ({row.reply.verdict})" for row in self.rows)
        return [("artifact", self.artifact), ("rows", f"{self.found} of {self.total}"), ("shown", ", ".join(shown))]


def find_rows(
    path: Path,
    *,
    verdicts: Collection[str] = (),
    label: str | None = None,
    dataset: str | None = None,
    n: int | None = None,
    against: Path | None = None,
) -> RowsResult:
    """Return rows of the evaluations that a path holds.

    Args:
        path: As for ``find_evaluations``.
        verdicts: Only rows with one of these; none means any.
        label: Only rows whose problem has this label, of the set that a round labels.
        dataset: Only this set. Default: all but those that a round labels, unless a label is asked for, and the
            questions that a run only shows.
        n: At most this many.
        against: Other evaluations; only replies to problems that both have are returned.

    Raises:
        FddError: There is no such evaluation or set, nothing is labelled, or the other evaluations have other problems.
    """
    chosen = _chosen(find_evaluations(path), path, dataset, label)
    artifacts = ", ".join(dict.fromkeys(one.artifact for one in chosen))
    others: list[SamePair] = []
    if against is None:
        rows = [_row(one, reply) for one in chosen for reply in one.replies()]
    else:
        others = pair_sets(chosen, find_evaluations(against), path, against)
        rows = [_row(pair.first, reply, other) for pair in others for reply, other in pair_replies(pair).both]
    if not rows:
        # Pairs without a common problem were refused: what is empty is a file of rows.
        raise FddError(f"{path} holds no reply: its file of rows is empty. Evaluate again, or restore that file.")
    kept = [
        row for row in rows if (not verdicts or row.reply.verdict in verdicts) and (label is None or row.label == label)
    ]
    other_name = ", ".join(dict.fromkeys(pair.second.artifact for pair in others)) if others else None
    return RowsResult(path, artifacts, other_name, len(kept), len(rows), kept[:n])


def _row(evaluation: KeptEvaluation, reply: ScoredReply, other: ScoredReply | None = None) -> ShownRow:
    return ShownRow(evaluation.artifact, evaluation.dataset, evaluation.labels.get(reply.problem_id), reply, other)


def _chosen(
    found: Sequence[KeptEvaluation], path: Path, dataset: str | None, label: str | None
) -> list[KeptEvaluation]:
    """Return the evaluations of the sets that were asked for.

    Raises:
        FddError: There is none.
    """
    if dataset is not None:
        known = list(dict.fromkeys(one.dataset for one in found))
        if dataset not in known:
            raise FddError(f"{path} has no set {dataset!r}; it has {', '.join(known)}.{did_you_mean(dataset, known)}")
        return [one for one in found if one.dataset == dataset]
    if label is not None:
        labelled = [one for one in found if one.labels]
        if not labelled:
            raise FddError(f"No problems of {path} are labelled: labels are those of a run's rounds (set {POOL!r}).")
        return labelled
    reported = [one for one in found if one.is_reported]
    return reported or list(found)
