"""Figures of a run that cannot be: edited or damaged files are refused, not reported on."""

from __future__ import annotations

from collections.abc import Iterator

from fdd_edge.errors import FddError
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.operations.figures import EvaluationFigures
from fdd_edge.pipeline.kept_evaluations import KeptEvaluation
from fdd_edge.pipeline.round_summary import RoundSummary

__all__ = ["check_figures", "check_rows"]

_LONGEST_NAME = 255
"""Of a folder."""


def check_figures(summary: RoundSummary, number: int) -> None:
    """Refuse the figures of a round that no run writes.

    Args:
        summary: The figures.
        number: The round in whose folder they are.

    Raises:
        ValueError: One of them is not what a run writes.
    """
    if summary.round != number:
        raise ValueError(f"the figures of round {number} are those of round {summary.round}")
    if not summary.evaluations:
        raise ValueError(f"the figures of round {number} hold no evaluation")
    if wrong := next((name for name in _names(summary) if name in ("", ".", "..") or not _is_plain(name)), None):
        raise ValueError(f"its figures name {wrong!r:.60}")
    if (negative := next((n for n in _counts(summary) if n < 0), None)) is not None:
        raise ValueError(f"the figures of round {number} count {negative} problems")
    if (labelled := sum(summary.split.values())) != summary.labelled.n:
        raise ValueError(f"the figures of round {number} count {labelled} and {summary.labelled.n} labelled problems")
    for one in (*summary.evaluations, *summary.untuned):
        if not 0 <= one.correct <= one.n or not one.n:
            raise ValueError(f"the figures of round {number} have more right answers than questions")
        if not 0 <= one.ci95[0] <= one.ci95[1] <= 1 or not 0 <= one.no_answer <= one.n - one.correct or one.bytes < 0:
            raise ValueError(f"the figures of round {number} on {one.dataset} are not those of an evaluation")
        if one.cut is not None and not (
            min(one.cut.at_limit, one.cut.context_full) >= 0 and one.cut.n <= one.no_answer
        ):
            raise ValueError(f"the figures of round {number} on {one.dataset} count {one.cut.n} cut replies")
        if one.change is not None and not -1 <= one.change <= 1:
            raise ValueError(f"the figures of round {number} on {one.dataset} change by {one.change}")


def _names(summary: RoundSummary) -> Iterator[str]:
    """Yield the names in the figures that become paths."""
    for one in summary.evaluations:
        yield from (one.target, one.recipe, one.dataset)
    yield from summary.parity


def _is_plain(name: str) -> bool:
    return not set(name) & {"/", "\0"} and len(name) <= _LONGEST_NAME


def _counts(summary: RoundSummary) -> Iterator[int]:
    yield from (summary.rounds - 1, summary.too_long, summary.reserve, summary.num_fewshot, summary.labelled.n)
    for counts in (summary.data, summary.rejected, summary.split, summary.evolved, summary.accepted):
        yield from counts.values()
    for row in summary.curation:
        yield from (row.kept, *row.rejected.values())
    for side in summary.without.values():
        yield from (side.parents, side.without_offspring, *side.reasons.values())


def check_rows(kept: KeptEvaluation, figures: EvaluationFigures | None) -> None:
    """Refuse an evaluation whose rows are not those that its figures count.

    Args:
        kept: The evaluation.
        figures: What the round says about it; None compares with what the evaluation itself does.

    Raises:
        FddError: They differ, or cannot be read.
    """
    rows = kept.replies()
    found = (sum(row.verdict is Verdict.correct for row in rows), len(rows))
    said = figures or kept.evaluation().summary
    if found != (said.correct, said.n):
        raise FddError(
            f"{kept.folder} holds {found[0]:,} right replies of {found[1]:,}, but its figures say {said.correct:,} of "
            f"{said.n:,}; restore both from a backup."
        )
