"""The runner's own tokenizer beside ONNX Runtime, on the files of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Self

from fdd_edge.errors import FddError, MissingExtraError
from fdd_edge.ondevice.protocol import RunnerError

__all__ = ["TokenizerVocab"]


class TokenizerVocab:
    """What ``tokenizers`` makes of text, and of ids, as the runner asks it. A context manager, as llama.cpp's is."""

    def __init__(self, folder: Path) -> None:
        """Open the tokenizer files of a folder.

        Raises:
            MissingExtraError: tokenizers is not installed.
            FddError: The files cannot be read.
        """
        try:
            from fdd_edge.ondevice.vocabulary import CHAT_TEMPLATE_KEY, Vocabulary
        except ModuleNotFoundError:
            raise MissingExtraError("tokenizers", "onnx") from None
        try:
            self._vocabulary = Vocabulary(folder)
            ids = self._vocabulary.special_ids
            self.chat_template = self._vocabulary.metadata(CHAT_TEMPLATE_KEY)
        except RunnerError as error:
            raise FddError(str(error)) from None
        self._folder, self._eos, self.stops, self.adds_bos = folder, ids.eos, ids.stops, ids.adds_bos
        self.bos_text, self.eos_text = self._vocabulary.bos_text, self._vocabulary.eos_text

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is held open."""

    @property
    def eos(self) -> int:
        """Id of the token that ends a reply.

        Raises:
            FddError: There is none.
        """
        if self._eos is None:
            raise FddError(f"The tokenizer of {self._folder} has no eos token, so a reply could not end.")
        return self._eos

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, special tokens in it recognised, none added."""
        return self._vocabulary.encode(text)

    def encode_prompt(self, text: str) -> list[int]:
        """Return the ids of a prompt, with the token that begins a text by the runner's own rule."""
        return self._vocabulary.tokenize(text)

    def begins(self, text: str) -> bool:
        """Say whether the token that begins a text is put before this one."""
        return self._vocabulary.begins(text)

    def write_back(self, ids: Sequence[int]) -> bytes:
        """Return what the device replies when a model writes these ids: up to a token that ends a reply."""
        written = takewhile(lambda token: not self._vocabulary.ends_reply(token), ids)
        return b"".join(map(self._vocabulary.piece, written))

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """The bytes that each token adds to a reply, by id; control and unused tokens add none."""
        return tuple(map(self._vocabulary.piece, range(self._vocabulary.size)))
