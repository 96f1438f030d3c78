"""What a model file contains, compared with its float model: weights, vocabulary and configs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fdd_edge.artifacts.chat_template import chat_prompts
from fdd_edge.artifacts.family import family_of
from fdd_edge.errors import FddError
from fdd_edge.parity import (
    NO_OWN_WEIGHTS,
    WRONG_WEIGHTS,
    DeviceOutputs,
    Item,
    ReferenceOutputs,
    Vocabulary,
    compare_own_weights,
    compare_tensors,
    float_rows,
    has_quantized,
    has_same_weights,
    read_rows,
    rows_of,
    sample_replies,
)
from fdd_edge.parity_bounds import Bounds
from fdd_edge.runs.fingerprint import Json
from fdd_edge.runs.marked_folder import temporary_folder
from fdd_edge.targets import load_profile, resolve_threads

__all__ = ["FileContent", "own_weights_item", "read_content"]


class FileContent(NamedTuple):
    """What a file contains, without running it.

    Attributes:
        tensors: The comparison of its weights with the reference's.
        vocabulary: Its vocabulary.
        wrong_configs: See ``compare_outputs``.
    """

    tensors: Item
    vocabulary: Vocabulary
    wrong_configs: list[dict[str, Json]] | None


def read_content(
    artifact: Path, folder: Path, reference: ReferenceOutputs, bounds: Bounds, *, prove: bool = False
) -> FileContent:
    """Read a file, and compare its weights with its float model.

    Args:
        artifact: The model file.
        folder: Hugging Face folder of the float model.
        reference: The float model's outputs.
        bounds: ``tensors`` is used.
        prove: See ``compare_tensors``.

    Raises:
        FddError: The file, or a file next to it, is missing or damaged.
    """
    family = family_of(artifact)
    stored = family.stored_tensors(artifact)
    tensors = compare_tensors(lambda: family.float_tensors(folder), stored, bounds, prove=prove)
    wrong = None
    if family.wrong_configs is not None:
        wrong = [key._asdict() for key in family.wrong_configs(artifact, folder, reference.special.eos_ids)]
    with family.open_vocab(artifact) as vocab:
        vocabulary = Vocabulary(vocab.pieces, (chat_prompts(vocab.chat_template, vocab),))
    return FileContent(tensors, vocabulary, wrong)


def own_weights_item(
    artifact: Path,
    folder: Path,
    reference: ReferenceOutputs,
    outputs: DeviceOutputs,
    content: FileContent,
    *,
    bound: float,
    threads: int | None,
    prompt: str | None,
) -> Item:
    """Compare what a file computes with the float model under the file's own weights.

    If the file also rounds activations, a dequantized copy of its graph runs on this machine instead. If its weights
    are the float model's own, what that model has computed already is what it is compared with.

    Args:
        artifact: The model file.
        folder: Hugging Face folder of the float model.
        reference: The float model's outputs.
        outputs: The file's outputs.
        content: What the file contains.
        bound: Largest allowed median error.
        threads: Number of threads. Default: one per physical core.
        prompt: The prompt template, for a file that does not store one.
    """
    if not content.tensors.passed:
        return WRONG_WEIGHTS
    if not has_quantized(content.tensors):
        return NO_OWN_WEIGHTS
    replies = sample_replies(reference)
    with temporary_folder("dequantized") as temporary:
        try:
            dequantized = family_of(artifact).dequantized(artifact, temporary)
        except FddError as error:
            return Item(NO_OWN_WEIGHTS.name, False, str(error).rstrip("."), {"n": 0})
        if dequantized is None:
            rows = rows_of(reference, outputs.logits, replies)
        else:
            local = load_profile("local")
            rows = read_rows(local, dequantized, replies, threads=resolve_threads(local, threads), prompt=prompt)
    if has_same_weights(content.tensors):
        wanted = rows_of(reference, reference.logits, replies)
    else:
        weights = family_of(artifact).quantized_weights(artifact, folder)
        wanted = float_rows(folder, weights, replies, threads=threads)
    return compare_own_weights(wanted, rows, replies, bound=bound)
