"""The figures of one evaluation, read back from its folder, and how they changed since another one."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from fdd_edge.evaluation import Summary
from fdd_edge.feedback import pass_rates
from fdd_edge.operations.evaluate import read_evaluation, read_rows
from fdd_edge.runs.stage_files import EvaluationFiles

__all__ = ["EvaluationFigures", "evaluation_figures"]


@dataclass(frozen=True, kw_only=True)
class EvaluationFigures:
    """One artifact, one target, one set; every field but ``summary`` is a key of its JSON object.

    Attributes:
        target: Name of the device profile.
        recipe: Name of the recipe.
        dataset: Name of the set.
        summary: Number solved, interval and verdicts.
        problems_per_second: None if it was not measured.
        emulated: Whether the device was emulated, so that speed and memory are not the board's.
        bytes: Size of the model file.
        peak_rss_bytes: Of the runner; None if it was not measured.
        change: Accuracy minus that of the round before, on the same problems; None without such a round.
    """

    target: str
    recipe: str
    dataset: str
    summary: Summary
    problems_per_second: float | None
    emulated: bool
    bytes: int
    peak_rss_bytes: int | None
    change: float | None = None

    @property
    def n(self) -> int:
        """Completions."""
        return self.summary.n

    @property
    def correct(self) -> int:
        """Those with the gold answer."""
        return self.summary.correct

    @property
    def ci95(self) -> tuple[float, float]:
        """Wilson interval of the accuracy."""
        return self.summary.ci95.low, self.summary.ci95.high

    @property
    def no_answer(self) -> int:
        """Completions that gave no number at all: format failures."""
        return self.n - self.correct - self.summary.verdicts["wrong"]

    def to_row(self) -> dict[str, Any]:
        """Return the JSON object: every field, with the counts of the summary in its place."""
        counts = {"n": self.n, "correct": self.correct, "ci95": list(self.ci95), "no_answer": self.no_answer}
        row: dict[str, Any] = {}
        for field in fields(self):
            row |= counts if field.name == "summary" else {field.name: getattr(self, field.name)}
        return row


def evaluation_figures(
    folder: Path, target: str, recipe: str, dataset: str, *, before: Path | None = None
) -> EvaluationFigures:
    """Read one evaluation folder.

    Args:
        folder: The evaluation.
        target: Name of the device profile.
        recipe: Name of the recipe.
        dataset: Name of the set.
        before: The evaluation of the round before, if there is one.
    """
    found = read_evaluation(folder)
    timing = found.timing
    change = None
    if before is not None and EvaluationFiles(before).rows.is_file():
        change = _accuracy_difference(folder, before)
    return EvaluationFigures(
        target=target,
        recipe=recipe,
        dataset=dataset,
        summary=found.summary,
        problems_per_second=timing["problems_per_second"],
        emulated=timing["target"]["emulated"],
        bytes=timing["artifact_bytes"],
        peak_rss_bytes=timing["peak_rss_bytes"],
        change=change,
    )


def _accuracy_difference(folder: Path, before: Path) -> float | None:
    """Return the difference in accuracy over the problems that both evaluations asked."""
    now, then = pass_rates(read_rows(folder)), pass_rates(read_rows(before))
    shared = now.keys() & then.keys()
    return sum(now[name] - then[name] for name in shared) / len(shared) if shared else None
