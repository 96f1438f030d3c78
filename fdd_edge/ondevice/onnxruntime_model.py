"""ONNX Runtime: a decoder graph whose key-value cache is written in place, and a context that runs batches of it.

The graphs are those of onnxruntime-genai's model builder. Attention is one operator (GroupQueryAttention in ONNX
Runtime's ``com.microsoft`` domain) that takes the length of each sequence. If its cache output is bound to the memory
of its cache input, it appends in place. So sequences of any length share a batch without padding, and no step copies
the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from onnxruntime import InferenceSession, IOBinding

from .onnxruntime_folder import FolderModel, run_error
from .protocol import RunnerError
from .runtime import Logits
from .stated_fields import section
from .vocabulary import read_json

__all__ = ["Context", "Model", "open_model"]

BATCH = 512
"""Maximum number of prompt tokens per call."""

_PAST, _PRESENT = "past_key_values.", "present."
_TYPES: dict[str, np.dtype[Any]] = {"tensor(float)": np.dtype(np.float32), "tensor(float16)": np.dtype(np.float16)}


class _Cache(NamedTuple):
    """One tensor of the cache, the keys or the values of a layer; ``name`` is without the prefix."""

    name: str
    heads: int
    width: int
    dtype: np.dtype[Any]


def open_model(artifact: str, threads: int) -> Model:
    """Load a decoder; see ``Model``."""
    return Model(artifact, threads)


class Model(FolderModel):
    """An ONNX decoder and the tokenizer files next to it."""

    keeps_state = False

    def __init__(self, path: str, threads: int) -> None:
        """Load a graph and its weights.

        Raises:
            RunnerError: A file is missing or damaged, or the inputs and outputs of the graph are not supported.
        """
        super().__init__(path, (Path(path).name,), threads)
        (session,) = self.sessions
        try:
            self._caches = _caches(session, path)
            logits = next(output for output in session.get_outputs() if output.name == "logits")
            self.n_vocab = int(logits.shape[-1])
            self._logits_type = _TYPES[logits.type]
            # The second dimension is 1 if the graph was pruned to the last token's logits, else the input's length.
            self._pruned = logits.shape[1] == 1
        except (ValueError, TypeError, KeyError, IndexError):
            raise RunnerError("bad_artifact", f"{path} has a cache or logits of an unknown shape or type.") from None
        self.n_ctx_train = _context_length(Path(path).parent)

    def open_context(
        self, cells: int, sequences: int, threads: int, kv: Literal["f16", "f32"], *, flash: bool = False
    ) -> Context:
        """Allocate room for ``cells`` tokens in each of ``sequences`` sequences.

        The session determines the number of threads, and the graph the number format of the cache.
        """
        del threads, kv, flash
        (session,) = self.sessions
        logits = (self.n_vocab, self._logits_type, self._pruned)
        try:
            return Context(session, self._caches, logits, cells, sequences)
        except (MemoryError, ValueError) as error:  # numpy has two errors for it
            raise RunnerError("bad_artifact", f"The graph asks for more memory than there is: {error}.") from None


class Context:
    """A cache in our own memory, and the bindings through which the graph writes into it."""

    def __init__(
        self,
        session: InferenceSession,
        caches: Sequence[_Cache],
        logits: tuple[int, np.dtype[Any], bool],
        cells: int,
        sequences: int,
    ) -> None:
        self.shape = (cells, sequences)
        self._session = session
        self._n_vocab, self._logits_type, self._pruned = logits
        # Pages that were never written to take no memory, so reserving room for the longest reply costs nothing.
        self._caches = {c.name: np.zeros((sequences, c.heads, cells, c.width), c.dtype) for c in caches}
        self._filled = [0] * sequences
        self._columns = np.arange(cells)
        self._bindings: dict[tuple[int, int], IOBinding] = {}

    def close(self) -> None:
        """Release the memory."""
        self._bindings.clear()
        self._caches.clear()

    def clear(self) -> None:
        """Forget every sequence. Nothing is zeroed, because attention does not look past a sequence's length."""
        self._filled = [0] * len(self._filled)

    def cut(self, sequence: int, position: int) -> None:
        """Forget what a sequence holds from a position onwards."""
        self._filled[sequence] = position

    def copy(self, source: int, target: int) -> None:
        """Make ``target`` a copy of ``source`` as it is now."""
        length = self._filled[source]
        for cache in self._caches.values():
            cache[target, :, :length] = cache[source, :, :length]
        self._filled[target] = length

    def read(self, sequence: int, position: int, tokens: Sequence[int]) -> None:
        """Append any number of tokens to a sequence."""
        for start in range(0, len(tokens), BATCH):
            piece = np.array([tokens[start : start + BATCH]], np.int64)
            self._run(slice(sequence, sequence + 1), piece, [position + start])

    def step(self, tokens: Sequence[int], positions: Sequence[int]) -> Logits:
        """Append one token to each of the first sequences."""
        return self._run(slice(0, len(tokens)), np.array(tokens, np.int64)[:, None], positions)

    def follow(self, position: int, tokens: Sequence[int]) -> Logits:
        """Append tokens to sequence 0 one by one, as a reply grows, and return the logits after each of them."""
        return np.concatenate([self.step([token], [at]).copy() for at, token in enumerate(tokens, position)])

    def _run(self, rows: slice, tokens: npt.NDArray[np.int64], positions: Sequence[int]) -> Logits:
        """Run one batch.

        Args:
            rows: The sequences.
            tokens: The tokens to append to each of them: shape (rows, n).
            positions: The position of the first of these tokens in each sequence.

        Returns:
            The logits after the last token of each sequence.
        """
        n = tokens.shape[1]
        ends = np.array(positions) + n
        mask = (self._columns[None, : ends.max()] < ends[:, None]).astype(np.int64)
        binding = self._binding(rows)
        binding.bind_cpu_input("input_ids", tokens)
        binding.bind_cpu_input("attention_mask", mask)
        logits = np.empty((len(tokens), 1 if self._pruned else n, self._n_vocab), self._logits_type)
        binding.bind_output("logits", "cpu", 0, logits.dtype, logits.shape, logits.ctypes.data)
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # ONNX Runtime has one type per kind of failure, each a direct subclass of Exception
            raise run_error(error) from None
        for sequence, end in zip(range(rows.start, rows.stop), ends.tolist(), strict=True):
            self._filled[sequence] = end
        return logits[:, -1].astype(np.float32, copy=False)

    def _binding(self, rows: slice) -> IOBinding:
        """Return the binding in which the cache of a range of sequences is both input and output."""
        key = (rows.start, rows.stop)
        if key not in self._bindings:
            binding = self._bindings[key] = self._session.io_binding()
            for name, cache in self._caches.items():
                part = cache[rows]
                place = ("cpu", 0, part.dtype, part.shape, part.ctypes.data)
                binding.bind_input(_PAST + name, *place)
                binding.bind_output(_PRESENT + name, *place)
        return self._bindings[key]


def _caches(session: InferenceSession, path: str) -> list[_Cache]:
    """Return the tensors of a graph's cache.

    Raises:
        RunnerError: The graph has no cache, or does not write it in place.
    """
    inputs = {one.name: one for one in session.get_inputs()}
    outputs = {one.name for one in session.get_outputs()}
    caches = [
        _Cache(name.removeprefix(_PAST), int(one.shape[1]), int(one.shape[3]), _TYPES[one.type])
        for name, one in inputs.items()
        if name.startswith(_PAST)
    ]
    if not caches or "logits" not in outputs:
        raise RunnerError("bad_artifact", f"{path} is not a decoder with a key-value cache; no other graph can reply.")
    config = Path(path).with_name("genai_config.json")
    if not config.is_file():
        raise RunnerError(
            "bad_artifact",
            f"{config} is missing, which says how the graph stores its cache; restore it, or export the model again.",
        )
    others = set(inputs) - {_PAST + c.name for c in caches}
    if odd := sorted(others ^ {"input_ids", "attention_mask"}):
        kind = "has an unsupported input" if odd[0] in others else "lacks the input"
        raise RunnerError(
            "bad_artifact",
            f"{path} {kind} {odd[0]!r}. Export a graph with supported inputs: fdd-edge export MODEL -r onnx-int4",
        )
    if not section(read_json(config), "search").get("past_present_share_buffer"):
        raise RunnerError(
            "bad_artifact",
            f"{path} does not write its key-value cache in place. Export a graph that does: fdd-edge export MODEL -r "
            "onnx-int4",
        )
    return caches


def _context_length(folder: Path) -> int:
    """Return the model's context length in tokens."""
    genai = section(read_json(folder / "genai_config.json"), "model")
    found = genai.get("context_length") or read_json(folder / "config.json").get("max_position_embeddings")
    if not isinstance(found, int) or found < 1:
        raise RunnerError("bad_artifact", f"The configs in {folder} do not state the model's context length.")
    return found
