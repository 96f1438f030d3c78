"""Gemma 3, the text model: norms around every block, most layers with a sliding window and a RoPE base of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from fdd_edge.artifacts.gguf.architectures._architecture import (
    Architecture,
    Config,
    add_common_keys,
    common_refusal,
    head_dim,
)

__all__ = ["ARCHITECTURE"]

_PATTERN = 6
"""Every sixth layer sees everything, where the config does not say."""

_FIXED_SCALE_LAYERS = 62
"""llama.cpp takes a model of so many layers for the 27B, whose attention is scaled otherwise."""


def _refuses(config: Config) -> str | None:
    for key in ("attn_logit_softcapping", "final_logit_softcapping"):
        if config.get(key):
            return f"caps its logits ({key}), which is not supported."
    if config.get("use_bidirectional_attention"):
        return "attends in both directions; only models that write text are supported."
    if config["num_hidden_layers"] == _FIXED_SCALE_LAYERS:
        return "is the 27B; students are small."
    return common_refusal(config, activation="gelu_pytorch_tanh")


def _add_keys(writer: Any, config: Config) -> None:
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


def _transform(name: str, array: Any, config: Config) -> Any:
    """Add the 1 that Gemma's norms leave out of their weights, and move the attention's scale into q's norm.

    llama.cpp divides by the root of the head's width, transformers by that of ``query_pre_attn_scalar``.
    """
    if not name.endswith("norm.weight"):
        return array
    array = array + np.float32(1)
    if name.endswith("attn_q_norm.weight"):
        width = head_dim(config)
        array = array * np.float32((width / config.get("query_pre_attn_scalar", 256)) ** 0.5)
    return array


ARCHITECTURE = Architecture("gemma3", _refuses, _add_keys, _transform, tied=True)
