"""The tokenizer that the runner uses with ONNX Runtime, on the files of a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Self

from fdd_edge.errors import FddError, MissingExtraError
from fdd_edge.ondevice.protocol import RunnerError

__all__ = ["TokenizerVocab"]


class TokenizerVocab:
    """A vocabulary as ``tokenizers`` reads it in the runner. A context manager, like llama.cpp's."""

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
        self._folder, self._eos, self.eos_ids, self.adds_bos = folder, ids.eos, ids.eos_ids, ids.adds_bos
        self.bos_text, self.eos_text = self._vocabulary.bos_text, self._vocabulary.eos_text

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """End the child process that encodes texts."""
        self._vocabulary.close()

    @property
    def eos(self) -> int:
        """Id of the EOS token.

        Raises:
            FddError: There is none.
        """
        if self._eos is None:
            raise FddError(f"The tokenizer of {self._folder} has no EOS token, so a reply could not end.")
        return self._eos

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; special tokens in it are recognised, and none is added.

        Raises:
            FddError: The tokenizer takes too much time or memory for it.
        """
        return self._bounded(self._vocabulary.encode, text)

    def encode_prompt(self, text: str) -> list[int]:
        """Return the ids of a prompt, with BOS added by the runner's own rule; raises as ``encode``."""
        return self._bounded(self._vocabulary.tokenize, text)

    def _bounded(self, encode: Callable[[str], list[int]], text: str) -> list[int]:
        try:
            return encode(text)
        except RunnerError as error:
            raise FddError(str(error)) from None

    def begins(self, text: str) -> bool:
        """Return whether the device adds BOS to a text."""
        return self._vocabulary.begins(text)

    def write_back(self, ids: Sequence[int]) -> bytes:
        """Return the reply that the device makes of these ids: up to a token that ends a reply."""
        written = takewhile(lambda token: not self._vocabulary.ends_reply(token), ids)
        return b"".join(map(self._vocabulary.piece, written))

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """The bytes that each token adds to a reply, by id; control and unused tokens add none."""
        return tuple(map(self._vocabulary.piece, range(self._vocabulary.size)))
