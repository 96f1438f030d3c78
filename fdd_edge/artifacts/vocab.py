"""A student's vocabulary, as the runtime of a family of artifacts reads it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from fdd_edge.artifacts.chat_template import Tokens

__all__ = ["GGUF_VOCAB", "TOKENIZER", "Vocab", "open_vocab"]

GGUF_VOCAB, TOKENIZER = "vocab.gguf", "tokenizer.json"
"""Files of a vocabulary: llama.cpp reads the one, ``tokenizers``, beside ONNX Runtime, the other."""


class Vocab(Tokens, Protocol):
    """What a device makes of text, and of ids."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, special tokens in it recognised, none added."""

    def encode_prompt(self, text: str) -> list[int]:
        """Return the ids of a prompt, with the token that begins a text by the runner's own rule."""

    def write_back(self, ids: Sequence[int]) -> bytes:
        """Return what the device replies when a model writes these ids: up to a token that ends a reply."""

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """The bytes that each token adds to a reply, by id; control and unused tokens add none."""

    @property
    def adds_bos(self) -> bool:
        """Whether a prompt begins with the token that begins a text."""

    @property
    def stops(self) -> tuple[int, ...]:
        """Every id that ends a reply, sorted."""

    @property
    def eos(self) -> int:
        """Id of the token that ends a reply."""

    @property
    def chat_template(self) -> str | None:
        """The chat template, Jinja source, or None."""


def open_vocab(path: Path) -> AbstractContextManager[Vocab]:
    """Open a vocabulary by the runtime that reads such a file.

    Args:
        path: ``vocab.gguf``, or the ``tokenizer.json`` of a Hugging Face folder or an ONNX model's.

    Raises:
        MissingExtraError: Its runtime is not installed.
        FddError: It cannot be read.
    """
    if path.suffix == ".json":
        from fdd_edge.artifacts.onnx.tokenizer_vocab import TokenizerVocab

        return TokenizerVocab(path.parent)
    from fdd_edge.artifacts.gguf.llama_vocab import DeviceVocab

    return DeviceVocab(path)
