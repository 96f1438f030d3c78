"""The files of a model: a GGUF is one file, an ONNX model a folder of them around ``model.onnx``."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

__all__ = [
    "CARD",
    "DECODER",
    "DECODER_WITH_PAST",
    "ENCODER",
    "ENCODER_LENGTH",
    "artifact_files",
    "decoder_start",
    "family_of",
    "hash_model",
    "is_onnx",
    "model_in",
]

CARD = "fdd_edge.json"
"""Beside an ONNX model: what a GGUF says in its own metadata, such as the prompt it was trained on."""

ENCODER, DECODER, DECODER_WITH_PAST = "encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx"
"""The graphs of an encoder-decoder, under optimum's names; the decoder's is the one that names the model."""

ENCODER_LENGTH = 512
"""Tokens of a T5 whose folder says nothing: its positions are relative, and it was trained on so many."""

_BESIDE = (
    *(ENCODER, DECODER_WITH_PAST),
    *("config.json", "generation_config.json", "genai_config.json", CARD),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"),
)
"""What ONNX Runtime, its users and the runner read beside the graph; a decoder alone has no other graphs."""


def is_onnx(artifact: str | Path) -> bool:
    """Say whether a model file is for ONNX Runtime; every other one is llama.cpp's to open or to refuse."""
    return Path(artifact).suffix == ".onnx"


def model_in(path: str | Path) -> str:
    """Return the model file of an artifact's folder; a path that is no folder, or holds no model, as it is."""
    names = ("model.onnx", DECODER, "model.gguf")
    found = next((model for name in names if (model := Path(path) / name).is_file()), Path(path))
    return str(found)


def family_of(artifact: str | Path) -> str:
    """Return the family of a model file: ``gguf`` or ``onnx``."""
    return "onnx" if is_onnx(artifact) else "gguf"


def artifact_files(artifact: Path) -> list[Path]:
    """Return every file that a model consists of, itself first: its weights may lie in files that share its name."""
    if not is_onnx(artifact):
        return [artifact]
    weights = sorted(p for p in artifact.parent.glob(f"{artifact.name}*") if p != artifact and p.is_file())
    return [artifact, *weights, *(p for name in _BESIDE if (p := artifact.with_name(name)).is_file())]


def hash_model(artifact: Path) -> str:
    """Return the sha256 of a GGUF, or that of the names and contents of all files of an ONNX model, in hex."""
    if not is_onnx(artifact):
        return _sha256(artifact)
    lines = "".join(f"{file.name}\0{_sha256(file)}\n" for file in artifact_files(artifact))
    return hashlib.sha256(lines.encode()).hexdigest()


def decoder_start(folder: Path) -> int | None:
    """Return the id that the decoder of an encoder-decoder starts with, or None for a model that is no such one."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        found = config.get("decoder_start_token_id") if config.get("is_encoder_decoder") else None
    except (OSError, ValueError, AttributeError):
        return None  # whoever needs the file will say what is wrong with it
    return found if isinstance(found, int) else None


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
