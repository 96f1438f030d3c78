"""Qwen3: like Qwen2 without biases; q and k are normalized per head."""

from __future__ import annotations

from functools import partial

from fdd_edge.artifacts.gguf.architectures._architecture import Architecture, add_common_keys
from fdd_edge.artifacts.gguf.architectures.qwen2 import refuses_windows, unchanged

__all__ = ["ARCHITECTURE"]

_refuses = partial(refuses_windows, stated=("num_key_value_heads", "head_dim"))

ARCHITECTURE = Architecture("qwen3", _refuses, add_common_keys, unchanged)
