"""What a run will take, before it begins: problems, calls, cost, hours, disk, memory, sizes; each with its source."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from fdd_edge.config import Config
from fdd_edge.config_file import override_source, parse_config
from fdd_edge.errors import FddError
from fdd_edge.operations.artifact_sizes import artifact_sizes
from fdd_edge.operations.machine_speed import Measured, SpeedOptions, machine_speed
from fdd_edge.pipeline.planned_calls import planned_calls
from fdd_edge.pipeline.planned_data import PlannedData, Shelf
from fdd_edge.pipeline.planned_hours import (
    decoded_calls,
    either,
    elsewhere,
    has_unknown_hours,
    parts_of,
    speed_options,
    timed,
    times,
)
from fdd_edge.pipeline.planned_work import PlannedRecipes, PlannedRun, plan_work, texts_of
from fdd_edge.planning import (
    CallWork,
    Compared,
    Figure,
    Knob,
    MachineSpeed,
    Shrunk,
    Span,
    StudentShape,
    Unit,
    disk_of,
    forecast_run,
    shrink,
)
from fdd_edge.resolve.planned_student import PlannedStudent, planned_student
from fdd_edge.result_base import Result
from fdd_edge.teachers.ledger import default_ledger

__all__ = ["RunPlan", "TooMuch", "plan_config", "plan_source"]

_HOUR = 3600.0

_NOBODY = StudentShape("llama", 1, 1, 1, 1, 1, 1, 1, True)
"""In the place of a student that is not here: what is counted does not depend on its sizes."""


@dataclass(frozen=True)
class TooMuch(Result):
    """A limit that a plan does not keep to.

    Attributes:
        name: Of the figure.
        unit: What is limited.
        limit: The most that is allowed.
        high: The most that is expected.
        ways: What would make it fit, each planned again.
    """

    name: str
    unit: Unit
    limit: float
    high: float
    ways: Sequence[Shrunk]


@dataclass(frozen=True)
class RunPlan(Result):
    """What a run will take; iterating over it yields the figures.

    Attributes:
        name: The config, or the run folder.
        figures: Numbers, each from its lowest to its highest.
        notes: What is not known, a sentence each.
        too_much: The limits that it does not keep to.
        compared: Of a run that has begun: its figures beside the real ones.
        parts: Seconds by what they are spent on, of every round and then of the untuned student, if it is evaluated;
            empty if hours are not known.
        is_partial: Whether something takes time that is not known, on another device or for calls.
    """

    name: str
    figures: Sequence[Figure]
    notes: Sequence[str] = ()
    too_much: Sequence[TooMuch] = ()
    compared: Sequence[Compared] = field(default=())
    parts: Sequence[Mapping[str, float]] = field(default=(), repr=False)
    is_partial: bool = False

    def __iter__(self) -> Any:
        return iter(self.figures)

    def figure(self, name: str) -> Figure | None:
        """Return a figure by its name, such as ``time.all``; None if it is not known."""
        return next((figure for figure in self.figures if figure.name == name), None)

    def _table_rows(self) -> Iterable[Mapping[str, Any]]:
        return [vars(figure) for figure in self.figures]

    def _shown(self) -> Iterable[tuple[str, object]]:
        return [(figure.name, f"{figure.low:.4g} - {figure.high:.4g} {figure.unit}") for figure in self.figures]


@dataclass
class _Known:
    """What planning again need not find out again."""

    shelf: Shelf = field(default_factory=Shelf)
    student: PlannedStudent | None = None
    sizes: dict[str, float] = field(default_factory=dict)
    speeds: dict[str, Measured] = field(default_factory=dict)
    undisturbed: bool = False


def plan_source(
    config: Config, source: Mapping[str, Any], name: str, *, hours: float | None = None, parity: bool = True
) -> RunPlan:
    """Plan a run, and find out what would have to shrink for it to keep to its budget and to some hours.

    Args:
        config: The checked config.
        source: The config as written.
        name: What it is called.
        hours: The most that it may take; None for any time.
        parity: Whether artifacts get certificates.

    Raises:
        FddError: A set or the student is missing or broken.
    """
    known = _Known(undisturbed=True)
    plan = replace(_plan(config, known, parity), name=name)
    budget = config.teacher.budget
    limits = [("teacher.calls", budget.calls), ("teacher.tokens", budget.tokens), ("teacher.cost", budget.cost)]
    if hours is not None:
        limits.append(("time.all", hours * _HOUR))
    too_much = []
    for figure_name, limit in limits:
        figure = plan.figure(figure_name)
        if limit is not None and figure is not None and figure.high > limit:
            again = partial(_again, source, known, parity, figure_name)
            ways = shrink(_knobs(config), limit, again)
            too_much.append(TooMuch(figure_name, figure.unit, limit, figure.high, ways))
    return replace(plan, too_much=too_much)


def plan_config(config: Config, *, parity: bool = True) -> RunPlan:
    """Plan a run; see ``plan_source``."""
    return _plan(config, _Known(), parity)


def _again(source: Mapping[str, Any], known: _Known, parity: bool, name: str, setting: str) -> float | None:
    """Plan with one key changed; return a figure's highest value, or None if that cannot be planned."""
    try:
        changed = parse_config(override_source(source, [setting]), "plan")
        figure = _plan(changed, known, parity).figure(name)
    except FddError:
        return None
    return 0.0 if figure is None else figure.high


def _knobs(config: Config) -> list[Knob]:
    """Return the keys by which a run can be made smaller."""
    feedback, training = config.feedback, config.training
    found = [
        Knob("feedback.limit", feedback.limit, 1),
        Knob("rounds", config.rounds, 1),
        Knob("feedback.per_easy", feedback.per_easy, 0),
        Knob("feedback.per_hard", feedback.per_hard, 0),
        Knob("teacher.draws", config.teacher.draws, 1),
    ]
    if training.max_tokens is not None:
        found.append(Knob("training.max_tokens", training.max_tokens, 1000))
    else:
        found.append(Knob("training.num_train_epochs", training.num_train_epochs, 0.1, whole=False))
    for role, sets in (("train", config.data.train), ("eval", config.data.eval)):
        if len(sets) == 1 and sets[0].limit is not None:
            row = {key: value for key, value in vars(sets[0]).items() if value is not None and key != "limit"}
            text = json.dumps(row)[:-1] + ', "limit": @}'
            found.append(Knob(f"data.{role}", sets[0].limit, 20, template=f"[{text}]"))
    return found


def _plan(config: Config, known: _Known, parity: bool) -> RunPlan:
    data = PlannedData.of(config, known.shelf)
    notes = list(data.notes)
    if known.student is None:
        known.student = planned_student(config.student.model_name_or_path, config.student.revision)
    recipes = PlannedRecipes.of(config)
    student = known.student
    if student is None:
        name = config.student.model_name_or_path
        notes.append(
            f"{name} is not in the hub's cache, and a plan downloads nothing: its hours, disk, memory and files are "
            f"not known. Fetch it first: hf download {name}"
        )
    texts, basis = texts_of(config, data, student)
    if student is not None and not known.sizes.keys() >= recipes.all.keys():
        known.sizes |= artifact_sizes(student.shape, recipes.all, student.vocab)
    shape = _NOBODY if student is None else student.shape
    planned = plan_work(config, data, recipes, texts, shape, known.sizes, parity=parity)
    other_devices = elsewhere(config, planned, notes)
    if any(recipe.family != "gguf" for recipe in recipes.all.values()):
        notes.append("An ONNX artifact counts as a llama.cpp file with as many bits; ONNX Runtime's speed may differ.")
    few, many = (planned_calls(config, data, asked, default_ledger()) for asked in planned.asked)
    figures = [*_problems(data, planned, texts.example, basis), *_calls(few, many)]
    parts: list[dict[str, float]] = []
    is_partial = False
    if student is not None:
        speed = _speed(speed_options(config, recipes, student), known, notes)
        if speed is not None:
            decoded = decoded_calls(config, student, recipes, speed, notes)
            few, many = timed(few, decoded), timed(many, decoded)
            figures += times(planned, few, many, speed, other_devices)
            parts = parts_of(config, planned, few, many, speed, other_devices)
            is_partial = has_unknown_hours(config, few, many, other_devices)
        disk = disk_of(planned.work) if speed is None else forecast_run(planned.work, speed).disk
        figures.append(Figure.of("space.disk", "bytes", disk, "the run folder at its largest"))
        if speed is not None:
            memory = forecast_run(planned.work, speed).memory
            figures.append(Figure.of("space.memory", "bytes", memory, "of the largest process"))
        figures += [
            Figure.of(f"files.{name}", "bytes", Span.of(known.sizes[name]), _size_basis(name)) for name in recipes.all
        ]
    return RunPlan("", figures, notes, parts=parts, is_partial=is_partial)


def _size_basis(recipe: str) -> str:
    return "llama.cpp's dry run" if recipe.startswith("gguf") else "estimated from bits per weight"


def _problems(data: PlannedData, planned: PlannedRun, tokens: float, basis: str) -> list[Figure]:
    trained, replies = planned.trained, sum(planned.replies.values(), Span.of(0))
    found = [Figure.of("problems.first round", "problems", trained[0], "read from data.train")]
    if len(trained) > 1:
        found.append(Figure.of("problems.last round", "problems", trained[-1], "half to all new ones are accepted"))
    return [
        *found,
        Figure.of("problems.labelled", "problems", Span.of(sum(planned.labelled)), "all rounds together"),
        Figure.of("problems.answered", "problems", replies, "replies on all targets; 20-80 % are easy"),
        Figure.of("problems.tokens of one", "tokens", Span.of(round(tokens)), basis),
    ]


Calls = Sequence[CallWork]


def _calls(few: Calls, many: Calls) -> list[Figure]:
    """Return the calls by teacher and purpose, and what all of them take, if few problems are easy and if many are."""
    if not few and not many:
        return []
    named: dict[str, tuple[Span, str]] = {}
    for work in (*few, *many):
        name = f"teacher.calls: {work.teacher}, {work.purpose}"
        named[name] = (work.calls.or_else(named[name][0]) if name in named else work.calls, work.basis)
    found = [Figure.of(name, "calls", span, basis) for name, (span, basis) in named.items()]
    found.append(Figure.of("teacher.calls", "calls", either(few, many, lambda work: work.calls) or Span.of(0)))
    found.append(Figure.of("teacher.tokens", "tokens", either(few, many, lambda work: work.all_tokens) or Span.of(0)))
    if (cost := either(few, many, lambda work: work.cost)) is not None:
        sources = dict.fromkeys(work.price_source for work in (*few, *many) if work.price_source)
        found.append(Figure.of("teacher.cost", "cost", cost, "; ".join(sources)))
    return found


def _speed(options: SpeedOptions, known: _Known, notes: list[str]) -> MachineSpeed | None:
    """Return how fast this machine is; what keeps it from being measured is noted."""
    key = options.key()
    try:
        if key not in known.speeds:
            known.speeds[key] = machine_speed(options, undisturbed=known.undisturbed)
    except FddError as error:
        notes.append(f"Hours and memory are not known: {error}")
        return None
    if known.speeds[key].disturbed:
        notes.append(
            "Other programs were using this machine while it was measured, so the hours may be far too many. Plan "
            "again when it is idle: it is measured again."
        )
    return known.speeds[key].speed
