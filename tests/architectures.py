"""Tiny models of every architecture, and what both sides compute of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest


class Case(NamedTuple):
    """One tiny model: an architecture, whether its head is tied, whether it has biases everywhere."""

    architecture: str
    tied: bool = True
    biases: bool = False

    def __str__(self) -> str:
        return f"{self.architecture}{'' if self.tied else '-untied'}{'-biases' if self.biases else ''}"


CASES = [
    Case("llama", tied=False, biases=True),
    Case("qwen2"),
    Case("qwen2", tied=False),
    Case("qwen3"),
    Case("qwen3", tied=False),
    Case("gemma3"),
    Case("gemma3", tied=False),
]
"""Besides the tied llama without biases, which is the student of the smoke run."""

FAST = {"qwen2", "gemma3"}
"""Each case trains a student, so `make test-fast` takes only these two."""

PARAMETERS = [pytest.param(case, id=str(case), marks=() if str(case) in FAST else pytest.mark.slow) for case in CASES]


def open_float(path: Path) -> Any:
    """Return the file as plain llama-cpp-python loads it, in float32 throughout."""
    import llama_cpp

    return llama_cpp.Llama(
        str(path),
        n_ctx=512,
        logits_all=True,
        verbose=False,
        n_threads=1,
        n_threads_batch=1,
        type_k=0,
        type_v=0,
        flash_attn=False,
    )


def device_logits(device: Any, ids: list[int]) -> npt.NDArray[np.float32]:
    """Return llama.cpp's logits after each id: shape (len(ids), n_vocab)."""
    device.reset()
    device.eval(ids)
    return np.array(device.scores[: len(ids)])


def torch_logits(model: Any, ids: list[int]) -> npt.NDArray[np.float32]:
    """Return torch's logits after each id: shape (len(ids), n_vocab)."""
    import torch

    with torch.inference_mode():
        logits: npt.NDArray[np.float32] = model(torch.tensor([ids])).logits[0].float().numpy()
    return logits


def torch_reply(model: Any, ids: list[int], n: int) -> list[int]:
    """Return the ids that torch writes greedily."""
    import torch

    with torch.inference_mode():
        text = model.generate(
            torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), max_new_tokens=n, do_sample=False
        )
    reply: list[int] = text[0, len(ids) :].tolist()
    return reply
