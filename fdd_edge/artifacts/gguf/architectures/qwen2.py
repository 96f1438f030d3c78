"""Qwen2 and Qwen2.5: like llama, with biases on q, k and v, and the rotary halves in the order of transformers."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from fdd_edge.artifacts.gguf.architectures._architecture import (
    Architecture,
    Config,
    add_common_keys,
    common_refusal,
)

__all__ = ["ARCHITECTURE", "refuses_windows", "unchanged"]


def refuses_windows(config: Config, *, stated: tuple[str, ...] = ("num_key_value_heads",)) -> str | None:
    """Return why a Qwen config cannot be written, or None: llama.cpp attends to the whole text in every layer."""
    if config.get("use_sliding_window"):
        return "has sliding windows (use_sliding_window), which llama.cpp does not compute for this architecture."
    return common_refusal(config, stated=stated)


def unchanged(name: str, array: npt.NDArray[Any], config: Config) -> npt.NDArray[Any]:
    """Return the array unchanged: both sides store the same."""
    return array


ARCHITECTURE = Architecture("qwen2", refuses_windows, add_common_keys, unchanged)
