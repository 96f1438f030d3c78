"""The figures of a round, read back from the files its stages wrote."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Any, NamedTuple

from fdd_edge.parity import Certificate
from fdd_edge.records import read_jsonl, read_problems
from fdd_edge.runs import RunLayout
from fdd_edge.runs.layout import ArtifactsLayout
from fdd_edge.stages.bench import Measurement, read_measurement
from fdd_edge.stages.evaluation import read_evaluation
from fdd_edge.stages.feedback import split_counts

__all__ = ["EvaluationFigures", "RoundSummary", "evaluation_figures", "summarize_round"]


class EvaluationFigures(NamedTuple):
    """One artifact, one target, one set.

    Attributes:
        target: Name of the device profile.
        recipe: Name of the recipe.
        dataset: Name of the set.
        n: Completions.
        correct: Those with the gold answer.
        ci95: Wilson interval of the accuracy.
        no_answer: Completions that gave no number at all: format failures.
        problems_per_second: None where it was not measured.
        emulated: Whether the device was, so that speed and memory are not the board's.
        bytes: Size of the model file.
        peak_rss_bytes: Of the runner; None where it was not measured.
    """

    target: str
    recipe: str
    dataset: str
    n: int
    correct: int
    ci95: tuple[float, float]
    no_answer: int
    problems_per_second: float | None
    emulated: bool
    bytes: int
    peak_rss_bytes: int | None


class RoundSummary(NamedTuple):
    """What the table of a round shows.

    Attributes:
        round: Its number.
        data: Problems trained on, by origin.
        rejected: Problems kept out of this round's data, by reason.
        loss: Training loss at the beginning and at the end, each the mean of ten steps.
        valid_loss: The last validation loss, or that of the step that was kept; None where none was taken.
        split: Labelled problems, by label.
        evolved: Problems the teacher wrote for the next round, by origin.
        declined: How often it would not, by origin and reason.
        parity: What failed of each certified artifact, one line an item; empty where no certificates were made.
        evaluations: Every artifact on every target and set.
        measured: What every artifact costs on every target.
        untuned: The same for the student before training; empty without a baseline.
        shots: Worked examples in its prompt.
    """

    round: int
    data: dict[str, int]
    rejected: dict[str, int]
    loss: tuple[float, float] | None
    valid_loss: float | None
    split: dict[str, int]
    evolved: dict[str, int]
    declined: dict[str, dict[str, int]]
    parity: dict[str, list[str]]
    evaluations: list[EvaluationFigures]
    measured: list[Measurement]
    untuned: list[EvaluationFigures]
    shots: int

    def to_row(self) -> dict[str, Any]:
        """Return the JSON object."""
        row = self._asdict()
        return row | {key: [e._asdict() for e in row[key]] for key in ("evaluations", "measured", "untuned")}


def summarize_round(
    layout: RunLayout,
    number: int,
    *,
    recipes: Sequence[str],
    certified: Sequence[str],
    targets: Sequence[str],
    datasets: Sequence[str],
    declined: dict[str, dict[str, int]],
    shots: int,
) -> RoundSummary:
    """Collect a finished round's figures; an artifact whose certificate failed has none."""
    place = layout.round(number)
    trace = json.loads((place.adapter / "training.json").read_text(encoding="utf-8"))
    parity = _read_parity(layout, place, certified)
    recipes = [recipe for recipe in recipes if not parity.get(recipe)]
    triples = [(target, recipe, dataset) for target in targets for recipe in recipes for dataset in datasets]
    return RoundSummary(
        round=number,
        data=dict(Counter(p.origin for p in read_problems(place.train))),
        rejected=dict(Counter(row["reason"] for _, row in read_jsonl(place.rejected))),
        loss=_ends(trace["losses"]),
        valid_loss=_kept(trace["valid_losses"], trace["best_step"]),
        split=split_counts(place.split),
        evolved=dict(Counter(p.origin for p in read_problems(place.evolved))),
        declined=declined,
        parity=parity,
        evaluations=[evaluation_figures(place, *triple) for triple in triples],
        measured=[read_measurement(place.bench(target, recipe)) for target in targets for recipe in recipes],
        untuned=_untuned(layout.untuned, datasets),
        shots=shots,
    )


def evaluation_figures(place: ArtifactsLayout, target: str, recipe: str, dataset: str) -> EvaluationFigures:
    """Read one evaluation folder and the size of its artifact."""
    found = read_evaluation(place.evaluation(target, recipe, dataset))
    summary, timing = found.summary, found.timing
    return EvaluationFigures(
        target,
        recipe,
        dataset,
        summary.n,
        summary.correct,
        (summary.ci95.low, summary.ci95.high),
        summary.n - summary.correct - summary.verdicts["wrong"],
        timing["problems_per_second"],
        timing["target"]["emulated"],
        timing["artifact_bytes"],
        timing["peak_rss_bytes"],
    )


def _ends(losses: Sequence[float]) -> tuple[float, float] | None:
    """Return the mean of the first ten and of the last ten losses: that of one small batch says little."""
    return (fmean(losses[:10]), fmean(losses[-10:])) if losses else None


def _kept(valid_losses: Sequence[tuple[int, float]], best_step: int | None) -> float | None:
    """Return the validation loss of the weights that were kept."""
    if not valid_losses:
        return None
    return dict(valid_losses)[valid_losses[-1][0] if best_step is None else best_step]


def _read_parity(layout: RunLayout, place: ArtifactsLayout, certified: Sequence[str]) -> dict[str, list[str]]:
    """Return the failed items of each certified artifact, the untuned student's among them."""
    paths = {recipe: place.parity(recipe) for recipe in certified}
    paths |= {f"untuned {recipe}": layout.untuned.parity(recipe) for recipe in certified}
    found = {name: Certificate.read(path) for name, path in paths.items() if path.is_file()}
    return {name: [item.complaint for item in certificate.failed] for name, certificate in found.items()}


def _untuned(place: ArtifactsLayout, datasets: Sequence[str]) -> list[EvaluationFigures]:
    """Find the untuned student's evaluations of these sets, whatever recipe and target they were made with."""
    figures = []
    for path in sorted(place.root.glob("eval/*/*/*/summary.json")):
        target, recipe, dataset = path.relative_to(place.root / "eval").parts[:3]
        if dataset in datasets:
            figures.append(evaluation_figures(place, target, recipe, dataset))
    return sorted(figures, key=lambda f: list(datasets).index(f.dataset))
