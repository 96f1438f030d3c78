"""The figures of a round, read back from the files its stages wrote."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import fsum
from pathlib import Path
from statistics import fmean
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from fdd_edge.curation import ReportRow, report
from fdd_edge.errors import FddError
from fdd_edge.evaluation import same_question
from fdd_edge.feedback import LabelledProblem, Side, Split, without_offspring
from fdd_edge.intervals import Interval, clustered_wilson, independent_difference
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.operations.bench import Measurement, read_measurement
from fdd_edge.operations.evaluate import read_evaluation
from fdd_edge.operations.evolve import Refusals, read_declined
from fdd_edge.operations.figures import EvaluationFigures, evaluation_figures
from fdd_edge.operations.operation_counts import AnsweredOperations, OperationFigures, count_answers, count_trained
from fdd_edge.operations.shown_answers import ShownAnswer
from fdd_edge.operations.split import read_split
from fdd_edge.operations.training_record import read_training
from fdd_edge.parity import Certificate
from fdd_edge.pipeline.gates import judge_rounds, set_gates
from fdd_edge.pipeline.run import RunView
from fdd_edge.pipeline.shown_questions import answers_of_round, answers_of_untuned
from fdd_edge.records import Problem, read_jsonl, read_problems
from fdd_edge.runs import ArtifactsLayout, RoundLayout, write_atomic
from fdd_edge.runs.stage_files import POOL, VALID, CuratedFiles, EvaluationFiles

__all__ = [
    "UNTUNED",
    "LabelledFigures",
    "RoundSummary",
    "says_untuned_follows",
    "says_would_repeat",
    "summarize_round",
    "write_summary",
]

UNTUNED = "untuned "
"""Comes before the recipe of an artifact of the untuned student, among the certificates of a round."""


@dataclass(frozen=True)
class LabelledFigures:
    """How much of the labelled problems the judge solves, compared with ``valid``, which is never trained on.

    Attributes:
        n: Labelled problems.
        pass_rate: Mean share of right answers to them.
        ci95: Its 95 % interval, over problems.
        seeds: How many of them are seed problems, like those of ``valid``; evolved ones are easier or harder by design.
        seed_pass_rate: Mean share of right answers to the seed problems; None if there are none.
        seed_ci95: Its 95 % interval.
        valid: The share of valid that it solves.
        valid_ci95: Its 95 % interval.
        gap: 95 % interval of the difference between these two; None if there are no seed problems.
        fresh: Whether they were labelled before they were trained on.
    """

    n: int
    pass_rate: float
    ci95: tuple[float, float]
    seeds: int
    seed_pass_rate: float | None
    seed_ci95: tuple[float, float] | None
    valid: float
    valid_ci95: tuple[float, float]
    gap: tuple[float, float] | None
    fresh: bool


@dataclass(frozen=True)
class RoundSummary:
    """What the table of a round shows.

    Attributes:
        round: Its number.
        rounds: How many rounds the config asks for.
        data: Problems trained on, by origin, including those that are too long.
        too_long: How many of them training left out because they are longer than ``training.max_length``.
        reserve: Seed problems that will be labelled before they are trained on.
        rejected: Problems kept out of this round's data, by reason.
        loss: Training loss at the beginning and at the end, each the mean of ten steps.
        valid_loss: The last validation loss, or that of the step that was kept; None if none was computed.
        split: Labelled problems, by label.
        labelled: How much of them the judge solves, compared with valid.
        evolved: Problems the teacher wrote for the next round, by origin.
        accepted: Those of them that may be trained on, by origin.
        curation: All of them by branch, kind and number of operations, with the reasons for rejections.
        without: How many easy and hard problems have no accepted offspring, and why.
        gates: The gates and budgets that are set.
        held_back: The gates that keep this round from being the best so far, one sentence each.
        parity: The failed items of each certified artifact; empty if no certificates were made.
        evaluations: Every artifact on every target and set.
        measured: What every artifact costs on every target.
        untuned: Evaluations of the student before training; empty without a baseline, and until it was evaluated.
        num_fewshot: Worked examples in the untuned student's prompt.
        would_repeat: Why the next round would be the same as this one; None if it would not.
        target_new: How many new problems should have been accepted; None if no number was set.
        own_solutions: How many right programs of the student's own the next round trains on; None if it does not.
        mixed: Tokens trained on by group, if ``training.mix`` or weights of sets decide about them.
        operations: Operations of the problems that were trained on, and of the judge's answers to the labelled problems
            and to the reported sets whose operations are known; None in the summary of an earlier version.
        answers: To the questions that the run shows.
        untuned_answers: To those that the student was asked before training.
        untuned_follows: Whether the student before training has yet to be evaluated, after the last round.
    """

    round: int
    rounds: int
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
    gates: list[str]
    held_back: list[str]
    parity: dict[str, list[str]]
    evaluations: list[EvaluationFigures]
    measured: list[Measurement]
    untuned: list[EvaluationFigures]
    num_fewshot: int
    would_repeat: str | None
    target_new: int | None = None
    own_solutions: int | None = None
    mixed: dict[str, int] | None = None
    operations: OperationFigures | None = None
    answers: list[ShownAnswer] = field(default_factory=list)
    untuned_answers: list[ShownAnswer] = field(default_factory=list)
    untuned_follows: bool = False

    @property
    def solved_any(self) -> bool:
        """Whether any artifact solved a problem of valid."""
        return any(figures.correct for figures in self.evaluations if figures.dataset == VALID)

    def to_row(self) -> dict[str, Any]:
        """Return the JSON object."""
        row = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return row | {
            "labelled": asdict(self.labelled),
            "curation": [line._asdict() for line in self.curation],
            "without": {name: side._asdict() for name, side in self.without.items()},
            "evaluations": [figures.to_row() for figures in self.evaluations],
            "measured": [measurement.to_dict() for measurement in self.measured],
            "untuned": [figures.to_row() for figures in self.untuned],
            "answers": [answer.to_row() for answer in self.answers],
            "untuned_answers": [answer.to_row() for answer in self.untuned_answers],
            "operations": None if self.operations is None else self.operations.to_row(),
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Build a summary from its JSON object.

        Raises:
            FddError: Another version wrote it, with other figures.
        """
        try:
            return TypeAdapter(cls).validate_python(row)
        except ValidationError:
            raise FddError(
                f"The figures of round {row.get('round')} were written by another version of fdd-edge."
            ) from None


def summarize_round(run: RunView, round_dir: RoundLayout) -> RoundSummary:
    """Collect a finished round's figures; an artifact whose certificate failed has none."""
    number, layout, reported = round_dir.number, run.layout, list(run.reported)
    trained = read_training(round_dir.adapter)
    parity = _failed_items(layout.untuned, round_dir, list(run.certified) if run.parity else [])
    recipes = [recipe for recipe in run.evaluated if not parity.get(recipe)]
    found = read_split(round_dir.split)
    train = read_problems(round_dir.train)
    evolved = read_problems(round_dir.evolved)
    accepted, rejected = read_problems(round_dir.accepted), read_problems(round_dir.turned_down)
    targets = [target.name for target in run.named.targets]
    own = _own_solutions(run, round_dir)
    before = layout.round(number - 1) if number else None
    judged = round_dir.evaluation(run.named.judge_target.name, run.named.judge.name, VALID)
    untuned = _untuned(layout.untuned, reported)
    return RoundSummary(
        round=number,
        rounds=run.config.rounds,
        data=dict(Counter(p.origin for p in train)),
        too_long=trained.too_long,
        reserve=_waiting(run.reserve, {p.id for p in train}),
        rejected=dict(Counter(row["reason"] for _, row in read_jsonl(round_dir.rejected))),
        loss=_ends(trained.losses),
        valid_loss=_kept_loss(trained.valid_losses, trained.best_step),
        split={label: len(items) for label, items in found.items()},
        labelled=_labelled(judged, found, fresh=run.reserve is not None),
        evolved=dict(Counter(p.origin for p in evolved)),
        accepted=dict(Counter(p.origin for p in accepted)),
        curation=report(accepted, rejected),
        without=_without(found, read_declined(round_dir.declined), accepted, rejected),
        gates=set_gates(run.config.gates, run.named.judge_target),
        held_back=judge_rounds(run, number)[number].held_back,
        parity=parity,
        evaluations=[
            evaluation_figures(
                round_dir.evaluation(target, recipe, dataset),
                target,
                recipe,
                dataset,
                before=None if before is None else before.evaluation(target, recipe, dataset),
            )
            for target in targets
            for recipe in recipes
            for dataset in reported
        ],
        measured=[read_measurement(round_dir.bench(target, recipe)) for target in targets for recipe in recipes],
        untuned=untuned,
        num_fewshot=0 if run.config.baseline is None else run.config.baseline.num_fewshot,
        would_repeat=_would_repeat(run, number, found, train, bool(evolved or own)),
        target_new=None if run.config.feedback.policy == "none" else run.config.feedback.target_new,
        own_solutions=own,
        mixed=trained.group_tokens,
        operations=OperationFigures(count_trained(train), trained.operation_tokens, _answered(run, round_dir, found)),
        answers=answers_of_round(run, round_dir),
        untuned_answers=answers_of_untuned(run),
        untuned_follows=_untuned_follows(run, untuned, parity),
    )


def _untuned_follows(run: RunView, found: Sequence[EvaluationFigures], parity: Mapping[str, Sequence[str]]) -> bool:
    """Return whether the untuned student has yet to be evaluated; a file that failed its certificate never is."""
    if run.config.baseline is None or parity.get(f"{UNTUNED}{run.named.judge.name}"):
        return False
    return {figures.dataset for figures in found} != run.reported.keys()


def write_summary(summary: RoundSummary, path: Path) -> None:
    """Write the figures of a round as JSON."""
    write_atomic(path, json.dumps(summary.to_row(), indent=1) + "\n")


def says_would_repeat(path: Path) -> bool:
    """Return whether the figures of a round are there and say that the run ended with it."""
    return bool(_stated(path, "would_repeat"))


def says_untuned_follows(path: Path) -> bool:
    """Return whether the figures of a round are there and say that the untuned student has yet to be evaluated."""
    return bool(_stated(path, "untuned_follows"))


def _stated(path: Path, key: str) -> object:
    """Return one of the figures of a round, whichever version wrote them; None if they cannot be read."""
    try:
        row = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    return row.get(key) if isinstance(row, Mapping) else None


def _own_solutions(run: RunView, round_dir: RoundLayout) -> int | None:
    if not run.config.feedback.own_solutions:
        return None
    return len(read_problems(CuratedFiles(round_dir.own_solutions).accepted))


def _answered(run: RunView, round_dir: RoundLayout, found: Split) -> list[AnsweredOperations]:
    """Return the operations of the judge's answers to the labelled problems, and to every reported set."""
    sets = {POOL: [item.problem for items in found.values() for item in items]}
    sets |= {name: read_problems(path) for name, path in run.reported.items()}
    # The programs of valid are written for its loss, apart from its problems.
    programs = {problem.id: problem for problem in read_problems(run.layout.validation)}
    sets[VALID] = [programs.get(problem.id, problem) for problem in sets[VALID]]
    folders = {name: round_dir.evaluation(run.named.judge_target.name, run.named.judge.name, name) for name in sets}
    counted = [count_answers(name, sets[name], folder) for name, folder in folders.items()]
    return [figures for figures in counted if figures is not None]


def _waiting(reserve: Path | None, trained: Collection[str]) -> int:
    return 0 if reserve is None else sum(p.id not in trained for p in read_problems(reserve))


def _labelled(judged: Path, found: Split, *, fresh: bool) -> LabelledFigures:
    labelled = [item for items in found.values() for item in items]
    seeds = [item for item in labelled if item.problem.origin == "seed"]
    valid = read_evaluation(judged).summary
    rate, interval = _share(labelled)
    seed_rate, seed_interval = _share(seeds) if seeds else (None, None)
    gap: Interval | None = None
    if seed_rate is not None and seed_interval is not None:
        gap = independent_difference(seed_rate, seed_interval, valid.accuracy, valid.ci95)
    return LabelledFigures(
        n=len(labelled),
        pass_rate=rate,
        ci95=(interval.low, interval.high),
        seeds=len(seeds),
        seed_pass_rate=seed_rate,
        seed_ci95=None if seed_interval is None else (seed_interval.low, seed_interval.high),
        valid=valid.accuracy,
        valid_ci95=(valid.ci95.low, valid.ci95.high),
        gap=None if gap is None else (gap.low, gap.high),
        fresh=fresh,
    )


def _share(labelled: Sequence[LabelledProblem]) -> tuple[float, Interval]:
    """Return the share of right answers and its interval; replies and copies of a question are not independent."""
    by_question: dict[str, list[float]] = {}
    for item in labelled:
        by_question.setdefault(same_question(item.problem.question), []).append(item.pass_rate)
    interval = clustered_wilson([(fsum(rates), len(rates)) for rates in by_question.values()])
    return fmean(item.pass_rate for item in labelled), interval


def _without(
    found: Split, refusals: Refusals, accepted: Sequence[Problem], rejected: Sequence[Problem]
) -> dict[str, Side]:
    """Return how many easy and hard problems have no offspring, and why: the teacher's reason, or curation's."""
    reasons = {name: reason for by_reason in refusals.values() for reason, ids in by_reason.items() for name in ids}
    for problem in rejected:
        reasons.setdefault(str(problem.parent_id), str(problem.reason))
    return without_offspring(found, reasons, {str(problem.parent_id) for problem in accepted})


def _would_repeat(run: RunView, number: int, found: Split, train: Sequence[Problem], has_new: bool) -> str | None:
    """Return why the next round would be the same again; None if it would not, or is not asked for.

    Args:
        run: The run.
        number: Of this round.
        found: The labelled problems.
        train: What the round trained on.
        has_new: Whether there are programs of the student's own, or the teacher wrote problems, accepted or not: it
            might write others next time.
    """
    if number + 1 >= run.config.rounds:
        return None
    feedback = run.config.feedback
    repeats = {problem.id: problem.repeat for problem in train}
    newly_lost = any(repeats[item.problem.id] == 1 for item in found["lost"] if item.problem.id in repeats)
    labelled = sum(map(len, found.values()))
    others_may_evolve = labelled < len(train) and bool(feedback.per_easy or feedback.per_hard)
    if has_new or newly_lost or run.reserve is not None or others_may_evolve:
        return None
    if run.config.training.start_from == "previous" or feedback.policy == "none":
        return None
    reason = f"Round {number + 1} would repeat round {number}: there are no new problems, so the run stops here."
    if len(found["format"]) == labelled:
        return (
            f"{reason} None of the {labelled} labelled problems got a runnable program: train longer "
            "(training.num_train_epochs), or start from a pretrained student."
        )
    return f"{reason} Add training data, or raise feedback.per_easy, feedback.per_hard or feedback.max_depth."


def _ends(losses: Sequence[float]) -> tuple[float, float] | None:
    """Return the mean of the first ten and of the last ten losses; a single small batch says little."""
    return (fmean(losses[:10]), fmean(losses[-10:])) if losses else None


def _kept_loss(valid_losses: Sequence[tuple[int, float]], best_step: int | None) -> float | None:
    """Return the validation loss of the weights that were kept."""
    if not valid_losses:
        return None
    return dict(valid_losses)[valid_losses[-1][0] if best_step is None else best_step]


def _failed_items(untuned: ArtifactsLayout, round_dir: RoundLayout, certified: Sequence[str]) -> dict[str, list[str]]:
    """Return the failed items of each certified artifact, including the untuned student's."""
    paths = {recipe: round_dir.parity(recipe) for recipe in certified}
    paths |= {f"{UNTUNED}{recipe}": untuned.parity(recipe) for recipe in certified}
    found = {name: Certificate.read(path) for name, path in paths.items() if path.is_file()}
    return {name: [item.failure_message for item in certificate.failed] for name, certificate in found.items()}


def _untuned(layout: ArtifactsLayout, datasets: Sequence[str]) -> list[EvaluationFigures]:
    """Find the untuned student's evaluations of these sets, in whatever recipe and on whatever target."""
    figures = []
    for folder in sorted(layout.evaluations.glob("*/*/*")):
        target, recipe, dataset = folder.relative_to(layout.evaluations).parts
        if dataset in datasets and EvaluationFiles(folder).summary.is_file():
            figures.append(evaluation_figures(folder, target, recipe, dataset))
    return sorted(figures, key=lambda f: list(datasets).index(f.dataset))
