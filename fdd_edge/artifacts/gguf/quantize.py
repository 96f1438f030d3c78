"""Quantization by llama.cpp itself, so that a file is the same as its own tool would write."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from fdd_edge.artifacts.gguf.llama_log import captured_log
from fdd_edge.artifacts.gguf.reader import open_gguf
from fdd_edge.artifacts.stored_tensor import Array
from fdd_edge.errors import FddError, MissingExtraError

__all__ = ["FILE_TYPES", "imatrix_entries", "quantize_gguf"]

FILE_TYPES = {
    "f32": "ALL_F32",
    "f16": "MOSTLY_F16",
    "q8_0": "MOSTLY_Q8_0",
    "q6_k": "MOSTLY_Q6_K",
    "q5_k_m": "MOSTLY_Q5_K_M",
    "q4_k_m": "MOSTLY_Q4_K_M",
    "q4_1": "MOSTLY_Q4_1",
    "iq4_nl": "MOSTLY_IQ4_NL",
    "iq4_xs": "MOSTLY_IQ4_XS",
    "iq3_m": "MOSTLY_IQ3_M",
    "iq3_xxs": "MOSTLY_IQ3_XXS",
    "iq2_m": "MOSTLY_IQ2_M",
    "q4_0": "MOSTLY_Q4_0",
    "q3_k_m": "MOSTLY_Q3_K_M",
}
"""Tensor type of a recipe -> llama.cpp's file type."""

_STRING_OVERRIDE = 3

_LARGEST_HALF = 65504.0


def quantize_gguf(
    source: Path,
    out: Path,
    kind: str,
    *,
    recipe: str,
    imatrix: Mapping[str, Array] | None = None,
    threads: int | None = None,
) -> None:
    """Quantize a float GGUF.

    Args:
        source: The float32 file.
        out: The file to write.
        kind: A key of ``FILE_TYPES``.
        recipe: Stored in the file as ``fdd_edge.recipe``.
        imatrix: By tensor name, the mean squared input of each column, float32: the weights of rounding errors.
        threads: Number of threads. Default: one per core that this process may use.

    Raises:
        KeyError: ``kind`` is not in ``FILE_TYPES``.
        FddError: llama.cpp could not write the file, or the importance matrix belongs to another model.
    """
    try:
        import llama_cpp
    except ImportError:
        raise MissingExtraError("llama-cpp-python", "gguf") from None
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_{FILE_TYPES[kind]}")
    params.nthread = threads or len(os.sched_getaffinity(0))
    overrides = _recipe_override(llama_cpp, recipe)
    params.kv_overrides = ctypes.cast(overrides, type(params.kv_overrides))
    entries = imatrix_entries(llama_cpp, imatrix or {})
    if imatrix:
        params.imatrix = ctypes.cast(entries, type(params.imatrix))
    with captured_log(llama_cpp) as log:
        status = llama_cpp.llama_model_quantize(str(source).encode(), str(out).encode(), ctypes.byref(params))
    if status != 0:
        out.unlink(missing_ok=True)
        name, largest = _largest_weight(source)
        if largest > _LARGEST_HALF:
            raise FddError(
                f"{recipe} cannot hold this model: its weight {name} reaches {largest:g}, and {kind} stores weights or "
                f"their scales as 16-bit numbers, of which the largest is {_LARGEST_HALF:g}. Export gguf-f32 instead."
            )
        raise FddError(f"{source} could not be quantized to {kind}: {log.last_error or f'status {status}'}")


def _largest_weight(source: Path) -> tuple[str, float]:
    """Return the name of the tensor with the largest magnitude in a float GGUF, and that magnitude."""
    found = ((tensor.name, float(abs(tensor.data).max(initial=0))) for tensor in open_gguf(source).tensors)
    return max(found, key=lambda one: one[1])


def _recipe_override(llama_cpp: ModuleType, recipe: str) -> ctypes.Array[ctypes.Structure]:
    """Return the zero-terminated array of metadata overrides that names the recipe."""
    overrides: ctypes.Array[ctypes.Structure] = (llama_cpp.llama_model_kv_override * 2)()
    overrides[0].tag = _STRING_OVERRIDE
    overrides[0].key = b"fdd_edge.recipe"
    overrides[0].value.val_str = recipe.encode()[:127]
    return overrides


def imatrix_entries(llama_cpp: ModuleType, imatrix: Mapping[str, Array]) -> ctypes.Array[ctypes.Structure]:
    """Return the array of (name, data, size) that the quantizer reads, terminated by an empty entry.

    It points into the arrays of ``imatrix``, which must outlive it.
    """
    entries: ctypes.Array[ctypes.Structure] = (llama_cpp.llama_model_imatrix_data * (len(imatrix) + 1))()
    for entry, (name, means) in zip(entries, imatrix.items(), strict=False):
        entry.name = name.encode()
        entry.data = means.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        entry.size = means.size
    return entries
