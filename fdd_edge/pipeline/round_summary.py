"""The figures of a round, read back from the files its stages wrote."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from fdd_edge.curation import ReportRow, report
from fdd_edge.feedback import Side, Split, without_offspring
from fdd_edge.intervals import independent_difference
from fdd_edge.operations.bench import Measurement, read_measurement
from fdd_edge.operations.evaluate import read_evaluation
from fdd_edge.operations.evolve import Refusals, read_split
from fdd_edge.parity import Certificate
from fdd_edge.records import Problem, read_jsonl, read_problems
from fdd_edge.runs import RoundLayout, RunLayout
from fdd_edge.runs.layout import VALID, ArtifactsLayout

__all__ = ["EvaluationFigures", "LabelledFigures", "RoundSummary", "evaluation_figures", "summarize_round"]


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


class LabelledFigures(NamedTuple):
    """How much of the labelled problems the judge solves, beside how much of ``valid``, which is never trained on.

    Attributes:
        n: Labelled problems.
        pass_rate: Mean share of right answers over them.
        seeds: Those of them that are seed problems, as ``valid``'s are: the others are easier or harder by design.
        seed_pass_rate: Mean share of right answers over these; None where there are none.
        valid: The share of valid that it solves.
        gap: 95 % interval of the difference between these two; None where there are no seeds.
        fresh: Whether they were labelled before they were trained on.
    """

    n: int
    pass_rate: float
    seeds: int
    seed_pass_rate: float | None
    valid: float
    gap: tuple[float, float] | None
    fresh: bool


class RoundSummary(NamedTuple):
    """What the table of a round shows.

    Attributes:
        round: Its number.
        data: Problems trained on, by origin; those that are too long among them.
        too_long: Of these, how many training left out because they are longer than ``training.max_length``.
        reserve: Seed problems that wait to be labelled before they are trained on.
        rejected: Problems kept out of this round's data, by reason.
        loss: Training loss at the beginning and at the end, each the mean of ten steps.
        valid_loss: The last validation loss, or that of the step that was kept; None where none was taken.
        split: Labelled problems, by label.
        labelled: How much of what was labelled the judge solves, beside how much of valid.
        evolved: Problems the teacher wrote for the next round, by origin.
        accepted: Those of them that may be trained on, by origin.
        curation: All of them by branch, kind and number of operations, with the reasons for those that may not.
        without: Of the easy and of the hard problems, how many have no offspring that may be trained on, and why.
        held_back: The gates that keep this round from being the best so far, one sentence each.
        parity: What failed of each certified artifact, one line an item; empty where no certificates were made.
        evaluations: Every artifact on every target and set.
        measured: What every artifact costs on every target.
        untuned: The same for the student before training; empty without a baseline.
        shots: Worked examples in its prompt.
    """

    round: int
    data: dict[str, int]
    too_long: int
    reserve: int
    rejected: dict[str, int]
    loss: tuple[float, float] | None
    valid_loss: float | None
    split: dict[str, int]
    labelled: LabelledFigures
    evolved: dict[str, int]
    accepted: dict[str, int]
    curation: list[ReportRow]
    without: dict[str, Side]
    held_back: list[str]
    parity: dict[str, list[str]]
    evaluations: list[EvaluationFigures]
    measured: list[Measurement]
    untuned: list[EvaluationFigures]
    shots: int

    def to_row(self) -> dict[str, Any]:
        """Return the JSON object."""
        row = self._asdict()
        lists = ("curation", "evaluations", "measured", "untuned")
        return (
            row
            | {key: [e._asdict() for e in row[key]] for key in lists}
            | {"labelled": self.labelled._asdict(), "without": {k: s._asdict() for k, s in self.without.items()}}
        )


def summarize_round(
    layout: RunLayout,
    number: int,
    *,
    recipes: Sequence[str],
    certified: Sequence[str],
    targets: Sequence[str],
    datasets: Sequence[str],
    judge: tuple[str, str],
    fresh: bool,
    refusals: Refusals,
    held_back: list[str],
    shots: int,
) -> RoundSummary:
    """Collect a finished round's figures; an artifact whose certificate failed has none.

    Args:
        layout: The run folder.
        number: Of the round.
        recipes: Evaluated recipes.
        certified: Recipes with certificates.
        targets: Names of targets.
        datasets: The reported sets.
        judge: Target and recipe that the problems were labelled by.
        fresh: Whether they were labelled before they were trained on.
        refusals: Parents for which the teacher wrote nothing, by branch and reason.
        held_back: The gates that the round does not keep.
        shots: Worked examples in the untuned student's prompt.
    """
    place = layout.round(number)
    trace = json.loads((place.adapter / "training.json").read_text(encoding="utf-8"))
    parity = _read_parity(layout, place, certified)
    found = read_split(place.split)
    train = read_problems(place.train)
    accepted, rejected = read_problems(place.accepted), read_problems(place.turned_down)
    recipes = [recipe for recipe in recipes if not parity.get(recipe)]
    triples = [(target, recipe, dataset) for target in targets for recipe in recipes for dataset in datasets]
    return RoundSummary(
        round=number,
        data=dict(Counter(p.origin for p in train)),
        too_long=trace["too_long"],
        reserve=_waiting(layout, {p.id for p in train}),
        rejected=dict(Counter(row["reason"] for _, row in read_jsonl(place.rejected))),
        loss=_ends(trace["losses"]),
        valid_loss=_kept(trace["valid_losses"], trace["best_step"]),
        split={label: len(items) for label, items in found.items()},
        labelled=_labelled(place, found, judge, fresh=fresh),
        evolved=dict(Counter(p.origin for p in read_problems(place.evolved))),
        accepted=dict(Counter(p.origin for p in accepted)),
        curation=report(accepted, rejected),
        without=_without(found, refusals, accepted, rejected),
        held_back=held_back,
        parity=parity,
        evaluations=[evaluation_figures(place, *triple) for triple in triples],
        measured=[read_measurement(place.bench(target, recipe)) for target in targets for recipe in recipes],
        untuned=_untuned(layout.untuned, datasets),
        shots=shots,
    )


def _waiting(layout: RunLayout, trained: Collection[str]) -> int:
    path = layout.round(0).reserve
    return sum(p.id not in trained for p in read_problems(path)) if path.is_file() else 0


def _labelled(place: RoundLayout, found: Split, judge: tuple[str, str], *, fresh: bool) -> LabelledFigures:
    rates = [item.pass_rate for items in found.values() for item in items]
    of_seeds = [item.pass_rate for items in found.values() for item in items if item.problem.origin == "seed"]
    valid = read_evaluation(place.evaluation(*judge, VALID)).summary
    gap: tuple[float, float] | None = None
    if of_seeds:
        # Several draws of one problem are no independent trials: the problems are what was drawn.
        low, high = independent_difference(round(sum(of_seeds)), len(of_seeds), valid.correct, valid.n)
        gap = low, high
    seed_rate = fmean(of_seeds) if of_seeds else None
    return LabelledFigures(len(rates), fmean(rates), len(of_seeds), seed_rate, valid.accuracy, gap, fresh)


def _without(
    found: Split, refusals: Refusals, accepted: Sequence[Problem], rejected: Sequence[Problem]
) -> dict[str, Side]:
    """Say how many easy and hard problems have no offspring, and why: the teacher's reason, or curation's."""
    reasons = {name: reason for by_reason in refusals.values() for reason, ids in by_reason.items() for name in ids}
    for problem in rejected:
        reasons.setdefault(str(problem.parent_id), str(problem.extra["reason"]))
    return without_offspring(found, reasons, {str(problem.parent_id) for problem in accepted})


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
    return {name: [item.failure_message for item in certificate.failed] for name, certificate in found.items()}


def _untuned(place: ArtifactsLayout, datasets: Sequence[str]) -> list[EvaluationFigures]:
    """Find the untuned student's evaluations of these sets, whatever recipe and target they were made with."""
    figures = []
    for path in sorted(place.root.glob("eval/*/*/*/summary.json")):
        target, recipe, dataset = path.relative_to(place.root / "eval").parts[:3]
        if dataset in datasets:
            figures.append(evaluation_figures(place, target, recipe, dataset))
    return sorted(figures, key=lambda f: list(datasets).index(f.dataset))
