"""Qwen2 and Qwen2.5: as llama, with biases on q, k and v, and the rotary halves where transformers has them."""

from __future__ import annotations

from typing import Any

from fdd_edge.artifacts.gguf.architectures._architecture import Architecture, Config, add_common_keys, common_refusal

__all__ = ["ARCHITECTURE", "as_it_is", "refuses_windows"]


def refuses_windows(config: Config) -> str | None:
    """Return why a Qwen config cannot be written: llama.cpp attends to everything in every layer."""
    if config.get("use_sliding_window"):
        return "has sliding windows (use_sliding_window), which llama.cpp does not compute there."
    return common_refusal(config)


def as_it_is(name: str, array: Any, config: Config) -> Any:
    """Return the array: both sides mean the same."""
    return array


ARCHITECTURE = Architecture("qwen2", refuses_windows, add_common_keys, as_it_is)
