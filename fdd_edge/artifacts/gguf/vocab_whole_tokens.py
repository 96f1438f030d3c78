"""Added tokens that ask for more than to be found: what llama.cpp cannot do is stored for the runner, or refused.

llama.cpp knows no flags of added tokens but those of a few models, which it recognises by their names.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError
from fdd_edge.ondevice.normalizer import NFC, WholeToken

__all__ = ["whole_tokens_of"]


def whole_tokens_of(
    added: Sequence[Mapping[str, Any]], folder: Path, *, normalizer: str | None, marks_spaces: bool
) -> list[WholeToken]:
    """Return the tokens that the runner must find itself, before it normalizes a text; none if llama.cpp can.

    Args:
        added: The ``added_tokens`` of a ``tokenizer.json`` that the model has an embedding for.
        folder: Its folder, for the message.
        normalizer: What is done to the text around them, see ``ondevice.normalizer``.
        marks_spaces: Whether spaces are replaced by SentencePiece's symbol before normalized tokens are found.

    Raises:
        FddError: A token is found where neither llama.cpp nor the runner would find it; names it.
    """
    for token in added:
        if reason := _not_found(token, normalizer=normalizer, marks_spaces=marks_spaces):
            raise FddError(
                f"The tokenizer of {folder} has the token {token['content']!r} with {reason}. Set that to false in "
                "tokenizer.json and tokenizer_config.json if no text needs it, or export it as ONNX: -r onnx-int8-avx2."
            )
    strips = [token for token in added if token.get("lstrip") or token.get("rstrip")]
    if normalizer is None and not strips:
        return []
    # A token that is found in the normalized text does not keep what stands around it from being normalized together.
    found = [token for token in added if token in strips or not token.get("normalized")]
    return [WholeToken(t["content"], bool(t.get("lstrip")), bool(t.get("rstrip"))) for t in found]


def _not_found(token: Mapping[str, Any], *, normalizer: str | None, marks_spaces: bool) -> str | None:
    """Return which flag of a token cannot be kept, and why; None if none."""
    if token.get("single_word"):
        return "single_word: llama.cpp would find it within words too, so a GGUF file would read other tokens"
    if not token.get("normalized"):
        return None
    if normalizer == NFC and unicodedata.normalize(NFC, token["content"]) != token["content"]:
        return "normalized: llama.cpp would look for it in a form other than NFC, and a GGUF would read other tokens"
    if (token.get("lstrip") or token.get("rstrip")) and (marks_spaces or normalizer is not None):
        return "both normalized and lstrip or rstrip, which is not supported for GGUF yet"
    return None
