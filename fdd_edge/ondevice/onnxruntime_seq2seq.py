"""ONNX Runtime: an encoder, and a decoder that looks back at what the encoder made of the prompt.

The graphs are those of optimum: ``encoder_model.onnx``, ``decoder_model.onnx`` for a reply's first token and
``decoder_with_past_model.onnx`` for every later one. A prompt's last id is the one that the decoder starts with
(``Vocabulary.tokenize``); what stands before it goes through the encoder. The decoder knows no padding, so each
sequence is decoded by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .model_files import DECODER, DECODER_WITH_PAST, ENCODER, ENCODER_LENGTH
from .onnxruntime_folder import FolderModel, first_line
from .protocol import RunnerError
from .runtime import Logits
from .vocabulary import read_json

__all__ = ["Context", "Model"]

_PAST, _PRESENT = "past_key_values.", "present."


class Model(FolderModel):
    """An encoder-decoder and the tokenizer files beside it."""

    keeps_state = True  # what the encoder made of a prompt is of that prompt alone

    def __init__(self, path: str, threads: int) -> None:
        """Load the three graphs.

        Raises:
            RunnerError: A file is missing or damaged, or is another graph.
        """
        super().__init__(path, (ENCODER, DECODER, DECODER_WITH_PAST), threads)
        logits = self.sessions[1].get_outputs()[0]
        if logits.name != "logits" or not isinstance(logits.shape[-1], int):
            raise RunnerError("bad_artifact", f"{path} does not say what follows a token.")
        self.n_vocab = int(logits.shape[-1])
        self.n_ctx_train = int(read_json(Path(path).with_name("config.json")).get("n_positions", ENCODER_LENGTH))

    def open_context(self, cells: int, sequences: int, threads: int, kv: Literal["f16", "f32"]) -> Context:
        """Make ``sequences`` empty sequences; their caches grow as they do, and ``cells`` is not needed for it."""
        del threads, kv
        return Context(self.sessions, (cells, sequences))


@dataclass(frozen=True)
class _Sequence:
    """What is known of one sequence.

    Attributes:
        hidden: The encoder's output, shape (1, prompt, width).
        cache: Keys and values by their names without the prefix, once a token was decoded.
    """

    hidden: npt.NDArray[np.float32]
    cache: dict[str, npt.NDArray[np.float32]]


class Context:
    """Sequences, each with what the encoder made of its prompt and a cache that grows by concatenation."""

    def __init__(self, sessions: Sequence[Any], shape: tuple[int, int]) -> None:
        self.shape = shape
        self._encoder, self._first, self._later = sessions
        names = [one.name for one in self._later.get_inputs()]
        self._wanted = {name.removeprefix(_PAST) for name in names if name.startswith(_PAST)}
        self._sequences: dict[int, _Sequence] = {}

    def close(self) -> None:
        """Give the memory back."""
        self._sequences.clear()

    def clear(self) -> None:
        """Forget every sequence."""
        self._sequences.clear()

    def cut(self, sequence: int, position: int) -> None:
        """Forget a sequence; no prompt is another's beginning here, so ``position`` is always 0."""
        assert position == 0
        self._sequences.pop(sequence, None)

    def copy(self, source: int, target: int) -> None:
        """Make ``target`` what ``source`` is now; arrays are never written again, so both may hold them."""
        self._sequences[target] = self._sequences[source]

    def read(self, sequence: int, position: int, tokens: Sequence[int]) -> None:
        """Let the encoder read a prompt."""
        assert position == 0
        ids = np.array([tokens], np.int64)
        (hidden,) = _run(self._encoder, ["last_hidden_state"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        self._sequences[sequence] = _Sequence(hidden, {})

    def step(self, tokens: Sequence[int], positions: Sequence[int]) -> Logits:
        """Append one token to each of the first sequences, one after the other."""
        del positions  # a sequence's cache knows how long it is
        return np.concatenate([self._decode(sequence, token) for sequence, token in enumerate(tokens)])

    def follow(self, position: int, tokens: Sequence[int]) -> Logits:
        """Append tokens to sequence 0 one by one, as a reply grows, and return what follows each of them."""
        del position
        return np.concatenate([self._decode(0, token) for token in tokens])

    def _decode(self, sequence: int, token: int) -> Logits:
        """Append a token to a sequence, and return what follows it, shape (1, n_vocab)."""
        state = self._sequences[sequence]
        mask = np.ones((1, state.hidden.shape[1]), np.int64)
        given: dict[str, Any] = {"input_ids": np.array([[token]], np.int64), "encoder_attention_mask": mask}
        if state.cache:
            session = self._later
            given |= {_PAST + name: array for name, array in state.cache.items()}
        else:
            session = self._first
            given["encoder_hidden_states"] = state.hidden
        names = [output.name for output in session.get_outputs()]
        made = dict(zip(names, _run(session, names, given), strict=True))
        grown = {name.removeprefix(_PRESENT): array for name, array in made.items() if name.startswith(_PRESENT)}
        self._sequences[sequence] = replace(
            state, cache=state.cache | {name: array for name, array in grown.items() if name in self._wanted}
        )
        logits: Logits = made["logits"][:, -1].astype(np.float32, copy=False)
        return logits


def _run(session: Any, names: Sequence[str], given: dict[str, Any]) -> list[Any]:
    known = {one.name for one in session.get_inputs()}
    try:
        made: list[Any] = session.run(names, {name: array for name, array in given.items() if name in known})
    except Exception as error:  # each kind of failure has a type of its own, below Exception
        raise RunnerError("internal", f"ONNX Runtime could not run a batch: {first_line(error)}.") from None
    return made
