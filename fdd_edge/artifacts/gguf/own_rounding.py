"""Whether a file holds, bit for bit, what ggml rounds the weights of its float model to.

Such a file has the weights that its recipe makes of that model: a bound on the error would also let through a row that
was overwritten, or a block whose scale is off.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from fdd_edge.artifacts.stored_tensor import Array

if TYPE_CHECKING:
    from gguf import ReaderTensor

__all__ = ["is_own_rounding"]


def is_own_rounding(tensor: ReaderTensor, weights: Array) -> bool:
    """Return whether a tensor of a file is what ggml makes of some weights.

    Types that are only made with an importance matrix are never recognised: it is not known here.

    Args:
        tensor: The tensor.
        weights: float32, in the shape of the tensor, rows first.
    """
    import gguf
    import numpy as np

    library, kind = _ggml(), tensor.tensor_type
    block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    row = weights.shape[-1]
    if library is None or row % block or library.ggml_quantize_requires_imatrix(int(kind)):
        return False
    source = np.ascontiguousarray(weights, np.float32)
    rounded = np.empty(source.size // block * block_bytes, np.uint8)
    written = library.ggml_quantize_chunk(
        int(kind), source.ctypes.data, rounded.ctypes.data, 0, source.size // row, row, None
    )
    stored = np.ascontiguousarray(tensor.data).view(np.uint8).reshape(-1)
    return bool(written == rounded.size and np.array_equal(rounded, stored))


def _ggml() -> Any | None:
    """Return ggml's library with the types of the two functions that are called here; None if it is not installed."""
    try:
        from llama_cpp import llama_cpp
    except ImportError:
        return None
    library: Any = llama_cpp._lib
    library.ggml_quantize_requires_imatrix.argtypes = [ctypes.c_int]
    library.ggml_quantize_requires_imatrix.restype = ctypes.c_bool
    library.ggml_quantize_chunk.argtypes = [
        *(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p),
        *(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p),
    ]
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    return library
