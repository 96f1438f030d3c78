"""The files of a model: a GGUF is one file or several pieces, an ONNX model a folder of files around its graph."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from .families import FAMILIES, GGUF, device_family
from .json_text import parse_json

__all__ = [
    "ENCODER_LENGTH",
    "artifact_files",
    "decoder_start",
    "family_of",
    "find_model",
    "hash_model",
    "model_in",
    "pieces_of",
]

ENCODER_LENGTH = 512
"""Longest prompt of a T5 whose config does not say: its positions are relative, and this is what it was trained on."""


def find_model(folder: Path) -> Path:
    """Return the model file of an artifact's folder, or the path that a GGUF would have if there is none."""
    # A folder with a graph is an ONNX model, even if there is a GGUF next to it.
    candidates = (folder / family.model_file for family in reversed(FAMILIES.values()))
    return next((model for model in candidates if model.is_file()), folder / GGUF.model_file)


def model_in(path: str | Path) -> str:
    """Return the model file of an artifact's folder; any other path is returned unchanged."""
    model = find_model(Path(path))
    return str(model if model.is_file() else Path(path))


def artifact_files(artifact: Path) -> list[Path]:
    """Return every file that a model consists of, its model file first.

    The weights of a graph may be in files whose names begin with the graph's.
    """
    companions = device_family(artifact).companions
    if companions is None:
        return pieces_of(artifact)
    weights = sorted(p for p in artifact.parent.glob(f"{artifact.name}*") if p != artifact and p.is_file())
    return [artifact, *weights, *(p for name in companions if (p := artifact.with_name(name)).is_file())]


_PIECE = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")
"""The name of a piece, as llama-gguf-split writes it and llama.cpp looks for it."""


def pieces_of(model: Path) -> list[Path]:
    """Return the files of a GGUF that was split, the first piece first, whether they exist or not."""
    found = _PIECE.fullmatch(model.name)
    if found is None:
        return [model]
    stem, count = found["stem"], int(found["count"])
    return [model.with_name(f"{stem}-{number:05d}-of-{count:05d}.gguf") for number in range(1, count + 1)]


def hash_model(artifact: Path) -> str:
    """Return the sha256 of a model in hex: of its file, or of the names and contents of all its files."""
    files = artifact_files(artifact)
    if files == [artifact] and not device_family(artifact).is_folder:
        return _sha256(artifact)
    lines = "".join(f"{file.name}\0{_sha256(file)}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def decoder_start(folder: Path) -> int | None:
    """Return the id that the decoder of an encoder-decoder starts with, or None if the model has no encoder."""
    try:
        config = parse_json((folder / "config.json").read_text(encoding="utf-8"))
        found = config.get("decoder_start_token_id") if config.get("is_encoder_decoder") else None
    except (OSError, ValueError, AttributeError):
        return None  # whatever needs the file will report what is wrong with it
    return found if isinstance(found, int) else None


def family_of(artifact: str | Path) -> str:
    """Return the family of the recipes that make such a model file: ``gguf`` or ``onnx``."""
    return device_family(artifact).recipe_family


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
