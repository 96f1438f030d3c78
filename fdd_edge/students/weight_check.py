"""Checks that a Hugging Face folder holds the model that its ``config.json`` promises, and that it can compute.

transformers fills a missing tensor with random numbers, ignores one that it does not know, and trains on NaN.
"""

from __future__ import annotations

import math
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.safetensors_folder import FolderTensors, open_tensors
from fdd_edge.students.promised_weights import PromisedWeights, promised_weights
from fdd_edge.students.shard_index import check_index

__all__ = ["check_weights"]

_FLOAT_TYPES = ("F64", "F32", "F16", "BF16")
_HEAD = "lm_head.weight"
_QUANTIZED = (".qweight", ".weight_packed", ".weight.absmax", ".weight_scale")
"""What is stored instead of, or next to, a matrix by GPTQ and AWQ, compressed-tensors, bitsandbytes, and FP8."""


def check_weights(folder: Path) -> list[str]:
    """Check the weights of a Hugging Face folder before anything is made from them.

    Args:
        folder: Its ``config.json`` was checked, and its number of layers is that of its tensors.

    Returns:
        For each tensor that does not count, although it differs from the one that does, a sentence without its subject,
        the folder.

    Raises:
        FddError: A tensor is missing, unknown, quantized, of another shape, or holds something that is not a finite
            number; or the index of the files does not fit them. The message names the tensor.
    """
    check_index(folder)
    promised = promised_weights(folder)
    with open_tensors(folder) as tensors:
        for name in promised.shapes:
            if name in tensors:
                _check_form(folder, tensors, name, promised.shapes[name])
            elif name not in promised.copies:
                raise _missing(folder, tensors, name)
        for name in tensors.names:
            if name not in promised.shapes and not promised.is_unread(name):
                raise FddError(f"{folder} holds the tensor {name}, which its architecture does not have.")
        notes = [
            _unused(name, original) for name, original in promised.copies.items()
            if name in tensors and _differ(tensors, name, original)
        ]  # fmt: skip
        _check_finite(folder, tensors, promised)
    return notes


def _check_form(folder: Path, tensors: FolderTensors, name: str, shape: tuple[int, ...]) -> None:
    if (stored := tensors.dtype(name)) not in _FLOAT_TYPES:
        raise FddError(f"{folder} stores {name} as {stored}: it is quantized; use the float model.")
    if tensors.shape(name) != shape:
        raise FddError(f"{folder}: {name} has the shape {tensors.shape(name)}, and its config.json says {shape}.")


def _missing(folder: Path, tensors: FolderTensors, name: str) -> FddError:
    """Return the error for a tensor that is not there; it says how the folder differs, if it is one of known ways."""
    module = name.removesuffix(".weight")
    for ending in _QUANTIZED:
        if module + ending in tensors:
            return FddError(f"{folder} stores {name} as {module + ending}: it is quantized; use the float model.")
    if longer := next((one for one in tensors.names if one.endswith(f".{name}")), None):
        return FddError(
            f"{folder} lacks the tensor {name}, but holds {longer}: save the model again without the prefix "
            f"{longer.removesuffix(name)!r}."
        )
    prefix, _, rest = name.partition(".")
    if rest in tensors:
        return FddError(
            f"{folder} lacks the tensor {name}, but holds {rest}: it was saved without its head; save the whole model "
            f"again, whose names begin with '{prefix}.'."
        )
    tied = ', or add "tie_word_embeddings": true to its config.json if its embeddings are its head' * (name == _HEAD)
    return FddError(f"{folder} lacks the tensor {name}; fetch the model again, or save it again{tied}.")


def _differ(tensors: FolderTensors, name: str, original: str) -> bool:
    import numpy as np

    return not np.array_equal(tensors.load(name), tensors.load(original))


def _unused(name: str, original: str) -> str:
    if name == _HEAD:
        return (
            "holds a lm_head.weight that differs from its embeddings, and its config.json ties the two: the embeddings "
            "count."
        )
    return f"holds {name}, a copy of {original} that differs from it: {original} counts."


def _check_finite(folder: Path, tensors: FolderTensors, promised: PromisedWeights) -> None:
    """Refuse weights that are not numbers: every loss and every logit would be NaN, or only those of rare tokens.

    Raises:
        FddError: There is one; the message says where.
    """
    import numpy as np

    for name in promised.shapes:
        if name not in tensors or name in promised.copies:
            continue
        array = tensors.load(name)
        # Both are NaN if one value is, and neither needs memory.
        if array.size and not (math.isfinite(array.min()) and math.isfinite(array.max())):
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise FddError(
                f"{folder}: {name} holds {array[place]} at {list(place)}, which is not a finite number; fetch the "
                "model again, or use a checkpoint from before its training failed."
            )
