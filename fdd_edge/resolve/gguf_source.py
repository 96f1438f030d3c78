"""Proves that a Hugging Face folder is the GGUF file it was made from: the same weights, and the same logits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fdd_edge.artifacts.gguf import gguf_tensors, stored_tensors, write_float_gguf
from fdd_edge.artifacts.stored_tensor import Array
from fdd_edge.artifacts.vocab import open_vocab
from fdd_edge.errors import FddError
from fdd_edge.ondevice.logits_codec import decode_rows
from fdd_edge.ondevice.protocol import Decoding, Score, Settings
from fdd_edge.parity import relative_error
from fdd_edge.runs.marked_folder import temporary_folder
from fdd_edge.targets import load_profile, open_session, resolve_threads

__all__ = ["check_same_model"]

_FLOAT_TYPES = {"F32", "F16", "BF16", "F64"}
_MOST_FLOAT, _MOST_QUANTIZED = 0.01, 0.15
"""Largest median difference of logits: llama.cpp rounds activations to 16 bits, or to 8 before a quantized matrix.

SmolLM2-135M differs by 0.001 as F16, 0.019 as Q8_0, 0.027 as Q4_0 and 0.028 as Q3_K_M or Q4_K_M.
"""

_TEXTS = (
    (
        "Question: A baker has 4 trays with 12 rolls each. He sells 30 of them before noon, and 9 more after that. How "
        "many rolls are left in the evening?\nProgram:\n",
        "baked = 4 * 12\nsold = 30 + 9\nanswer = baked - sold\n",
    ),
    (
        "The library opens at nine and closes at six. On Monday 128 people came in the morning, and in the afternoon "
        "half as many; ",
        "on Tuesday there were 40 fewer than on both parts of Monday together, which makes 152.",
    ),
)
"""Texts of more than a hundred tokens together, each with its continuation, at which the logits are compared."""


def check_same_model(source: Path, folder: Path, vocab: Path) -> None:
    """Compare a folder with the GGUF file it was made from.

    Every tensor of the file must come back from the folder bit for bit, and llama.cpp must compute the same with the
    file as with the float file of the folder.

    Args:
        source: The GGUF file, or the first piece of one.
        folder: The Hugging Face folder.
        vocab: Its vocabulary file.

    Raises:
        FddError: They differ.
        TargetError: llama.cpp cannot run the file.
    """
    stored = stored_tensors(source)
    for name, array in gguf_tensors(folder):
        is_added = name not in stored and not array.any()  # biases of zeros
        if not is_added and not _is_same(stored[name].load(), array, exact=name != "rope_freqs.weight"):
            raise FddError(f"{source}: the tensor {name} does not survive the conversion; this file is not supported.")
    is_float = all(tensor.type in _FLOAT_TYPES for tensor in stored.values())
    with temporary_folder("source") as temporary:
        float_file = temporary / "float.gguf"
        write_float_gguf(folder, vocab, float_file, metadata={})
        texts = list(_scores(vocab))
        given, made = (_logits(file, texts) for file in (source, float_file))
    error = float(np.median([relative_error(mine, theirs) for mine, theirs in zip(made, given, strict=True)]))
    if not error <= (_MOST_FLOAT if is_float else _MOST_QUANTIZED):
        raise FddError(
            f"{source}: llama.cpp computes something else with this file than with its weights as they were read "
            f"(logits differ by {error:.2g}); this file is not supported."
        )


def _is_same(stored: Array, array: Array, *, exact: bool) -> bool:
    if exact:
        return bool(np.array_equal(stored, array))
    return stored.shape == array.shape and bool(np.allclose(stored, array, rtol=1e-4))


def _scores(vocab: Path) -> Iterator[Score]:
    """Yield the texts with their ids."""
    with open_vocab(vocab) as device:
        for number, (text, reply) in enumerate(_TEXTS):
            ids, reply_ids = device.encode_prompt(text), device.encode(reply)
            rows = tuple(range(len(reply_ids)))
            yield Score(f"text-{number}", text, text, tuple(ids), tuple(reply_ids), rows)


def _logits(file: Path, texts: list[Score]) -> Array:
    """Return llama.cpp's logits at every position of the continuations: float32, shape (positions, n_vocab)."""
    local = load_profile("local")
    settings = Settings(Decoding(1, threads=resolve_threads(local, None)), kv="f32", return_ids=True)
    with open_session(local, file, settings=settings, prompt="{question}") as session:
        scores = list(session.score(texts, lambda n: None))
    return np.concatenate([decode_rows(s.logits, len(text.rows)) for s, text in zip(scores, texts, strict=True)])
