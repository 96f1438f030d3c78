"""Gemma 3, text only: norms around every block; most layers have a sliding window and their own RoPE base."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fdd_edge.artifacts.gguf.architectures._architecture import (
    Architecture,
    Config,
    add_common_keys,
    common_refusal,
    head_dim,
)

if TYPE_CHECKING:
    from gguf import GGUFWriter

__all__ = ["ARCHITECTURE"]

_PATTERN = 6
"""Every sixth layer attends to the whole text, if the config does not say otherwise."""

_FIXED_SCALE_LAYERS = 62
"""llama.cpp takes a model with this many layers for the 27B model, whose attention is scaled differently."""


def _refuses(config: Config) -> str | None:
    refusal = common_refusal(
        config,
        activation="gelu_pytorch_tanh",
        stated=("num_key_value_heads", "head_dim"),
        layer_types=("full_attention", "sliding_attention"),
    )
    if refusal is not None:
        return refusal
    for key in ("attn_logit_softcapping", "final_logit_softcapping"):
        if config.get(key):
            return f"caps its logits ({key}), which is not supported."
    if config.get("use_bidirectional_attention"):
        return "attends in both directions; only models that write text are supported."
    if config["num_hidden_layers"] == _FIXED_SCALE_LAYERS:
        return "is the 27B model, which is not supported: students are small."
    return None


def _add_keys(writer: GGUFWriter, config: Config) -> None:
    add_common_keys(writer, config, rope_theta=1e6)
    layers = config.get("layer_types")
    if layers is None:
        every = config.get("sliding_window_pattern") or _PATTERN
        layers = ["full_attention" if (i + 1) % every == 0 else "" for i in range(config["num_hidden_layers"])]
    sliding = [layer != "full_attention" for layer in layers]
    if any(sliding):
        writer.add_sliding_window(config.get("sliding_window", 4096))
        writer.add_sliding_window_pattern(sliding)
        writer.add_rope_freq_base_swa(float(config.get("rope_local_base_freq") or 10000.0))


def _transform(name: str, array: npt.NDArray[Any], config: Config) -> npt.NDArray[Any]:
    """Add the 1 that Gemma's norms leave out of their weights, and move the attention scale into the norm of q.

    llama.cpp divides by the square root of the head's width, transformers by that of ``query_pre_attn_scalar``.
    """
    if not name.endswith("norm.weight"):
        return array
    array = array + np.float32(1)
    if name.endswith("attn_q_norm.weight"):
        width = head_dim(config)
        array = array * np.float32((width / config.get("query_pre_attn_scalar", 256)) ** 0.5)
    return array


ARCHITECTURE = Architecture("gemma3", _refuses, _add_keys, _transform, tied=True)
