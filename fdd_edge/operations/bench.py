"""What a file costs on a target: load time, first token, speeds, memory, and the conditions of the measurement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Self

from fdd_edge.artifacts.facts import describe_model, model_bytes
from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.model_files import model_in
from fdd_edge.ondevice.protocol import Decoding, Settings, TargetInfo, Task, Timing, Wave
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.attention_choice import decide_attention
from fdd_edge.operations.certify import packaged_prompts
from fdd_edge.operations.evaluation_timing import per_second
from fdd_edge.progress import progress
from fdd_edge.result_base import Result
from fdd_edge.targets import Budgets, Profile, TargetRuntime, first_answering, open_session

__all__ = ["MeasuredDevice", "Measurement", "measure", "read_measurement", "write_measurement"]

_ALONE = 5
"""Questions asked one at a time; the time to the first token is their median."""

_DECODING = Decoding(max_new_tokens=64, batch_size=16)
"""How the questions are answered: first one at a time, then ``batch_size`` of them in one batch."""


@dataclass(frozen=True)
class MeasuredDevice:
    """The device of a measurement; its fields are those of ``TargetInfo``."""

    board: str | None
    cpu: str
    cpu_features: list[str]
    emulated: bool
    machine: str
    runtime: str
    runtime_version: str
    system_info: str
    python: str


@dataclass(frozen=True)
class Measurement(Result):
    """One file on one target. None for what was not measured.

    Attributes:
        recipe: The recipe named in the file; None for a file that fdd-edge did not make.
        target: Name of the profile.
        transport: How it is reached.
        bytes: Size of the file.
        load_seconds: Until the file could be asked; it was read before, so this is not the first load after a start.
        first_token_seconds: From a question to the first token of its reply, the median of several.
        prompt_tokens_per_second: Reading prompts, one at a time.
        decode_tokens_per_second: Writing replies, one at a time, from the second token on.
        batch_tokens_per_second: Writing ``batch_size`` replies in one batch, including the time for prompts.
        batch_size: Replies in that batch.
        threads: Of the runtime.
        flash_attention: Whether llama.cpp decoded with flash attention.
        peak_rss_bytes: The most memory the runner held.
        temperature_c: The hottest part of the CPU, highest reading.
        clock_mhz: The mean clock of the cores, lowest reading.
        throttled: Whether the CPU was slowed down because of heat or power supply.
        joules_per_token: Energy per generated token, one reply at a time.
        device: Board, CPU, its features, whether it is emulated, machine, runtime, its version and build, Python.
        broken_budgets: Budgets of the target that the file exceeds, one sentence each.
    """

    recipe: str | None
    target: str
    transport: str
    bytes: int
    load_seconds: float
    first_token_seconds: float
    prompt_tokens_per_second: float | None
    decode_tokens_per_second: float | None
    batch_tokens_per_second: float | None
    batch_size: int
    threads: int
    peak_rss_bytes: int
    temperature_c: float | None
    clock_mhz: float | None
    throttled: bool | None
    joules_per_token: float | None
    device: MeasuredDevice
    broken_budgets: list[str]
    flash_attention: bool = False

    @property
    def emulated(self) -> bool:
        """Whether times and memory are those of an emulator, not of a board."""
        return self.device.emulated

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Self:
        """Build a measurement from its JSON object."""
        return cls(**{**row, "device": MeasuredDevice(**row["device"])})

    def __repr__(self) -> str:
        speed = self.decode_tokens_per_second
        return f"Measurement({self.recipe} on {self.target}: {self.bytes} bytes, {speed} tokens/s)"

    def _shown(self) -> Iterable[tuple[str, object]]:
        skipped = ("device", "broken_budgets") if not self.broken_budgets else ("device",)
        yield from ((name, value) for name, value in self.to_dict().items() if name not in skipped)
        yield "cpu", self.device.cpu


def measure(
    artifact: Path,
    *,
    runtime: TargetRuntime,
    prompt: str | None = None,
    threads: int | None = None,
    flash_attention: bool | None = None,
) -> Measurement:
    """Ask a file packaged questions on a target, one at a time and in a batch.

    On an emulated target one question is asked, and no batch: its times are not the board's.

    Args:
        artifact: The model file, or its folder.
        runtime: Where it runs. The boards of a pool are equal, so the first one that answers is measured.
        prompt: A template that holds ``{question}``, ``chat``, or None for the file's own.
        threads: None for one per physical core; ``threads`` in the target's profile takes precedence.
        flash_attention: None for whichever is faster for a batch; see ``decide_attention``.

    Raises:
        FddError: The file is broken, or it cannot be asked this way.
        TargetError: The target failed.
    """
    model = Path(model_in(artifact))
    asking = Asking(replace(_DECODING, threads=runtime.threads(threads), flash_attention=flash_attention))
    decoding = decide_attention(asking, runtime, model).decoding
    recipe = describe_model(model).recipe

    def measure_on(board: Profile) -> Measurement:
        return _measure_on(TargetRuntime(board, runtime.family), model, recipe, prompt, decoding)

    return first_answering(runtime.profile, measure_on)


def _measure_on(
    board: TargetRuntime, artifact: Path, recipe: str | None, prompt: str | None, decoding: Decoding
) -> Measurement:
    settings = Settings(decoding=replace(decoding, threads=board.threads(decoding.threads)))
    title = f"{artifact.parent.name}/{artifact.name} on {board.profile.name}"
    with open_session(board.profile, artifact, settings=settings, prompt=prompt, fresh=True) as session:
        info = session.info
        waves, alone = _questions(emulated=info.emulated)
        with progress(f"benchmark of {title}", sum(len(wave.tasks) for wave in waves), "questions") as seen:
            results = sorted(session.complete(waves, seen), key=lambda result: result.index)
        timings = [result.timing for result in results]
    return _measurement(
        board.profile, model_bytes(artifact), recipe, settings.decoding, info, timings[:alone], timings[alone:]
    )


def _questions(*, emulated: bool) -> tuple[list[Wave], int]:
    """Return the waves to ask, and how many of them hold a single question."""
    tasks = [Task(p.id, 0, p.question) for p in packaged_prompts()[: _ALONE + _DECODING.batch_size]]
    alone = [Wave(i, (task,)) for i, task in enumerate(tasks[: 1 if emulated else _ALONE])]
    return (alone if emulated else [*alone, Wave(len(alone), tuple(tasks[_ALONE:]))]), len(alone)


def write_measurement(
    out: Path,
    *,
    artifact: Path,
    runtime: TargetRuntime,
    threads: int,
    flash_attention: bool,
    budgets: Budgets,
) -> None:
    """Write the measurement of an artifact to the file ``out``; see ``measure``.

    Args:
        out: The file.
        artifact: The artifact's folder.
        runtime: Where it runs.
        threads: Of the runtime.
        flash_attention: Whether the run decodes with it.
        budgets: The target's; which of them the artifact exceeds is part of the measurement.
    """
    assert budgets == runtime.profile.budgets
    row = measure(artifact, runtime=runtime, threads=threads, flash_attention=flash_attention).to_dict()
    out.write_text(json.dumps(row, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_measurement(path: Path) -> Measurement:
    """Read a measurement back."""
    return Measurement.from_dict(parse_json(path.read_text(encoding="utf-8")))


def _measurement(
    profile: Profile,
    size: int,
    recipe: str | None,
    decoding: Decoding,
    info: TargetInfo,
    alone: Sequence[Timing],
    batch: Sequence[Timing],
) -> Measurement:
    every = [*alone, *batch]
    if not any(t.decode_tokens for t in alone):
        raise FddError("The file generated no token: the prompt fills its whole context.")
    first = [t.first_token_seconds for t in alone if t.first_token_seconds is not None]
    replied = [t for t in alone if t.first_token_seconds is not None and t.decode_tokens > 1]
    later = sum(t.decode_tokens - 1 for t in replied)
    writing = sum(t.seconds - (t.first_token_seconds or 0) for t in replied)
    joules = [t.conditions.joules for t in alone]
    throttled = [t.conditions.throttled for t in every if t.conditions.throttled is not None]
    measured = Measurement(
        recipe=recipe,
        target=profile.name,
        transport=profile.transport,
        bytes=size,
        load_seconds=round(info.load_seconds, 3),
        first_token_seconds=round(median(first), 4),
        prompt_tokens_per_second=_rate(sum(t.prompt_tokens for t in alone), sum(t.prompt_seconds for t in alone)),
        decode_tokens_per_second=_rate(later, writing),
        batch_tokens_per_second=_rate(sum(t.decode_tokens for t in batch), sum(t.seconds for t in batch)),
        batch_size=decoding.batch_size,
        threads=decoding.threads or 0,
        peak_rss_bytes=max(t.peak_rss_bytes for t in every),
        temperature_c=max((t.conditions.temperature_c for t in every if t.conditions.temperature_c), default=None),
        clock_mhz=min((t.conditions.clock_mhz for t in every if t.conditions.clock_mhz), default=None),
        throttled=any(throttled) if throttled else None,
        joules_per_token=None if None in joules else _per_token(joules, alone),
        device=MeasuredDevice(
            board=info.board,
            cpu=info.cpu,
            cpu_features=list(info.cpu_features),
            emulated=info.emulated,
            machine=info.machine,
            runtime=info.runtime,
            runtime_version=info.runtime_version,
            system_info=info.system_info,
            python=info.python,
        ),
        broken_budgets=[],
        flash_attention=info.flash_attention,
    )
    return replace(measured, broken_budgets=_broken(profile, measured))


def _rate(count: int, seconds: float) -> float | None:
    return per_second(count, seconds, 2) if count else None


def _per_token(joules: Sequence[float | None], alone: Sequence[Timing]) -> float | None:
    tokens = sum(t.decode_tokens for t in alone)
    return round(sum(j for j in joules if j is not None) / tokens, 3) if tokens else None


def _broken(profile: Profile, measured: Measurement) -> list[str]:
    """Return which budgets are exceeded; on an emulated device only the size counts."""
    budgets, broken = profile.budgets, []
    if budgets.max_size_mb is not None and measured.bytes / 1e6 > budgets.max_size_mb:
        broken.append(f"{measured.bytes / 1e6:.1f} MB on disk, at most {budgets.max_size_mb:g} MB allowed")
    if measured.emulated:
        return broken
    if budgets.max_rss_mb is not None and measured.peak_rss_bytes / 1e6 > budgets.max_rss_mb:
        broken.append(f"{measured.peak_rss_bytes / 1e6:.0f} MB of memory, at most {budgets.max_rss_mb:g} MB allowed")
    speed = measured.decode_tokens_per_second
    if budgets.min_tokens_per_s is not None and (speed or 0) < budgets.min_tokens_per_s:
        found = "speed not measured" if speed is None else f"{speed:.1f} tokens/s"
        broken.append(f"{found}, at least {budgets.min_tokens_per_s:g} required")
    return broken
