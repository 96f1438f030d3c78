"""The files of a Hugging Face folder that make its tokenizer."""

from __future__ import annotations

from pathlib import Path

from fdd_edge.runs.hashing import hash_file, sha256_of

__all__ = ["hash_tokenizer"]

_PATTERNS = ("*token*.json", "chat_template*")


def hash_tokenizer(folder: Path, *, config: bool = False) -> str:
    """Return the sha256 of a folder's tokenizer files, chat template included, in hex.

    Args:
        folder: The folder.
        config: Whether to add ``config.json``, on which the size of a vocabulary depends.
    """
    patterns = ("config.json", *_PATTERNS) if config else _PATTERNS
    files = sorted(file for pattern in patterns for file in folder.glob(pattern) if file.is_file())
    return sha256_of("".join(f"{file.name} {hash_file(file)}\n" for file in files))
