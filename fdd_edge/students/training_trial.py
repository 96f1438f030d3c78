"""How fast this machine trains and runs a student of some shape, measured on one of few layers with random weights."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from fdd_edge.students.tokenizer import Example
from fdd_edge.students.training_options import LoraOptions

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["LONG", "PROMPTS", "PROMPT_TOKENS", "SHORT", "ShapeTrial", "try_shape"]

SHORT, LONG = (4, 48, 16), (4, 144, 48)
"""Two batches of training: examples, tokens of each, and how many of them are the reply's."""

PROMPTS, PROMPT_TOKENS = 16, 96
"""Prompts that the reference answers together, and their length."""

_STEPS = 3
"""Times that each figure is measured: the shortest counts, because others may use the machine meanwhile."""


class ShapeTrial(NamedTuple):
    """What a student of a number of layers takes, in seconds.

    Attributes:
        layers: How many it had.
        short_step: A step of training on the batch ``SHORT``.
        long_step: A step of training on the batch ``LONG``.
        reading: The reference in float32 reads its prompts.
        writing: It writes one token of each reply.
    """

    layers: int
    short_step: float
    long_step: float
    reading: float
    writing: float


def try_shape(
    config: Mapping[str, int | bool | str],
    *,
    layers: int,
    lora: LoraOptions,
    max_length: int,
    bf16: bool,
    grid: str | None,
    threads: int | None,
) -> ShapeTrial:
    """Measure a student.

    Args:
        config: Its sizes, by Hugging Face's keys, with ``model_type``.
        layers: How many layers it gets, whatever ``config`` says; an encoder as many again.
        lora: Shape of the adapter.
        max_length: Longest example, which decides how attention is computed.
        bf16: Whether it is trained in bfloat16; float32 if not.
        grid: Tensor type whose rounding it is trained for; None for plain training.
        threads: Of both; None for every core that this process may use in training, and torch's own number else.
    """
    import torch

    before, random_state = torch.get_num_threads(), torch.get_rng_state()
    try:
        if threads is not None:
            torch.set_num_threads(threads)
        model = _build(config, layers)
        reading, writing = _try_reference(model)
        torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
        short, long = _try_training(model, lora, max_length, bf16, grid)
    finally:
        torch.set_num_threads(before)
        torch.set_rng_state(random_state)
    return ShapeTrial(layers, short, long, reading, writing)


def _build(config: Mapping[str, int | bool | str], layers: int) -> PreTrainedModel:
    """Return a model with random weights."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    rest = {key: value for key, value in config.items() if key != "model_type"}
    depth: dict[str, int] = {
        key: layers for key in ("num_hidden_layers", "num_layers", "num_decoder_layers") if key in rest
    }
    shape = AutoConfig.for_model(config["model_type"], **(rest | depth))
    kind = AutoModelForSeq2SeqLM if shape.is_encoder_decoder else AutoModelForCausalLM
    model: PreTrainedModel = kind.from_config(shape)
    return model.eval()


def _try_reference(model: PreTrainedModel) -> tuple[float, float]:
    """Return how long the reference takes to read its prompts, and to write one token of each reply."""
    import torch

    from fdd_edge.students.float_model import start_decoder, start_encoder_decoder

    start = start_encoder_decoder if model.config.is_encoder_decoder else start_decoder
    with torch.inference_mode():
        readings = []
        for _ in range(2):
            began = time.perf_counter()
            step, ids, _ = start(model, [[1] * PROMPT_TOKENS] * PROMPTS)
            step(ids)
            readings.append(time.perf_counter() - began)
        following = torch.ones(PROMPTS, 1, dtype=torch.long)

        def write() -> None:
            step(following)[:, -1].float().topk(2, dim=-1)

        return min(readings), _shortest(write)


def _try_training(
    model: PreTrainedModel, lora: LoraOptions, max_length: int, bf16: bool, grid: str | None
) -> tuple[float, float]:
    """Return how long a step on each of the two batches takes."""
    import torch

    from fdd_edge.students.batches import collate, collate_for_encoder, to_rows
    from fdd_edge.students.lora_training import adapt

    dtype = torch.bfloat16 if bf16 else torch.float32
    weights = None if grid is None else _Same(model, grid)
    adapted = adapt(
        model if grid else model.to(dtype), lora, "trial", max_length=max_length, dtype=dtype, quantized=weights
    ).train()
    optimizer = torch.optim.AdamW([p for p in adapted.parameters() if p.requires_grad], lr=0.0, fused=True)
    pad = collate_for_encoder if model.config.is_encoder_decoder else collate

    def step_on(size: tuple[int, int, int]) -> Callable[[], None]:
        examples, tokens, reply = size
        batch = pad(to_rows([Example([1] * (tokens - reply), [1] * reply)] * examples))

        def step() -> None:
            adapted(**batch)["loss"].backward()
            torch.nn.utils.clip_grad_norm_(adapted.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

        return step

    step_on(SHORT)()
    return _shortest(step_on(SHORT)), _shortest(step_on(LONG))


def _shortest(work: Callable[[], object]) -> float:
    found = []
    for _ in range(_STEPS):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


class _Same:
    """Quantized weights that are the model's own: the values change no time."""

    def __init__(self, model: PreTrainedModel, grid: str) -> None:
        self._weights = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
        self._grid = grid

    def type_of(self, name: str) -> str:
        """Return the type that every matrix has."""
        return self._grid

    def dequantized(self, name: str) -> npt.NDArray[np.float32]:
        """Return a weight as it is."""
        found: npt.NDArray[np.float32] = self._weights[name].astype(np.float32)
        return found
