"""Qwen3: like Qwen2 without biases; q and k are normalized per head."""

from __future__ import annotations

from functools import partial

from fdd_edge.artifacts.gguf.architectures._architecture import Architecture, add_common_keys, decoder_tensors
from fdd_edge.artifacts.gguf.architectures.qwen2 import refuses_windows, unchanged

__all__ = ["ARCHITECTURE"]

ARCHITECTURE = Architecture(
    "qwen3", refuses_windows, add_common_keys, partial(decoder_tensors, head_norms=True), unchanged
)
