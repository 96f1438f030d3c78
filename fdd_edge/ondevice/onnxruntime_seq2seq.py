"""ONNX Runtime: an encoder, and a decoder that attends to the encoder's output for the prompt.

The graphs are those of optimum: ``encoder_model.onnx``, ``decoder_model.onnx`` for the first token of a reply and
``decoder_with_past_model.onnx`` for every later one. The last id of a prompt is the one that the decoder starts with
(``Vocabulary.tokenize``); the encoder reads the ids before it. The decoder does not support padding, so each sequence
is decoded by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from onnxruntime import InferenceSession

from .families import DECODER, DECODER_WITH_PAST, ENCODER
from .model_files import ENCODER_LENGTH
from .onnxruntime_folder import FolderModel, run_error
from .protocol import RunnerError
from .runtime import Logits
from .vocabulary import read_json

__all__ = ["Context", "Model", "open_model"]

_PAST, _PRESENT = "past_key_values.", "present."

_Floats = npt.NDArray[np.float32]
_Tensor = npt.NDArray[np.int64] | _Floats


def open_model(artifact: str, threads: int) -> Model:
    """Load an encoder-decoder; see ``Model``."""
    return Model(artifact, threads)


class Model(FolderModel):
    """An encoder-decoder and the tokenizer files next to it."""

    keeps_state = True  # the encoder's output belongs to the whole prompt, so no two prompts can share a beginning

    def __init__(self, path: str, threads: int) -> None:
        """Load the three graphs.

        Raises:
            RunnerError: A file is missing or damaged, or is not the expected graph.
        """
        super().__init__(path, (ENCODER, DECODER, DECODER_WITH_PAST), threads)
        logits = self.sessions[1].get_outputs()[0]
        if logits.name != "logits" or not isinstance(logits.shape[-1], int):
            raise RunnerError(
                "bad_artifact", f"{path} is not a decoder: its first output is not logits of fixed width."
            )
        self.n_vocab = int(logits.shape[-1])
        stated = read_json(Path(path).with_name("config.json")).get("n_positions")
        self.n_ctx_train = stated if isinstance(stated, int) and stated > 0 else ENCODER_LENGTH

    def open_context(
        self, cells: int, sequences: int, threads: int, kv: Literal["f16", "f32"], *, flash: bool = False
    ) -> Context:
        """Create ``sequences`` empty sequences; their caches grow with them, so ``cells`` is not needed."""
        del threads, kv, flash
        return Context(self.sessions, (cells, sequences))


@dataclass(frozen=True)
class _Sequence:
    """The state of one sequence.

    Attributes:
        hidden: The encoder's output, shape (1, prompt, width).
        cache: Keys and values by their names without the prefix; empty until a token has been decoded.
    """

    hidden: _Floats
    cache: dict[str, _Floats]


class Context:
    """Sequences, each with the encoder's output for its prompt and a cache that grows by concatenation."""

    def __init__(self, sessions: Sequence[InferenceSession], shape: tuple[int, int]) -> None:
        self.shape = shape
        self._encoder, self._first, self._later = sessions
        names = [one.name for one in self._later.get_inputs()]
        self._wanted = {name.removeprefix(_PAST) for name in names if name.startswith(_PAST)}
        self._sequences: dict[int, _Sequence] = {}

    def close(self) -> None:
        """Release the memory."""
        self._sequences.clear()

    def clear(self) -> None:
        """Forget every sequence."""
        self._sequences.clear()

    def cut(self, sequence: int, position: int) -> None:
        """Forget a sequence; prompts never share a beginning here, so ``position`` is always 0."""
        assert position == 0
        self._sequences.pop(sequence, None)

    def copy(self, source: int, target: int) -> None:
        """Make ``target`` a copy of ``source`` as it is now; arrays are never modified, so both may share them."""
        self._sequences[target] = self._sequences[source]

    def read(self, sequence: int, position: int, tokens: Sequence[int]) -> None:
        """Run the encoder on a prompt."""
        assert position == 0
        ids = np.array([tokens], np.int64)
        (hidden,) = _run(self._encoder, ["last_hidden_state"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        self._sequences[sequence] = _Sequence(hidden, {})

    def step(self, tokens: Sequence[int], positions: Sequence[int]) -> Logits:
        """Append one token to each of the first sequences, one after the other."""
        del positions  # a sequence's cache knows how long it is
        return np.concatenate([self._decode(sequence, token) for sequence, token in enumerate(tokens)])

    def follow(self, position: int, tokens: Sequence[int]) -> Logits:
        """Append tokens to sequence 0 one by one, as a reply grows, and return the logits after each of them."""
        del position
        return np.concatenate([self._decode(0, token) for token in tokens])

    def _decode(self, sequence: int, token: int) -> Logits:
        """Append a token to a sequence and return the logits after it, shape (1, n_vocab)."""
        state = self._sequences[sequence]
        mask = np.ones((1, state.hidden.shape[1]), np.int64)
        inputs: dict[str, _Tensor] = {"input_ids": np.array([[token]], np.int64), "encoder_attention_mask": mask}
        if state.cache:
            session = self._later
            inputs |= {_PAST + name: array for name, array in state.cache.items()}
        else:
            session = self._first
            inputs["encoder_hidden_states"] = state.hidden
        names = [output.name for output in session.get_outputs()]
        outputs = dict(zip(names, _run(session, names, inputs), strict=True))
        grown = {name.removeprefix(_PRESENT): array for name, array in outputs.items() if name.startswith(_PRESENT)}
        self._sequences[sequence] = replace(
            state, cache=state.cache | {name: array for name, array in grown.items() if name in self._wanted}
        )
        logits: Logits = outputs["logits"][:, -1].astype(np.float32, copy=False)
        return logits


def _run(session: InferenceSession, names: Sequence[str], inputs: Mapping[str, _Tensor]) -> list[_Floats]:
    known = {one.name for one in session.get_inputs()}
    try:
        outputs: list[_Floats] = session.run(names, {name: array for name, array in inputs.items() if name in known})
    except Exception as error:  # ONNX Runtime has one type per kind of failure, each a direct subclass of Exception
        raise run_error(error) from None
    return outputs
