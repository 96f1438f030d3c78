"""What the rest of the code asks a student's vocabulary, whichever runtime reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from fdd_edge.artifacts.chat_template import Tokens

__all__ = ["FolderTokenizer", "Vocab"]


class FolderTokenizer(Protocol):
    """What is asked of a student's own tokenizer, a fast one of transformers, which this package does not import."""

    name_or_path: str
    bos_token_id: int | None
    eos_token_id: int
    pad_token_id: int | None
    chat_template: str | None

    @property
    def backend_tokenizer(self) -> Any:
        """The tokenizer of ``tokenizers``, whose types are not complete."""

    def __call__(self, text: str, *, add_special_tokens: bool = True) -> Mapping[str, list[int]]:
        """Return a mapping whose ``input_ids`` are the ids of a text."""


class Vocab(Tokens, Protocol):
    """A vocabulary as a runtime reads it: ids for texts, and texts for ids."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; special tokens in it are recognised, and none is added."""

    def encode_prompt(self, text: str) -> list[int]:
        """Return the ids of a prompt, with BOS added by the runner's own rule."""

    def write_back(self, ids: Sequence[int]) -> bytes:
        """Return the reply that the device makes of these ids: up to a token that ends a reply."""

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """The bytes that each token adds to a reply, by id; control and unused tokens add none."""

    @property
    def adds_bos(self) -> bool:
        """Whether BOS is added to a prompt."""

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """Every id that ends a reply, sorted."""

    @property
    def eos(self) -> int:
        """Id of the EOS token."""

    @property
    def chat_template(self) -> str | None:
        """The chat template, Jinja source, or None."""
