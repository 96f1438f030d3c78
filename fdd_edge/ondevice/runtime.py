"""What the decoder needs from a runtime, whichever it is: a model with its vocabulary, and a context of sequences."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from .families import device_family
from .protocol import SpecialIds

__all__ = ["Context", "Logits", "Model", "Runtime", "open_model"]

Logits = npt.NDArray[np.float32]
"""One row per token: shape (rows, n_vocab)."""


class Context(Protocol):
    """A key-value cache of several sequences, and the calls that fill it. Close it when done."""

    shape: tuple[int, int]
    """Cells per sequence, and number of sequences."""

    def close(self) -> None:
        """Release the memory."""

    def clear(self) -> None:
        """Forget every sequence."""

    def cut(self, sequence: int, position: int) -> None:
        """Forget what a sequence holds from a position onwards."""

    def copy(self, source: int, target: int) -> None:
        """Make ``target`` a copy of ``source`` as it is now."""

    def read(self, sequence: int, position: int, tokens: Sequence[int]) -> None:
        """Append any number of tokens to a sequence without computing logits."""

    def step(self, tokens: Sequence[int], positions: Sequence[int]) -> Logits:
        """Append one token to each of the first sequences, in one batch.

        Args:
            tokens: The token of sequence 0, of sequence 1 and so on.
            positions: The position of each token in its sequence.

        Returns:
            The logits after each token, valid until the next call.

        Raises:
            RunnerError: The runtime failed.
        """

    def follow(self, position: int, tokens: Sequence[int]) -> Logits:
        """Append tokens to sequence 0 and return the logits after each of them, valid until the next call."""


class Model(Protocol):
    """A loaded model file with its vocabulary."""

    path: str
    runtime: str
    runtime_version: str
    system_info: str
    n_vocab: int
    n_ctx_train: int
    n_params: int
    has_flash_attention: bool
    """Whether the runtime has a second way to compute attention, which ``open_context`` chooses."""

    @property
    def description(self) -> str:
        """Architecture, size and number format, as the runtime reports them."""

    @property
    def bos_text(self) -> str:
        """The text of the BOS token; empty if there is none."""

    @property
    def eos_text(self) -> str:
        """The text of the EOS token; empty if there is none."""

    @property
    def special_ids(self) -> SpecialIds:
        """The ids that begin and end a text."""

    @property
    def keeps_state(self) -> bool:
        """Whether its memory cannot be cut at a position, as with Mamba and similar architectures."""

    def metadata(self, key: str) -> str | None:
        """Return the file's value of a GGUF metadata key, or None."""

    def tokenize(self, text: str) -> list[int]:
        """Return the ids of a prompt: special tokens in it are recognised, and BOS is added if the vocabulary asks."""

    def ends_reply(self, token: int) -> bool:
        """Return whether a token ends a reply."""

    def piece(self, token: int) -> bytes:
        """Return the bytes of one token, possibly part of a character; control tokens have none."""

    def open_context(
        self, cells: int, sequences: int, threads: int, kv: Literal["f16", "f32"], *, flash: bool = False
    ) -> Context:
        """Allocate room for ``cells`` tokens in each of ``sequences`` sequences.

        Args:
            cells: Tokens per sequence.
            sequences: How many.
            threads: Of the runtime.
            kv: Number format of the cache.
            flash: Whether attention is computed by flash attention, if the runtime has it.

        Raises:
            RunnerError: The model cannot be run this way.
        """


class Runtime(Protocol):
    """A module that runs the models of one or several families."""

    def open_model(self, artifact: str, threads: int) -> AbstractContextManager[Model]:
        """Load a model file; see ``open_model``."""


def open_model(artifact: str, threads: int) -> AbstractContextManager[Model]:
    """Load a model file with the runtime of its family.

    Args:
        artifact: Path of the model file.
        threads: Number of threads, for runtimes that fix it when a model is loaded.

    Raises:
        ImportError: The runtime is not installed, or does not load.
        RunnerError: The file is damaged, or its architecture cannot write replies.
    """
    runtime: Runtime = importlib.import_module(f".{device_family(artifact).runtime}", __package__)
    return runtime.open_model(artifact, threads)
