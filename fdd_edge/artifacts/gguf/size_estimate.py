"""Predicts a quantized file before it is written: its exact size, its tensor types, and types that are not available.

llama.cpp itself decides (``dry_run``), and reports the type of each tensor only in its log.
"""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_edge.artifacts.family_types import Fallback, Prediction
from fdd_edge.artifacts.gguf.llama_log import captured_log
from fdd_edge.artifacts.gguf.quantize import FILE_TYPES, imatrix_entries
from fdd_edge.artifacts.gguf.reader import field, open_gguf, open_pieces
from fdd_edge.artifacts.stored_tensor import Array
from fdd_edge.errors import FddError, MissingExtraError

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType, GGUFReader, ReaderTensor

__all__ = ["predict_quantized", "types_by"]

_RECIPE_KEY = "fdd_edge.recipe"
_HEAD_BLOCK = 256
_STRING_HEAD = 8 + 4 + 8
"""Bytes around a string in a GGUF: length of its key, its type, its length."""
_TENSOR = re.compile(r"^\[ *\d+/ *\d+\] (\S+) +- \[.*?\], type = +(\w+), size = .*?(?:\((\w+)\))?$", re.MULTILINE)
_FALLBACK = re.compile(
    r"^warning: (\S+) +- ncols +(\d+) not divisible by +(\d+) \(required for type +(\w+)\).*-> falling back to +(\w+)$",
    re.MULTILINE,
)


def predict_quantized(
    source: Path, kind: str, *, recipe: str, imatrix: Mapping[str, Array] | None = None
) -> Prediction:
    """Predict the file that ``quantize_gguf`` writes.

    Args:
        source: The float32 file.
        kind: A key of ``FILE_TYPES``.
        recipe: Will be stored as ``fdd_edge.recipe``, which takes space too.
        imatrix: As for ``quantize_gguf``; some types depend on whether there is one.

    Raises:
        KeyError: ``kind`` is not in ``FILE_TYPES``.
        FddError: llama.cpp cannot quantize the file to it.
    """
    import gguf

    log = _dry_run(source, kind, imatrix or {})
    reader = open_gguf(source)
    types = _types(log, reader.tensors)
    size = _metadata_bytes(reader, recipe)
    for tensor in reader.tensors:
        block, block_bytes = gguf.GGML_QUANT_SIZES[types[tensor.name]]
        size += _padded(int(tensor.n_elements) // block * block_bytes, reader.alignment)
    weights = sum(int(tensor.n_elements) for tensor in reader.tensors)
    return Prediction(
        size, 8 * size / weights, _of_matrices(types, reader.tensors), _fallbacks(log, reader, types, kind)
    )


def types_by(artifact: Path, kind: str, *, weighted: bool) -> dict[str, int]:
    """Return the number of matrices per type that quantization to a kind gives; the file may be quantized already.

    Args:
        artifact: The file.
        kind: A key of ``FILE_TYPES``.
        weighted: Whether an importance matrix is used, on which some types depend.

    Raises:
        FddError: llama.cpp cannot read the file.
    """
    import numpy as np

    tensors = [tensor for piece in open_pieces(artifact) for tensor in piece.tensors]
    imatrix = {t.name: np.ones(int(t.shape[0]), np.float32) for t in tensors if len(t.shape) > 1}
    log = _dry_run(artifact, kind, imatrix if weighted else {}, requantize=True)
    return _of_matrices(_types(log, tensors), tensors)


def _types(log: str, tensors: Sequence[ReaderTensor]) -> dict[str, GGMLQuantizationType]:
    """Return the type of every tensor by name."""
    import gguf

    types = {name: gguf.GGMLQuantizationType[(new or old).upper()] for name, old, new in _TENSOR.findall(log)}
    if types.keys() != {tensor.name for tensor in tensors}:
        raise RuntimeError(f"llama.cpp named {len(types)} of {len(tensors)} tensors in its dry run:\n{log}")
    return types


def _of_matrices(types: Mapping[str, GGMLQuantizationType], tensors: Sequence[ReaderTensor]) -> dict[str, int]:
    """Return the number of matrices per type, most frequent first."""
    counted = Counter(types[tensor.name].name for tensor in tensors if len(tensor.shape) > 1)
    return dict(counted.most_common())


def _dry_run(source: Path, kind: str, imatrix: Mapping[str, Array], *, requantize: bool = False) -> str:
    """Return llama.cpp's log of a quantization that writes nothing; ``requantize`` allows a quantized source."""
    try:
        import llama_cpp
    except ImportError:
        raise MissingExtraError("llama-cpp-python", "gguf") from None
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_{FILE_TYPES[kind]}")
    params.dry_run = True
    params.allow_requantize = requantize
    entries = imatrix_entries(llama_cpp, imatrix)
    if imatrix:
        params.imatrix = ctypes.cast(entries, type(params.imatrix))
    with captured_log(llama_cpp) as log:
        status = llama_cpp.llama_model_quantize(str(source).encode(), b"", ctypes.byref(params))
    if status != 0:
        raise FddError(f"{source} could not be quantized to {kind}: {log.last_error or f'status {status}'}")
    return log.text


def _metadata_bytes(reader: GGUFReader, recipe: str) -> int:
    """Return the size of everything before the first tensor once the recipe's name is stored.

    The float file already has every other key that llama.cpp sets, with the same width.
    """
    last = reader.tensors[-1].field
    end: int = last.offset + sum(part.nbytes for part in last.parts)
    named = field(reader, _RECIPE_KEY)
    if named is None:
        end += _STRING_HEAD + len(_RECIPE_KEY)
    else:
        end -= len(named.encode())
    return _padded(end + len(recipe.encode()), reader.alignment)


def _padded(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


def _fallbacks(
    log: str, reader: GGUFReader, types: Mapping[str, GGMLQuantizationType], kind: str
) -> tuple[Fallback, ...]:
    """Return the fallbacks that llama.cpp warned about, and the one case that it does not mention."""
    warned = [
        (name, wanted.upper(), got.upper(), int(row), int(block))
        for name, row, block, wanted, got in _FALLBACK.findall(log)
    ]
    rows = {tensor.name: int(tensor.shape[0]) for tensor in reader.tensors}
    head = "output.weight" if "output.weight" in rows else "token_embd.weight"
    row, is_silent = rows[head], head not in {name for name, *_ in warned}
    if is_silent and kind != "q8_0" and types[head].name == "Q8_0" and row % _HEAD_BLOCK:
        # K-quants give the head Q6_K, or silently Q8_0 if its rows do not fit.
        warned.append((head, "Q6_K", "Q8_0", row, _HEAD_BLOCK))
    counted = Counter((wanted, got, row, block) for _, wanted, got, row, block in warned)
    return tuple(Fallback(wanted, got, n, row, block) for (wanted, got, row, block), n in counted.most_common())
