"""How long a run takes, and what disk and memory it needs at most: its work, at the speeds of a machine.

Each constant below is a count of what the code does: passes over all weights, copies on the disk, tokens. The speeds
are measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fdd_edge.planning.span import Span
from fdd_edge.planning.speeds import FileSpeed, MachineSpeed
from fdd_edge.planning.workload import Decoding, RoundWork, Training, Work

__all__ = ["Forecast", "disk_of", "forecast_parts", "forecast_run"]

_FLOAT_BYTES = 4
_FORWARD = 0.5
"""Share of the forward pass: as many products as the backward pass, which needs none for frozen weights."""

_EXPORT_PASSES, _QUANTIZE_PASSES, _MERGE_PASSES, _GRID_PASSES, _ROUND_PASSES, _CERTIFICATE_PASSES = 4, 2, 4, 2, 5, 8
"""How often all weights are gone through, each time about as long as it takes to write and to hash them.

Export of a float file: read, put in the file's order, written, hashed; of a quantized one: the float file is hashed and
read. Merge: read, multiplied, written, hashed. Grids to train on: a float file, and the rounded weights. Rounding after
it: both, and the merged weights are read, rounded and written again. Certificate: both sides are hashed, read and
compared, and the float model is loaded and given others, unless the weights are its own.
"""

_REFERENCE_BATCH = 32
_LONGEST_OF_BATCH = (1, 2)
"""How many times the mean length of its replies a batch takes: those that end leave it, and the others take less."""

_OWN_WEIGHTS = 8
"""Replies of the item `own_weights` of a certificate."""

_ALONE, _TOGETHER, _BENCH_TOKENS = 5, 16, 64
"""Questions of a benchmark, one at a time and in a batch, and the tokens of a reply."""

_TORCH_BYTES = 0.5e9
"""Memory of a process that has loaded torch, transformers and peft."""

_COMPARED_COPIES, _ROUNDED_COPIES = 5, 2
"""Weights in float32 that a process holds: to compare a file, both sides mapped into memory, the file's weights read
back, the float model, and the weights it is given instead; after a training that rounds, the model and a copy too."""

_START_SECONDS = 1.0
"""Starting a process of Python with its libraries: a runner."""


@dataclass(frozen=True)
class Forecast:
    """What a run takes.

    Attributes:
        seconds: By what it is spent on: ``training``, ``evaluation``, ``certificates``, ``export``.
        disk: Largest size of the run folder.
        memory: Most memory of a process.
    """

    seconds: Mapping[str, Span]
    disk: Span
    memory: Span


def forecast_run(work: Work, speed: MachineSpeed) -> Forecast:
    """Predict a run."""
    seconds = {name: Span.of(0) for name in ("training", "evaluation", "certificates", "export")}
    seconds["training"] += speed.start_seconds
    for part in work.parts:
        if part.training is not None:
            seconds["training"] += _training(part.training, work, speed)
        seconds["export"] += _export(part, work, speed)
        if part.certified:
            seconds["certificates"] += _reference(part, work.few_prompts, work, speed)
        if part.unproved:
            seconds["certificates"] += _reference(part, work.prompts, work, speed)
        for recipe in part.certified:
            seconds["certificates"] += _certificate(part, recipe, work, speed)
        for recipe in part.measured:
            seconds["evaluation"] += _benchmark(part, speed.files[recipe])
        for decoding in part.decodings:
            seconds["evaluation"] += _decoding(decoding, speed.files[decoding.recipe])
    return Forecast(seconds, disk_of(work), memory_of(work, speed))


def forecast_parts(work: Work, speed: MachineSpeed) -> list[Mapping[str, Span]]:
    """Predict the seconds of each part of a run, by what they are spent on; libraries are loaded by the first."""
    speeds = [speed, *[replace(speed, start_seconds=0.0)] * (len(work.parts) - 1)]
    return [
        forecast_run(replace(work, parts=[part]), own).seconds for part, own in zip(work.parts, speeds, strict=True)
    ]


def _training(training: Training, work: Work, speed: MachineSpeed) -> Span:
    steps = training.batches * speed.step_seconds + training.tokens * speed.token_seconds
    validation = training.valid_tokens * speed.token_seconds * _FORWARD
    # The student is read; if its weights are rounded, a float file is written, quantized, and read back.
    start = _copy_seconds(work, speed)
    if work.rounds_weights:
        start += _GRID_PASSES * _copy_seconds(work, speed) + 2 * work.parameters * speed.quantize_seconds
    return steps + validation + start


def _export(part: RoundWork, work: Work, speed: MachineSpeed) -> Span:
    total = 0.0
    if part.training is not None:
        total += _MERGE_PASSES * _copy_seconds(work, speed)
        if work.rounds_weights:
            total += _ROUND_PASSES * _copy_seconds(work, speed) + work.parameters * speed.quantize_seconds
    for recipe in part.exported:
        is_float = work.sizes[recipe] >= work.parameters * _FLOAT_BYTES
        total += _EXPORT_PASSES * work.sizes[recipe] * speed.byte_seconds
        if not is_float:
            total += _QUANTIZE_PASSES * _copy_seconds(work, speed) + work.parameters * speed.quantize_seconds
    return Span.of(total)


def _reference(part: RoundWork, prompts: int, work: Work, speed: MachineSpeed) -> Span:
    """Return how long the float model takes for its replies to some prompts."""
    batches = -(-prompts // _REFERENCE_BATCH)
    reading = prompts * (part.texts.shared + part.texts.question) * speed.reference_token_seconds
    steps = Span(*(min(times * part.texts.reply, work.longest_reply) for times in _LONGEST_OF_BATCH)) * batches
    return steps * speed.reference_step_seconds + reading + _copy_seconds(work, speed)


def _certificate(part: RoundWork, recipe: str, work: Work, speed: MachineSpeed) -> Span:
    file, texts = speed.files[recipe], part.texts
    prompts = work.prompts if recipe in part.unproved else work.few_prompts
    replies = Decoding(recipe, Span.of(prompts), texts, work.longest_reply, prompts)
    scored = prompts * (texts.example * file.prompt_token_seconds + texts.reply * file.row_seconds)
    passes = _CERTIFICATE_PASSES * _copy_seconds(work, speed) + 2 * work.parameters * speed.quantize_seconds
    own = _OWN_WEIGHTS * (texts.example) * speed.reference_token_seconds
    return _decoding(replies, file) + scored + passes + own + _START_SECONDS


def _benchmark(part: RoundWork, file: FileSpeed) -> Span:
    tokens, longest = (min(_BENCH_TOKENS, times * part.texts.reply) for times in (1, 2))
    alone = _ALONE * tokens * file.alone_seconds
    together = longest * file.step(_TOGETHER, file.context)
    reading = (_ALONE + _TOGETHER) * (part.texts.question + part.texts.shared) * file.prompt_token_seconds
    return Span.of(_START_SECONDS + file.load_seconds + reading + alone + together)


def _decoding(decoding: Decoding, file: FileSpeed) -> Span:
    """Return how long a set takes: waves, in which replies share a batch until no problem is left."""

    def seconds(replies: float) -> float:
        if replies <= 0:
            return 0.0
        texts, total = decoding.texts, 0.0
        longest = min(2 * texts.reply, decoding.longest)
        left = replies
        while left > 0:
            here = min(left, decoding.wave)
            left -= here
            shared = min(here, file.batch)
            full = max(0.0, here / shared * texts.reply - texts.reply / 2)
            # At the end of a wave, replies run out one by one, down to the longest of the last.
            tail = longest - texts.reply / 2
            context = texts.shared + texts.question + texts.reply / 2
            total += (texts.shared + here * texts.question) * file.prompt_token_seconds
            total += full * file.step(shared, context) + tail * file.step((shared + 1) / 2, context)
        return total + file.load_seconds + _START_SECONDS

    return Span(seconds(decoding.replies.low), seconds(decoding.replies.high))


def _copy_seconds(work: Work, speed: MachineSpeed) -> float:
    """Return how long it takes to write the student in float32, and to hash it."""
    return work.parameters * _FLOAT_BYTES * speed.byte_seconds


def disk_of(work: Work) -> Span:
    """Return the largest size of a run folder: of the models of a round, of those that are kept, and the untuned's."""
    copy = float(work.parameters * _FLOAT_BYTES)
    models = [
        sum(work.sizes[recipe] for recipe in part.exported)
        + (copy if part.training is not None else 0)
        + (work.reference_bytes if part.certified else 0)
        for part in work.parts
    ]
    untuned = sum(size for size, part in zip(models, work.parts, strict=True) if part.training is None)
    rounds = [size for size, part in zip(models, work.parts, strict=True) if part.training is not None]
    return Span.of(untuned + max(rounds, default=0) * min(len(rounds), 1 + work.kept))


def memory_of(work: Work, speed: MachineSpeed) -> Span:
    """Return the most memory of a process: of the one that trains and compares, or of a runner."""
    copy = work.parameters * _FLOAT_BYTES
    runner = max((file.peak_rss_bytes for file in speed.files.values()), default=0.0)
    copies = _COMPARED_COPIES + (_ROUNDED_COPIES if work.rounds_weights else 0)
    return Span.of(max(_TORCH_BYTES + copies * copy, runner))
