"""Llama and the models that share its class: SmolLM, Llama 3.2."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fdd_edge.artifacts.gguf.architectures._architecture import (
    Architecture,
    Config,
    add_common_keys,
    common_refusal,
    head_dim,
    kv_heads,
)
from fdd_edge.artifacts.stored_tensor import Array

__all__ = ["ARCHITECTURE", "LLAMA3_SCALINGS", "rope_factors", "unpermute"]

_SCALED = "llama3"

LLAMA3_SCALINGS: tuple[dict[str, str | float], ...] = tuple(
    {
        "rope_type": _SCALED,
        "factor": factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    for factor in (8.0, 32.0)
)
"""The published ones: Llama 3.1 and Llama 3.2. A GGUF stores only the factors that follow from them."""


_SCALING_KEYS = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")


def _refuses(config: Config) -> str | None:
    return (
        common_refusal(config, rope_types=(_SCALED,), biased=True)
        or _refuses_scaling(config)
        or _refuses_window(config)
    )


def _refuses_scaling(config: Config) -> str | None:
    """Return what is wrong with Llama 3's scaling of the rotary frequencies, or None."""
    scaling = config.get("rope_scaling") or {}
    if _kind(scaling) != _SCALED:
        return None
    for key in _SCALING_KEYS:
        value = scaling.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            return (
                f"has scaled RoPE (llama3) whose {key} is {value!r} in its config.json; it must be a positive number."
            )
    if scaling["low_freq_factor"] >= scaling["high_freq_factor"]:
        return (
            "has scaled RoPE (llama3) whose high_freq_factor is not above its low_freq_factor; correct its config.json."
        )
    return None


def _refuses_window(config: Config) -> str | None:
    """Return why a window cannot be written: transformers cuts the cache to it, although the model has none."""
    for key in ("sliding_window", "attention_chunk_size"):
        if config.get(key) is not None:
            return f"has a {key} in its config.json, which this architecture does not have; remove the key."
    return None


def _kind(scaling: Mapping[str, Any]) -> object:
    return scaling.get("rope_type") or scaling.get("type")


def _permute(name: str, array: npt.NDArray[Any], config: Config) -> npt.NDArray[Any]:
    """Reorder the rows of q and k, and their biases, from halves to pairs.

    transformers rotates (i, i + d/2) together, llama.cpp's llama architecture rotates (2i, 2i + 1).
    """
    for part, heads in ((".attn_q.", config["num_attention_heads"]), (".attn_k.", kv_heads(config))):
        if part in name:
            halves = array.reshape(heads, 2, array.shape[0] // heads // 2, *array.shape[1:])
            return halves.swapaxes(1, 2).reshape(array.shape)
    return array


def unpermute(array: npt.NDArray[Any], heads: int) -> npt.NDArray[Any]:
    """Reorder the rows of q or k from pairs to halves: what ``_permute`` did, undone."""
    pairs = array.reshape(heads, array.shape[0] // heads // 2, 2, *array.shape[1:])
    return pairs.swapaxes(1, 2).reshape(array.shape)


def rope_factors(config: Config) -> dict[str, Array]:
    """Return Llama 3's divisors of the rotary frequencies, if the config scales them.

    Frequencies of long wavelengths are divided by ``factor``, short ones are kept, and those in between are
    interpolated (transformers ``_compute_llama3_parameters``).
    """
    scaling = config.get("rope_scaling") or {}
    if _kind(scaling) != _SCALED:
        return {}
    width, factor = head_dim(config), scaling["factor"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    context = scaling["original_max_position_embeddings"]
    theta = float(config.get("rope_theta") or 10000.0)
    wavelengths = 2 * math.pi * theta ** (np.arange(0, width, 2) / width)
    smooth = np.clip((context / wavelengths - low) / (high - low), 0, 1)
    return {"rope_freqs.weight": (1 / ((1 - smooth) / factor + smooth)).astype(np.float32)}


ARCHITECTURE = Architecture("llama", _refuses, add_common_keys, _permute, added=rope_factors)
