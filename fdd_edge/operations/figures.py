"""The figures of one evaluation, read back from its folder, and how they changed since another one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from fdd_edge.evaluation import CutReplies, count_cut
from fdd_edge.feedback import pass_rates
from fdd_edge.operations.evaluate import Evaluation, read_evaluation
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.runs.fingerprint import Json
from fdd_edge.runs.stage_files import EvaluationFiles

__all__ = ["EvaluationFigures", "evaluation_figures"]


@dataclass(frozen=True, kw_only=True)
class EvaluationFigures:
    """One artifact, one target, one set; every field is a key of its JSON object.

    Attributes:
        target: Name of the device profile.
        recipe: Name of the recipe.
        dataset: Name of the set.
        n: Completions.
        distinct: Different problems.
        correct: Completions with the gold answer.
        ci95: Interval of the accuracy, over different problems.
        no_answer: Completions that gave no number at all: format failures.
        problems_per_second: None if it was not measured.
        emulated: Whether the device was emulated, so that speed and memory are not the board's.
        bytes: Size of the model file.
        peak_rss_bytes: Of the runner; None if it was not measured.
        change: Accuracy minus that of the round before, on the same problems; None without such a round.
        cut: The completions without an answer that were cut, and by what; None in the summary of an earlier version.
    """

    target: str
    recipe: str
    dataset: str
    n: int
    distinct: int
    correct: int
    ci95: tuple[float, float]
    no_answer: int
    problems_per_second: float | None
    emulated: bool
    bytes: int
    peak_rss_bytes: int | None
    change: float | None = None
    cut: CutReplies | None = None

    def to_row(self) -> dict[str, Json]:
        """Return the JSON object."""
        row = asdict(self) | {"ci95": list(self.ci95)}
        if self.cut is None:
            del row["cut"]
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
    summary, timing = found.summary, found.timing
    change = None
    if before is not None and EvaluationFiles(before).rows.is_file():
        change = _accuracy_difference(folder, before)
    return EvaluationFigures(
        target=target,
        recipe=recipe,
        dataset=dataset,
        n=summary.n,
        distinct=summary.distinct,
        correct=summary.correct,
        ci95=(summary.ci95.low, summary.ci95.high),
        no_answer=summary.n - summary.correct - summary.verdicts["wrong"],
        problems_per_second=timing.problems_per_second,
        emulated=timing.emulated,
        bytes=timing.artifact_bytes,
        peak_rss_bytes=timing.peak_rss_bytes,
        change=change,
        cut=_cut(found, folder),
    )


def _cut(found: Evaluation, folder: Path) -> CutReplies:
    """Return how many replies were cut; the rows are read only if some were."""
    if not found.summary.verdicts.get("unfinished"):
        return CutReplies()
    limit = found.facts.settings.get("max_new_tokens")
    return count_cut(read_rows(folder), limit if isinstance(limit, int) else None)


def _accuracy_difference(folder: Path, before: Path) -> float | None:
    """Return the difference in accuracy over the problems that both evaluations asked."""
    now, then = pass_rates(read_rows(folder)), pass_rates(read_rows(before))
    shared = now.keys() & then.keys()
    return sum(now[name] - then[name] for name in shared) / len(shared) if shared else None
