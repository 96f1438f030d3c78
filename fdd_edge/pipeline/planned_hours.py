"""How long a run takes: on this machine by its speed, on other devices and for calls by what was measured before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from fdd_edge.artifacts.recipe import load_gguf_recipe
from fdd_edge.config import Config
from fdd_edge.ondevice.device_info import physical_cores
from fdd_edge.operations.machine_speed import SpeedOptions
from fdd_edge.operations.teacher_file import find_teacher_file
from fdd_edge.operations.throughput import read_throughput
from fdd_edge.pipeline.planned_work import PlannedRecipes, PlannedRun
from fdd_edge.planning import CallWork, Figure, FileSpeed, MachineSpeed, Span, forecast_parts, forecast_run
from fdd_edge.resolve.planned_student import PlannedStudent, shape_of_gguf
from fdd_edge.runs import RunLayout
from fdd_edge.students.training_options import NO_RECIPE
from fdd_edge.targets import TargetRuntime, load_profile
from fdd_edge.teachers.language_model.teacher_options import GgufOptions

__all__ = [
    "decoded_calls",
    "either",
    "elsewhere",
    "has_unknown_hours",
    "parts_of",
    "speed_options",
    "timed",
    "times",
]


def speed_options(config: Config, recipes: PlannedRecipes, student: PlannedStudent) -> SpeedOptions:
    """Return what has to be measured of this machine for a run."""
    qat = config.training.quantization_aware
    runtime = TargetRuntime(load_profile("local"), recipes.judge.family)
    return SpeedOptions(
        student.shape,
        list(recipes.all.values()),
        config.lora,
        config.training.max_length,
        config.student.dtype,
        None if qat == NO_RECIPE else load_gguf_recipe(qat).type.upper(),
        config.training.threads,
        runtime.threads(config.decoding.threads or physical_cores()),
        config.decoding.batch_size,
    )


def times(
    planned: PlannedRun,
    few: Sequence[CallWork],
    many: Sequence[CallWork],
    speed: MachineSpeed,
    other_devices: Mapping[str, Span],
) -> list[Figure]:
    """Return the hours of a run, by what they are spent on, and all of them.

    Args:
        planned: What it does.
        few: Its calls if few problems are easy.
        many: Its calls if many are.
        speed: Of this machine.
        other_devices: Seconds that other devices take, by their names.
    """
    forecast = forecast_run(planned.work, speed)
    seconds = {name: (span, "this machine's speed") for name, span in forecast.seconds.items()}
    if few or many:
        waited = either(few, many, lambda work: work.seconds)
        if waited is not None:
            seconds = {"teacher": (waited, "calls in the ledger, or this machine"), **seconds}
    seconds |= {f"on {name}": (span, "measured in an earlier round") for name, span in other_devices.items()}
    total = sum((span for span, _ in seconds.values()), Span.of(0))
    figures = [Figure.of(f"time.{name}", "seconds", span, basis) for name, (span, basis) in seconds.items()]
    return [*figures, Figure.of("time.all", "seconds", total, "without what is not measured")]


def parts_of(
    config: Config,
    planned: PlannedRun,
    few: Sequence[CallWork],
    many: Sequence[CallWork],
    speed: MachineSpeed,
    other_devices: Mapping[str, Span],
) -> list[dict[str, float]]:
    """Return the seconds of every round, and then of the untuned student, by what they are spent on.

    Calls and other devices take each round as long as any other; see ``times`` for the arguments.
    """
    calls = either(few, many, lambda work: work.seconds) if few or many else None
    elsewhere_seconds = sum((span for span in other_devices.values()), Span.of(0))
    parts = [{kind: span.middle for kind, span in part.items()} for part in forecast_parts(planned.work, speed)]
    for part in parts[: config.rounds]:
        part["teacher"] = 0.0 if calls is None else calls.middle / config.rounds
        part["evaluation"] += elsewhere_seconds.middle / config.rounds
    return parts


def has_unknown_hours(
    config: Config, few: Sequence[CallWork], many: Sequence[CallWork], other_devices: Mapping[str, Span]
) -> bool:
    """Return whether there are calls, or devices, of which nobody knows how long they take."""
    others = {load_profile(name).name for name in (*config.targets, config.feedback.target) if not _is_here(name)}
    unknown_calls = bool(few or many) and either(few, many, lambda work: work.seconds) is None
    return unknown_calls or not others <= other_devices.keys()


def _is_here(target: str) -> bool:
    return load_profile(target).transport == "local"


def either(few: Sequence[CallWork], many: Sequence[CallWork], part: Callable[[CallWork], Span | None]) -> Span | None:
    """Return what all calls take together, in either case; None if that is not known of one of them."""
    totals = []
    for calls in (few, many):
        spans = [part(work) for work in calls]
        if None in spans:
            return None
        totals.append(sum((span for span in spans if span is not None), Span.of(0)))
    return totals[0].or_else(totals[1])


def decoded_calls(
    config: Config, student: PlannedStudent, recipes: PlannedRecipes, speed: MachineSpeed, notes: list[str]
) -> dict[str, FileSpeed]:
    """Return the speed of teachers that are model files on this machine: the judge's, in proportion to the weights."""
    found = {}
    for name in dict.fromkeys([*config.teacher.rationale, config.teacher.evolve]):
        model = config.teacher.models.get(name)
        if not isinstance(model, GgufOptions):
            continue
        if load_profile(model.target).transport != "local":
            notes.append(f"{name} is decoded on {model.target}, so the hours of its calls are not known.")
            continue
        weights = shape_of_gguf(find_teacher_file(model).path, model.gguf).parameters / student.shape.parameters
        found[name] = speed.files[recipes.judge.name].scaled(weights)
    return found


def timed(calls: Sequence[CallWork], decoded: Mapping[str, FileSpeed]) -> list[CallWork]:
    """Put the seconds of a call into those that a model file answers."""
    found = []
    for work in calls:
        if (file := decoded.get(work.teacher)) is not None:
            reading = work.tokens.input.middle * file.prompt_token_seconds
            writing = work.tokens.output.middle * file.together_seconds / file.batch
            work = replace(work, tokens=replace(work.tokens, latency=reading + writing))
        found.append(work)
    return found


def elsewhere(config: Config, planned: PlannedRun, notes: list[str]) -> dict[str, Span]:
    """Return how long other devices than this machine take, by what an earlier round measured; note the others."""
    layout, found = RunLayout(config.output_path), {}
    for name in dict.fromkeys([*config.targets, config.feedback.target]):
        if _is_here(name):
            continue
        target, replies = load_profile(name).name, planned.replies[name]
        measured = [one.throughput(target) for one in layout.rounds if one.throughput(target).is_file()]
        try:
            throughput = read_throughput(measured[-1])
            found[target] = replies * (throughput.seconds / throughput.runners)
        except (IndexError, OSError, ValueError, TypeError, AttributeError, ZeroDivisionError):
            notes.append(
                f"{target} is another device than this machine's CPU: {replies.high:,.0f} replies are decoded on it, "
                "and their time is not part of the hours. A round announces it before it begins."
            )
    return found
