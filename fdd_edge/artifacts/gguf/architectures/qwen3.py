"""Qwen3: as Qwen2 without biases, q and k normed head by head."""

from __future__ import annotations

from fdd_edge.artifacts.gguf.architectures._architecture import Architecture, add_common_keys
from fdd_edge.artifacts.gguf.architectures.qwen2 import as_it_is, refuses_windows

__all__ = ["ARCHITECTURE"]

ARCHITECTURE = Architecture("qwen3", refuses_windows, add_common_keys, as_it_is)
