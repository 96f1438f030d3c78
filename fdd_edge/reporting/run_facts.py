"""What a report says about a run, read from its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fdd_edge.config_file import read_config_source
from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.operations.figures import EvaluationFigures
from fdd_edge.operations.training_record import TrainingRecord, read_training
from fdd_edge.parity import Certificate
from fdd_edge.pipeline.kept_evaluations import KeptEvaluation, best_name, find_evaluations
from fdd_edge.pipeline.ledger_report import LedgerReport, report_calls
from fdd_edge.pipeline.round_summary import RoundSummary
from fdd_edge.reporting.checked_figures import check_figures, check_rows
from fdd_edge.reporting.private_text import without_folders
from fdd_edge.reporting.shown_text import cut
from fdd_edge.resolve.model import read_manifest
from fdd_edge.run_result import RoundResult
from fdd_edge.runs import Manifest, RoundLayout, RunLayout
from fdd_edge.runs.lock import is_held
from fdd_edge.runs.manifest import RUN_FORMAT
from fdd_edge.runs.stage_files import VALID, EvaluationFiles
from fdd_edge.teachers.ledger import default_ledger

__all__ = ["RoundFacts", "RunFacts", "read_run"]


@dataclass(frozen=True)
class RoundFacts:
    """A finished round.

    Attributes:
        layout: Where its files lie.
        summary: Its figures.
        training: What its training did.
        certificates: Its certificates, by recipe.
    """

    layout: RoundLayout
    summary: RoundSummary
    training: TrainingRecord
    certificates: Mapping[str, Certificate]

    @property
    def number(self) -> int:
        """Which round it is, counted from 0."""
        return self.summary.round


@dataclass(frozen=True)
class RunFacts:
    """A run with at least one finished round.

    Attributes:
        layout: Where its files lie.
        config: Its config as written.
        manifest: What its stages were made from.
        software: Version of Python, machine and packages with which it was made.
        rounds: The finished rounds.
        shown: The round that is reported on: the best one, or the newest if none is the best.
        is_best: Whether it is the best one.
        judge: Recipe of the artifact that labels.
        target: Where it labels.
        untuned_certificates: Certificates of the student before training, by recipe.
        calls: Calls to language models; None if its config names none.
    """

    layout: RunLayout
    config: Mapping[str, Any]
    manifest: Manifest
    software: Mapping[str, Any]
    rounds: Sequence[RoundFacts]
    shown: RoundFacts
    is_best: bool
    judge: str
    target: str
    untuned_certificates: Mapping[str, Certificate]
    calls: LedgerReport | None

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.layout.root.resolve().name

    @property
    def student(self) -> str:
        """The model that was trained, as the config names it; of a folder elsewhere, its name alone."""
        return cut(without_folders(str(self.manifest.facts.get("student", {}).get("name", "a student"))))

    @property
    def sets(self) -> list[str]:
        """The sets that are reported on; valid, which chose the best round, is the last."""
        found = dict.fromkeys(figures.dataset for figures in self.shown.summary.evaluations)
        return sorted(found, key=lambda name: name == VALID)

    @property
    def targets(self) -> list[str]:
        """The targets that were evaluated on, the judge's first."""
        found = dict.fromkeys(figures.target for figures in self.shown.summary.evaluations)
        return sorted(found, key=lambda name: name != self.target)

    def figures(
        self, evaluations: Sequence[EvaluationFigures], dataset: str, *, recipe: str = "", target: str = ""
    ) -> EvaluationFigures | None:
        """Find the evaluation of a set; by default the judge's."""
        wanted = (dataset, recipe or self.judge, target or self.target)
        return next((one for one in evaluations if (one.dataset, one.recipe, one.target) == wanted), None)

    @property
    def replies(self) -> list[KeptEvaluation]:
        """The judge's replies in the round that is reported on: the reported sets, then those that it labelled."""
        return sorted(self._judged[self.shown.number], key=lambda one: one.is_labelling)

    @cached_property
    def _judged(self) -> dict[int | None, list[KeptEvaluation]]:
        """The judge's evaluations of every round, and of the student before training, on the target that labels."""
        folder = self.layout.untuned.evaluations / self.target / self.judge
        untuned = find_evaluations(folder) if any(_has_rows(path) for path in folder.glob("*")) else []
        found: dict[int | None, list[KeptEvaluation]] = {None: self._agreeing(untuned, self.rounds[-1].summary.untuned)}
        for one in self.rounds:
            found[one.number] = self._agreeing(find_evaluations(one.layout.root), one.summary.evaluations)
        return found

    def _agreeing(self, found: list[KeptEvaluation], figures: Sequence[EvaluationFigures]) -> list[KeptEvaluation]:
        """Return evaluations of the judge, checked.

        Raises:
            FddError: The rows of one are not those that its figures count.
        """
        for one in found:
            said = self.figures(figures, one.dataset)
            if said is not None or one.is_labelling:
                check_rows(one, said)
        return found

    def judged(self, number: int | None) -> dict[str, KeptEvaluation]:
        """Return the judge's evaluations of the reported sets, by name.

        Args:
            number: The round; None for the student before training.
        """
        return {one.dataset: one for one in self._judged[number] if one.is_reported}

    def elsewhere(self, target: str, dataset: str) -> KeptEvaluation | None:
        """Return the evaluation of the same file on another target; None if there is none."""
        folder = self.shown.layout.evaluation(target, self.judge, dataset)
        if not _has_rows(folder):
            return None
        (found,) = find_evaluations(folder)
        if (said := self.figures(self.shown.summary.evaluations, dataset, target=target)) is not None:
            check_rows(found, said)
        return found


def _has_rows(folder: Path) -> bool:
    return EvaluationFiles(folder).rows.is_file()


def read_run(path: Path) -> RunFacts:
    """Read a run.

    Raises:
        FddError: It is not a run, is still running, has no finished round, was written by another version, or is
            damaged.
    """
    layout = RunLayout(path)
    _check(layout)
    layout.refuse_links()
    manifest = read_manifest(layout)
    if manifest.format != RUN_FORMAT:
        raise FddError(
            f"{path} was made by version {manifest.made_by} of fdd-edge, whose runs this version cannot report on; "
            "make the report with that version, or run it again in another folder."
        )
    finished = [one for one in layout.rounds if one.summary.is_file()]
    if not finished:
        raise FddError(f"{path} has no finished round yet; finish one with: fdd-edge run {path}")
    try:
        rounds = [_read_round(one) for one in finished]
        best = next((one for one in rounds if one.layout.name == best_name(layout)), None)
        shown = best or rounds[-1]
        judge = str(manifest.facts.get("judge", ""))
        labelling = find_evaluations(shown.layout.root)
        target = labelling[0].folder.parts[-3]
        certified = {one: layout.untuned.parity(one) for one in {figures.recipe for figures in shown.summary.untuned}}
        source = read_config_source(str(layout.config))
        return RunFacts(
            layout,
            source,
            manifest,
            parse_json(layout.manifest.read_text(encoding="utf-8")),
            rounds,
            shown,
            best is not None,
            judge,
            target,
            {name: Certificate.read(file) for name, file in sorted(certified.items()) if file.is_file()},
            _calls(layout, source),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FddError(f"{path} is damaged ({error}); run it again, and what is missing is made anew.") from None


def _check(layout: RunLayout) -> None:
    """Refuse what is not a run, or is at work.

    Raises:
        FddError: It is one of these.
    """
    path = layout.root
    if not layout.is_run():
        inside = RunLayout(path.resolve().parent)
        if inside.is_run() and path.is_dir():
            raise FddError(f"{path} is a part of a run; name the run: {inside.root}")
        raise FddError(
            f"{path} is not a run: it has no {layout.config.name}." if path.exists() else f"{path} does not exist."
        )
    if is_held(layout.lock):
        raise FddError(
            f"{path} is still running; make its report when it has ended, or stop it first: finished work is kept."
        )


def _calls(layout: RunLayout, config: Mapping[str, Any]) -> LedgerReport | None:
    """Return the calls of a run that may have made some: a copy of it, with teachers, has the same id in the ledger."""
    teacher = config.get("teacher")
    asks = isinstance(teacher, Mapping) and bool(teacher.get("models"))
    return report_calls(layout, default_ledger(), points=None) if asks else None


def _read_round(layout: RoundLayout) -> RoundFacts:
    """Read a finished round; the names in its figures become paths.

    Raises:
        ValueError: One of them is not a plain name, or a figure is not one that a run writes.
    """
    summary = RoundResult.read(layout).summary
    check_figures(summary, layout.number)
    paths = {name: layout.parity(name) for name in summary.parity}
    certificates = {name: Certificate.read(path) for name, path in paths.items() if path.is_file()}
    return RoundFacts(layout, summary, _training_of(layout), certificates)


def _training_of(layout: RoundLayout) -> TrainingRecord:
    """Read what a training did, checked.

    Raises:
        ValueError: It is not what a training writes.
    """
    found = read_training(layout.adapter)
    try:
        return TypeAdapter(TrainingRecord).validate_python(vars(found))
    except ValidationError:
        raise ValueError(f"the record of the training of round {layout.number} is not what a training writes") from None
