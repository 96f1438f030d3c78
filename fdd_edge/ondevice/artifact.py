"""The files of a model: a GGUF is one file, an ONNX model a folder of them around ``model.onnx``."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CARD", "artifact_files", "is_onnx"]

CARD = "fdd_edge.json"
"""Beside an ONNX model: what a GGUF says in its own metadata, such as the prompt it was trained on."""

_BESIDE = (
    *("config.json", "generation_config.json", "genai_config.json", CARD),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"),
)
"""What ONNX Runtime, its users and the runner read beside the graph."""


def is_onnx(artifact: str | Path) -> bool:
    """Say whether a model file is for ONNX Runtime; every other one is llama.cpp's to open or to refuse."""
    return Path(artifact).suffix == ".onnx"


def artifact_files(artifact: Path) -> list[Path]:
    """Return every file that a model consists of, itself first: its weights may lie in files that share its name."""
    if not is_onnx(artifact):
        return [artifact]
    weights = sorted(p for p in artifact.parent.glob(f"{artifact.name}*") if p != artifact and p.is_file())
    return [artifact, *weights, *(p for name in _BESIDE if (p := artifact.with_name(name)).is_file())]
