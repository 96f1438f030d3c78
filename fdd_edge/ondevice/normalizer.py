"""What a tokenizer does to a text before it splits it, for llama.cpp, which does nothing."""

from __future__ import annotations

import unicodedata
from typing import Final

from .protocol import RunnerError

__all__ = ["NFC", "NORMALIZER_KEY", "normalize_text"]

NORMALIZER_KEY = "tokenizer.fdd_edge.normalizer"
"""The GGUF metadata key under which a vocabulary stores the normalizer of the tokenizer it was made from."""

NFC: Final = "NFC"
"""The only one that is stored: Qwen's. It changes no special token, so it can be applied to a whole prompt."""


def normalize_text(text: str, normalizer: str | None) -> str:
    """Return a text as the tokenizer's normalizer leaves it.

    Raises:
        RunnerError: There is no such normalizer; a later version wrote the file.
    """
    if normalizer is None:
        return text
    if normalizer != NFC:
        raise RunnerError("bad_artifact", f"The file's normalizer {normalizer!r} is not supported; update fdd-edge.")
    return unicodedata.normalize(NFC, text)
