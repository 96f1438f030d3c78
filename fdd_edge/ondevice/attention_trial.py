"""Which attention a device decodes a batch with: llama.cpp's flash attention or its standard one, by a measurement.

Neither is faster everywhere. For a step of 16 replies, flash attention took 0.7 of the time of the standard one on one
x86 server and 1.5 times as long on another.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import NamedTuple

from .device_info import is_emulated
from .protocol import RunnerError, Settings
from .runtime import Context, Model

__all__ = ["AttentionTrial", "choose_attention"]

_CELLS = 256
"""Room of a sequence in the trial: the least that a wave's context has."""
_READ = 144
"""Tokens before the measured step: those of a word problem and half of its program."""
_STEPS = 4
_TURNS = 2
_WORTH = 0.95
"""Flash attention is chosen if a step takes less than this share of a standard one in every turn: it rounds more."""


class AttentionTrial(NamedTuple):
    """What a device decodes with, and by which measurement.

    Attributes:
        flash: Whether with flash attention.
        standard_seconds: A token for each reply of a batch, with standard attention; None if nothing was measured.
        flash_seconds: The same with flash attention.
    """

    flash: bool
    standard_seconds: float | None = None
    flash_seconds: float | None = None


def choose_attention(model: Model, settings: Settings) -> AttentionTrial:
    """Return what the settings ask for, or whichever attention is faster here if they ask for that.

    Nothing is measured where it does not matter or would mean nothing: one reply at a time, a runtime without the
    choice, a context of a few tokens, an emulated device. With a key-value cache in float32, which is for comparing
    runtimes, attention is standard: flash attention rounds to float16, whatever the cache holds.

    Raises:
        RunnerError: The runtime failed.
    """
    decoding = settings.decoding
    replies = min(decoding.batch_size, decoding.wave)
    if not model.has_flash_attention or settings.kv == "f32":
        return AttentionTrial(False)
    if not settings.choose_attention or decoding.flash_attention is not None:
        return AttentionTrial(bool(decoding.flash_attention))
    if replies == 1 or model.keeps_state or model.n_ctx_train < _CELLS or is_emulated():
        return AttentionTrial(False)
    standard: list[float] = []
    flash: list[float] = []
    for _ in range(_TURNS):
        for times, kind in ((standard, False), (flash, True)):
            context = _open(model, settings, replies, flash=kind)
            if context is None:
                return AttentionTrial(False)
            try:
                times.append(_step_seconds(context, replies))
            finally:
                context.close()
    is_faster = all(one < _WORTH * other for one, other in zip(flash, standard, strict=True))
    return AttentionTrial(is_faster, min(standard), min(flash))


def _open(model: Model, settings: Settings, replies: int, *, flash: bool) -> Context | None:
    """Return a context, or None if llama.cpp has none for this architecture, or too little memory."""
    with suppress(RunnerError):
        return model.open_context(_CELLS, replies, settings.threads, settings.kv, flash=flash)
    return None


def _step_seconds(context: Context, replies: int) -> float:
    """Return how long it takes to add a token to every reply: the shortest time, as others may use the cores."""
    context.read(0, 0, [0] * _READ)
    for sequence in range(1, replies):
        context.copy(0, sequence)
    shortest = float("inf")
    for position in range(_READ, _READ + _STEPS):
        began = time.perf_counter()
        context.step([0] * replies, [position] * replies)
        shortest = min(shortest, time.perf_counter() - began)
    return shortest
