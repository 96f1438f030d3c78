"""What a run asks language models for, in calls, tokens and money; banks and built-in teachers cost nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from fdd_edge.config import Config
from fdd_edge.operations.teaching import TeacherModel
from fdd_edge.pipeline.planned_data import PlannedData
from fdd_edge.planning import CallWork, Span, TokensOfCall, guessed_tokens
from fdd_edge.records import Problem
from fdd_edge.teachers.language_model._calls import Purpose
from fdd_edge.teachers.language_model.prices import price_of
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions, Price, RecordedOptions
from fdd_edge.teachers.language_model.teacher_prompts import TeacherPrompts, read_prompts
from fdd_edge.teachers.ledger.measured_calls import measured_calls

__all__ = ["planned_calls"]

_SAMPLE = 64
"""Problems by which the length of a prompt is known."""

_PURPOSES: tuple[Purpose, ...] = ("rationale", "complexify", "similar")


def planned_calls(config: Config, data: PlannedData, asked: Mapping[str, Span], ledger: Path) -> list[CallWork]:
    """Return the calls to each language model for each purpose.

    Args:
        config: Its config.
        data: Its problems.
        asked: New problems that the writer is asked for, by purpose.
        ledger: The user's ledger of calls.
    """
    prompts = read_prompts(config.teacher.prompts)
    sample = list(data.read[:: 1 + len(data.read) // _SAMPLE])
    calls: dict[tuple[str, Purpose], Span] = {}

    def add(teacher: str, purpose: Purpose, n: Span) -> None:
        calls[teacher, purpose] = calls.get((teacher, purpose), Span.of(0)) + n

    for teacher, missing in data.calls.items():
        if teacher:
            add(teacher, "rationale", Span.of(missing * config.teacher.draws))
    for purpose, n in asked.items():
        for known in _PURPOSES[1:]:
            if known == purpose:
                add(config.teacher.evolve, known, n)
                # What it writes is solved again by the other draws.
                add(config.teacher.evolve, "rationale", n * (config.teacher.draws - 1))
    return [
        _call(config, teacher, model, purpose, n, prompts, sample, ledger)
        for (teacher, purpose), n in calls.items()
        if n.high and (model := _asked(config, teacher)) is not None
    ]


def _asked(config: Config, teacher: str) -> TeacherModel | None:
    model = config.teacher.models.get(teacher)
    return None if isinstance(model, RecordedOptions) else model


def _call(
    config: Config,
    teacher: str,
    model: TeacherModel,
    purpose: Purpose,
    calls: Span,
    prompts: TeacherPrompts,
    sample: Sequence[Problem],
    ledger: Path,
) -> CallWork:
    assert not isinstance(model, RecordedOptions)
    most = _longest_reply(model)
    tokens = guessed_tokens(_letters(prompts, purpose, sample), most)
    if not isinstance(model, EndpointOptions):
        return CallWork(teacher, purpose, calls, tokens, Price(0, 0), basis="guessed; a model file costs nothing")
    quote = price_of(model)
    basis = "tokens guessed, up to max_tokens"
    if (known := measured_calls(ledger, model.address, model.model, purpose)) is not None:
        basis = f"tokens of {known.calls:,} calls in the ledger"
        tokens = TokensOfCall(Span(*known.input_tokens), Span(*known.output_tokens), known.calls, known.latency)
    return CallWork(
        teacher,
        purpose,
        calls,
        tokens,
        None if quote is None else quote.price,
        model.max_concurrency,
        basis,
        "" if quote is None else f"price of {quote.source}",
    )


def _longest_reply(model: TeacherModel) -> int | None:
    if isinstance(model, EndpointOptions):
        body = model.request_body({})
        found = body.get("max_tokens") or body.get("max_completion_tokens")
        return found if isinstance(found, int) else None
    return None if isinstance(model, RecordedOptions) else model.max_tokens


def _letters(prompts: TeacherPrompts, purpose: Purpose, sample: Sequence[Problem]) -> float:
    """Return how long a prompt is."""
    if not sample:
        return float(sum(map(len, prompts.texts.values())))
    lengths = [_length(prompts, purpose, problem) for problem in sample]
    return fmean(lengths)


def _length(prompts: TeacherPrompts, purpose: Purpose, problem: Problem) -> int:
    change = prompts.change(problem.id, 0) if purpose == "complexify" else ""
    return sum(len(message["content"]) for message in prompts.messages(purpose, problem, change=change))
