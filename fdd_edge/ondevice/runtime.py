"""What a decoder needs of a runtime, whichever it is: a model with its vocabulary, and a context of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from .model_files import DECODER, is_onnx
from .protocol import SpecialIds

__all__ = ["MAX_SEQUENCES", "Context", "Logits", "Model", "open_model"]

MAX_SEQUENCES = 256
"""llama.cpp's own limit (LLAMA_MAX_SEQ), and enough for any other."""

Logits = npt.NDArray[np.float32]
"""One row a token: shape (rows, n_vocab)."""


class Context(Protocol):
    """A key-value cache of some sequences, and what fills it. Close it when done."""

    shape: tuple[int, int]
    """Cells a sequence, and sequences."""

    def close(self) -> None:
        """Give the memory back."""

    def clear(self) -> None:
        """Forget every sequence."""

    def cut(self, sequence: int, position: int) -> None:
        """Forget what a sequence holds from a position on."""

    def copy(self, source: int, target: int) -> None:
        """Make ``target`` what ``source`` is now."""

    def read(self, sequence: int, position: int, tokens: Sequence[int]) -> None:
        """Append tokens to a sequence, however many, and ask for no logits."""

    def step(self, tokens: Sequence[int], positions: Sequence[int]) -> Logits:
        """Append one token to each of the first sequences, in one batch.

        Args:
            tokens: That of sequence 0, of sequence 1 and so on.
            positions: Where each of them goes.

        Returns:
            What follows each token; it holds until the next call.

        Raises:
            RunnerError: The runtime failed.
        """

    def follow(self, position: int, tokens: Sequence[int]) -> Logits:
        """Append tokens to sequence 0, and return what follows each of them; it holds until the next call."""


class Model(Protocol):
    """A model file that is loaded, with its vocabulary."""

    path: str
    runtime: str
    runtime_version: str
    system_info: str
    n_vocab: int
    n_ctx_train: int
    n_params: int

    @property
    def description(self) -> str:
        """Architecture, size and number format, in the runtime's words."""

    @property
    def bos_text(self) -> str:
        """The text of the token that begins a text; empty if there is none."""

    @property
    def eos_text(self) -> str:
        """The text of the token that ends a text; empty if there is none."""

    @property
    def special_ids(self) -> SpecialIds:
        """The ids that begin and end a text."""

    @property
    def keeps_state(self) -> bool:
        """Whether its memory cannot be cut at a position, as that of Mamba and its like cannot."""

    def metadata(self, key: str) -> str | None:
        """Return what the file says under a key of GGUF, if it says it."""

    def tokenize(self, text: str) -> list[int]:
        """Return the ids of a prompt: special tokens in it are read as such, and it begins as the vocabulary asks."""

    def ends_reply(self, token: int) -> bool:
        """Say whether a token means that the model has finished."""

    def piece(self, token: int) -> bytes:
        """Return the bytes of one token, which may be a part of a character; control tokens have none."""

    def open_context(self, cells: int, sequences: int, threads: int, kv: Literal["f16", "f32"]) -> Context:
        """Make room for ``cells`` tokens of each of ``sequences`` sequences.

        Raises:
            RunnerError: The model cannot be run this way.
        """


def open_model(artifact: str, threads: int) -> AbstractContextManager[Model]:
    """Load a file with the runtime that is made for it.

    Raises:
        ImportError: The runtime is not installed, or does not load.
        RunnerError: The file is broken, or of a kind that writes no replies.
    """
    if Path(artifact).name == DECODER:
        from .onnxruntime_seq2seq import Model as EncoderDecoder

        return EncoderDecoder(artifact, threads)
    if is_onnx(artifact):
        from .onnxruntime_model import Model as OnnxModel

        return OnnxModel(artifact, threads)
    from .llamacpp import Model as GgufModel

    return GgufModel(artifact)
