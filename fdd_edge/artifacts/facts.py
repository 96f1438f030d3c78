"""A model of either family, named by its file: a GGUF, or the graph in an ONNX model's folder."""

from __future__ import annotations

from pathlib import Path

from fdd_edge.artifacts.gguf import GgufFacts, describe_gguf
from fdd_edge.artifacts.onnx import OnnxFacts, describe_onnx, onnx_bytes
from fdd_edge.ondevice.model_files import is_onnx

__all__ = ["Facts", "describe_model", "model_bytes"]

Facts = GgufFacts | OnnxFacts


def describe_model(path: Path) -> Facts:
    """Read what a model says of itself.

    Raises:
        FddError: It is no model file, or damaged.
    """
    return describe_onnx(path) if is_onnx(path) else describe_gguf(path)


def model_bytes(path: Path) -> int:
    """Return the size of a model: of an ONNX one its graph and weights."""
    return onnx_bytes(path) if is_onnx(path) else path.stat().st_size
