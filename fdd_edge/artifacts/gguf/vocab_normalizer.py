"""What a tokenizer does to a text before it splits it, and whether a GGUF file can say so.

llama.cpp normalizes nothing. NFC, which Qwen's tokenizers use, is stored in the vocabulary and applied by the runner;
whatever else changes a text is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError
from fdd_edge.ondevice.normalizer import NFC

__all__ = ["check_no_prefix_space", "normalizer_of"]

_SPACE = "▁"


def normalizer_of(spec: Mapping[str, Any], folder: Path, *, marks_spaces: bool) -> str | None:
    """Return the normalizer to store in a vocabulary, or None if texts are split as they are.

    Args:
        spec: The parsed ``tokenizer.json``.
        folder: Its folder, for the message.
        marks_spaces: Whether spaces may be replaced by SentencePiece's symbol, as llama.cpp does itself.

    Raises:
        FddError: The tokenizer changes texts in another way; names it.
    """
    found = None
    for part in _parts(spec.get("normalizer"), "normalizers"):
        if part["type"] == NFC:
            found = NFC
        elif part["type"] == "Prepend":
            raise _prefix_space(folder, "the normalizer Prepend")
        elif not (marks_spaces and _marks_spaces(part)):
            raise FddError(
                f"The tokenizer of {folder} has the normalizer {part['type']}, which llama.cpp does not apply: a GGUF "
                "file would read other tokens. Export it as ONNX: -r onnx-int8-avx2."
            )
    return found


def check_no_prefix_space(spec: Mapping[str, Any], folder: Path) -> None:
    """Refuse a tokenizer that puts a space before every text.

    Raises:
        FddError: It does.
    """
    for part in _parts(spec.get("pre_tokenizer"), "pretokenizers"):
        if part["type"] == "ByteLevel" and part.get("add_prefix_space"):
            raise _prefix_space(folder, "add_prefix_space")
        if part["type"] == "Metaspace" and part.get("prepend_scheme", "always") != "never":
            raise _prefix_space(folder, "the prepend_scheme of Metaspace")


def _prefix_space(folder: Path, key: str) -> FddError:
    return FddError(
        f"The tokenizer of {folder} puts a space before every text ({key}), which is not supported for GGUF yet. "
        "Export it as ONNX: -r onnx-int8-avx2."
    )


def _parts(found: Mapping[str, Any] | None, parts: str) -> Iterator[Mapping[str, Any]]:
    """Yield a part of ``tokenizer.json``, or the parts of a sequence."""
    if found is None:
        return
    if found["type"] != "Sequence":
        yield found
        return
    for part in found[parts]:
        yield from _parts(part, parts)


def _marks_spaces(part: Mapping[str, Any]) -> bool:
    return part["type"] == "Replace" and part.get("pattern") == {"String": " "} and part.get("content") == _SPACE
