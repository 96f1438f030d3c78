"""Verifies what a run says about itself: its config, the figures of its rounds, and which round is the best."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from fdd_edge import __version__
from fdd_edge.config_file import load_config
from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.operations.figures import EvaluationFigures, evaluation_figures
from fdd_edge.pipeline.findings import Finding
from fdd_edge.pipeline.gates import best_of, judge_rounds
from fdd_edge.pipeline.round_summary import RoundSummary, summarize_round
from fdd_edge.pipeline.run import RunView, name_objects
from fdd_edge.runs import ArtifactsLayout, Manifest, RoundLayout, RunLayout
from fdd_edge.runs.hashing import HashCache

__all__ = ["RunFigures"]

_FAULTS = (FddError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, ZeroDivisionError)
"""What reading files that do not fit each other may raise."""

_OF_UNTUNED = {"untuned", "untuned_answers", "untuned_follows", "parity"}
"""Figures that are added once the untuned student was evaluated, after the last round."""

_OF_CONFIG = {"rounds", "would_repeat", "gates", "held_back", "num_fewshot", "target_new", *_OF_UNTUNED}
"""Figures that follow from the config too, which a resumed run may extend."""


@dataclass(frozen=True)
class RunFigures:
    """What a run says about itself.

    Attributes:
        run: The run.
        manifest: Its manifest.
    """

    run: RunLayout
    manifest: Manifest

    def config(self) -> Finding:
        """Return whether the config is the one that the run was made with."""
        name, stated = self.run.config.name, self.manifest.facts.get("config")
        fix = f"Restore {self.run.config} from a backup."
        if stated is not None:
            if HashCache().of(self.run.config) == stated:
                return Finding(name, True, "as it was written")
            return Finding(name, False, "is not the file that was written", fix)
        if isinstance(self._view, str):
            return Finding(name, None, f"cannot be compared: {self._view}")
        if (key := _wrong_setting(self._view, self.manifest)) is not None:
            return Finding(name, False, f"says something else about {key} than the manifest", fix)
        return Finding(name, None, "does not contradict the manifest, which states no hash of it")

    def summaries(self, covers: Callable[[str], bool]) -> Iterator[Finding]:
        """Yield whether the figures of each round are those that its files give."""
        for round_dir in self.run.rounds:
            name = self._name(round_dir.summary)
            if not covers(name):
                continue
            if round_dir.summary.is_file():
                yield self._summary(name, round_dir)
            elif self._is_finished(round_dir):
                yield Finding(name, False, "is missing, and the round is finished", self._fix(round_dir.summary))

    def best(self) -> Iterator[Finding]:
        """Yield whether ``best`` leads to the round that the gates and the evaluations make the best."""
        link, finished = self.run.best, [one for one in self.run.rounds if self._is_finished(one)]
        fix = f"Make the link again with: {self._again}"
        if link.exists() and not link.is_symlink():
            fix = f"Move {link} elsewhere, and make the link again with: {self._again}"
            yield Finding(link.name, False, "is not the link to the best round", fix)
            return
        if isinstance(self._view, str):
            yield Finding(link.name, None, f"cannot be judged: {self._view}")
            return
        leads_to = str(link.readlink()) if link.is_symlink() else None
        try:
            found = judge_rounds(self._view, finished[-1].number) if finished else []
            # A round that is being made counts for the next link.
            allowed = {best_of(found), best_of(judge_rounds(self._view)) if finished else None}
        except _FAULTS as error:
            yield Finding(link.name, False, f"cannot be judged by the evaluations ({error})", fix)
            return
        if leads_to not in ({best_of(found)} if len(finished) >= self._view.config.rounds else allowed):
            leads = "is missing" if leads_to is None else f"leads to {leads_to}"
            best = best_of(found)
            yield Finding(link.name, False, f"{leads}, and the best round is {best or 'none: each fails a gate'}", fix)
        elif leads_to is not None:
            yield Finding(link.name, True, f"leads to {leads_to}, the best round by the gates and the evaluations")

    def _summary(self, name: str, round_dir: RoundLayout) -> Finding:
        fix = self._fix(round_dir.summary)
        if not self._is_finished(round_dir):
            return Finding(name, False, "is of a round that the manifest does not call finished", fix)
        try:
            row = parse_json(round_dir.summary.read_text(encoding="utf-8"))
            stated = RoundSummary.from_row(row)
        except FddError as error:
            is_ours = self.manifest.made_by == __version__
            return Finding(name, False if is_ours else None, f"cannot be read: {error}", fix if is_ours else None)
        except _FAULTS as error:
            return Finding(name, False, f"cannot be read ({error})", fix)
        try:
            if (wrong := _wrong_evaluation(self.run, round_dir, stated)) is not None:
                return Finding(name, False, f"has other figures than the evaluation {wrong}", fix)
            if isinstance(self._view, str):
                return Finding(
                    name, None, f"has the figures of the evaluations; others were not compared: {self._view}"
                )
            parity = self.manifest.facts.get("parity", {}).get(round_dir.name) != "skipped"
            expected = _as_complete_as(stated, summarize_round(replace(self._view, parity=parity), round_dir))
        except _FAULTS as error:
            if self._is_pending(round_dir):
                return Finding(name, None, "has the figures of the evaluations; the config asks for more by now")
            return Finding(name, False, f"does not fit the files of the round ({error})", fix)
        wrong_keys = self._wrong_keys(row, stated, expected)
        if not wrong_keys:
            return Finding(name, True, "has the figures that the files of the round give")
        if wrong_keys <= self._may_be_older(stated, expected):
            return Finding(name, None, f"is older than the run; it lacks what followed: {self._again}")
        first = next(key for key in (*expected.to_row(), *row) if key in wrong_keys)
        return Finding(name, False, f"says something else about {first} than the files of the round", fix)

    def _wrong_keys(self, row: Mapping[str, Any], stated: RoundSummary, expected: RoundSummary) -> set[str]:
        """Return in which keys a summary differs; a run of an earlier version lacks some, and some inside them."""
        found = json.loads(json.dumps(expected.to_row()))
        is_new = "config" in self.manifest.facts
        written = row if is_new else json.loads(json.dumps({key: stated.to_row().get(key) for key in row}))
        keys = {*written, *found} if is_new else {*written}
        return {key for key in keys if key not in found or key not in written or not _same(written[key], found[key])}

    def _may_be_older(self, stated: RoundSummary, expected: RoundSummary) -> set[str]:
        """Return what may differ because a resumed run has not come to this round again."""
        if stated.rounds != expected.rounds and len(self.run.rounds) < expected.rounds:
            return _OF_CONFIG
        return _OF_UNTUNED if stated.untuned_follows or expected.untuned_follows else set()

    def _is_finished(self, round_dir: RoundLayout) -> bool:
        """Return whether the last stage of a round was made."""
        makes_own = not isinstance(self._view, str) and self._view.config.feedback.own_solutions
        return self._name(round_dir.own_solutions if makes_own else round_dir.curated) in self.manifest.stages

    def _is_pending(self, round_dir: RoundLayout) -> bool:
        """Return whether the config asks for an evaluation that was not made: the run was extended and stopped."""
        assert isinstance(self._view, RunView)
        targets = [target.name for target in self._view.named.targets]
        wanted = [
            (target, recipe, name)
            for target in targets
            for recipe in self._view.evaluated
            for name in self._view.reported
        ]
        return any(self._name(round_dir.evaluation(*place)) not in self.manifest.stages for place in wanted)

    @cached_property
    def _view(self) -> RunView | str:
        """What the figures follow from, or why that cannot be read here."""
        facts = self.manifest.facts
        try:
            config, _ = load_config(str(self.run.config))
            named = name_objects(config, str(facts.get("id", "")), facts.get("teacher_prompts"))
        except FddError as error:
            return str(error)
        return RunView(config, self.run, named, parity=True)

    @property
    def _again(self) -> str:
        return shlex.join(["fdd-edge", "run", str(self.run.root)])

    def _fix(self, path: Path) -> str:
        return f"Restore {path} from a backup; without one, delete it, and make it again with: {self._again}"

    def _name(self, path: Path) -> str:
        return path.relative_to(self.run.root).as_posix()


def _wrong_setting(view: RunView, manifest: Manifest) -> str | None:
    """Return a key of a config that contradicts what the manifest of an earlier version says; None if none does."""
    facts, config = manifest.facts, view.config
    data = manifest.stages.get(view.layout.data.name)
    first = manifest.stages.get(view.layout.round(0).adapter.relative_to(view.layout.root).as_posix())
    setup = {} if first is None else first.options.get("setup")
    trained = setup.get("training") if isinstance(setup, dict) else None
    stated: dict[str, tuple[object, object]] = {
        "feedback.artifact": (facts.get("judge"), view.named.judge.name),
        "student.model_name_or_path": (facts.get("student", {}).get("name"), config.student.model_name_or_path),
        "decoding.threads": (config.decoding.threads and facts.get("threads"), config.decoding.threads),
        "seed": (None if data is None else data.options.get("seed"), config.seed),
    }
    for key, value in trained.items() if isinstance(trained, dict) else ():
        if isinstance(value, bool | int | float | str) and hasattr(config.training, key):
            stated[f"training.{key}"] = (value, getattr(config.training, key))
    return next((key for key, (was, now) in stated.items() if was is not None and was != now), None)


def _same(one: Any, other: Any) -> bool:
    """Return whether two values of JSON are the same; the last bits of a fraction may differ between machines."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)


def _as_complete_as(stated: RoundSummary, expected: RoundSummary) -> RoundSummary:
    """Return the expected figures without those of cut replies, if the version that wrote the summary had none."""
    if not all(figures.cut is None for figures in (*stated.evaluations, *stated.untuned)):
        return expected
    evaluations, untuned = (
        [replace(figures, cut=None) for figures in listed] for listed in (expected.evaluations, expected.untuned)
    )
    return replace(expected, evaluations=evaluations, untuned=untuned)


def _wrong_evaluation(run: RunLayout, round_dir: RoundLayout, summary: RoundSummary) -> str | None:
    """Return an evaluation whose figures the summary of its round does not have; None if all are right."""
    before = run.round(round_dir.number - 1) if round_dir.number else None
    stated: list[tuple[ArtifactsLayout, ArtifactsLayout | None, EvaluationFigures]] = [
        *((round_dir, before, figures) for figures in summary.evaluations),
        *((run.untuned, None, figures) for figures in summary.untuned),
    ]
    for layout, previous, figures in stated:
        place = (figures.target, figures.recipe, figures.dataset)
        earlier = None if previous is None else previous.evaluation(*place)
        found = evaluation_figures(layout.evaluation(*place), *place, before=earlier)
        if (replace(found, cut=None) if figures.cut is None else found) != figures:
            return layout.evaluation(*place).relative_to(run.root).as_posix()
    return None
