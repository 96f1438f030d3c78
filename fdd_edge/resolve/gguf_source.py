"""Proves that a Hugging Face folder is the GGUF file it was made from: the same weights, and the same logits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fdd_edge.artifacts.gguf import DeviceVocab, gguf_tensors, stored_tensors, write_float_gguf, write_with_tensors
from fdd_edge.artifacts.gguf.pre_tokenizer import HARD_TEXT
from fdd_edge.artifacts.stored_tensor import Array
from fdd_edge.artifacts.vocab import open_vocab
from fdd_edge.errors import FddError
from fdd_edge.ondevice.logits_codec import decode_rows
from fdd_edge.ondevice.protocol import Decoding, Score, Settings
from fdd_edge.parity import relative_error
from fdd_edge.runs.marked_folder import temporary_folder
from fdd_edge.students.tokenizer import encode_texts, load_tokenizer
from fdd_edge.targets import load_profile, open_session, resolve_threads

__all__ = ["check_same_ids", "check_same_model"]

_FLOAT_TYPES = {"F32", "F16", "BF16"}
_MOST_FLOAT, _MOST_QUANTIZED = 0.001, 0.15
"""Largest median difference of logits.

A file of float types is compared with one of the same types, which gives the same logits to the last bit: llama.cpp
rounds activations to the type of a matrix, by which BF16 alone changes those of SmolLM2-135M by 0.005, and those of
small random models by 0.01 to 0.17. Before a quantized matrix, it rounds them to 8 bits: SmolLM2-135M differs by 0.019
as Q8_0, 0.027 as Q4_0 and 0.028 as Q3_K_M or Q4_K_M from its float file. A quantized file is compared with that one all
the same, which shows that its weights are read as llama.cpp reads them.
"""

_MOST_TOKENS = 500
"""Special tokens whose ids are compared; SmolLM2 has 17."""

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
    file as with one that is made of the folder.

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
    types = {tensor.type for tensor in stored.values()}
    is_float = types <= _FLOAT_TYPES
    with temporary_folder("source") as temporary:
        made_file = temporary / "float.gguf"
        write_float_gguf(folder, vocab, made_file, metadata={})
        if is_float and types != {"F32"}:
            made_file = write_with_tensors(made_file, source, temporary / "same-types.gguf")
        texts = list(_scores(vocab))
        given, made = (_logits(file, texts) for file in (source, made_file))
    error = float(np.median([relative_error(mine, theirs) for mine, theirs in zip(made, given, strict=True)]))
    if not error <= (_MOST_FLOAT if is_float else _MOST_QUANTIZED):
        raise FddError(
            f"{source}: llama.cpp computes something else with this file than with its weights as they were read "
            f"(logits differ by {error:.2g}); this file is not supported."
        )


def check_same_ids(source: Path, folder: Path) -> None:
    """Compare the tokenizer of a folder with the GGUF file it was made from, as llama.cpp reads it.

    Raises:
        FddError: They give other ids of a text; shows it.
    """
    tokenizer = load_tokenizer(folder)
    added = [token.content for token in tokenizer.added_tokens_decoder.values()][:_MOST_TOKENS]
    texts = [HARD_TEXT, *(f"1 {token} 2  {token}" for token in added)]
    with DeviceVocab(source) as device:
        for text, ids in zip(texts, encode_texts(tokenizer, texts, special=False), strict=True):
            if device.encode(text) != ids:
                raise FddError(
                    f"{source}: llama.cpp reads {text[:60]!r} as other tokens than its vocabulary says, because of a "
                    "key that is not supported yet; use the Hugging Face folder it was made from."
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
