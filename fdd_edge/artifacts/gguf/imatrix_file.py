"""Importance matrices: how much each input column of a matrix matters, in the file format of llama.cpp's own tool.

Source: llama.cpp ``tools/imatrix``. For each matrix, ``NAME.in_sum2`` holds the sum of squared inputs per column and
``NAME.counts`` the number of inputs; the quantizer weights its rounding errors by their quotient.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_edge.artifacts.gguf.reader import field, is_gguf, open_gguf
from fdd_edge.artifacts.stored_tensor import Array
from fdd_edge.errors import FddError

if TYPE_CHECKING:
    from gguf import GGUFReader

__all__ = ["open_imatrix", "read_imatrix", "write_imatrix"]

_SUMS, _COUNTS = ".in_sum2", ".counts"


def write_imatrix(path: Path, sums: Mapping[str, Array], n_inputs: int, *, source: str) -> None:
    """Write an importance matrix that llama.cpp's tools can read too.

    Args:
        path: The file to write.
        sums: Sum of the squared inputs per column, by the GGUF name of the matrix.
        n_inputs: Number of inputs.
        source: What it was measured on, for people who look into the file.
    """
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(path, "")
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", [source])
    writer.add_uint32("imatrix.chunk_count", 1)
    writer.add_uint32("imatrix.chunk_size", n_inputs)
    for name, columns in sums.items():
        writer.add_tensor(name + _SUMS, np.asarray(columns, np.float32).reshape(1, -1))
        writer.add_tensor(name + _COUNTS, np.full((1, 1), n_inputs, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def open_imatrix(path: Path) -> GGUFReader:
    """Open an importance matrix.

    Raises:
        FddError: There is no such file, or it is not an importance matrix in GGUF format.
    """
    if path.is_file() and not is_gguf(path):
        raise FddError(
            f"{path} is not a GGUF file. Convert an old .dat matrix with: llama-imatrix --in-file {path} -o NEW.gguf"
        )
    reader = open_gguf(path)
    if field(reader, "general.type") != "imatrix":
        raise FddError(f"{path} is not an importance matrix, but another kind of GGUF file.")
    return reader


def read_imatrix(path: Path, model: Path) -> dict[str, Array]:
    """Read the mean squared inputs of each matrix of a model.

    Args:
        path: An importance matrix in GGUF format.
        model: The float file that is to be quantized.

    Returns:
        GGUF name -> float32 array with one value per input column (with several experts, one expert after the other).

    Raises:
        FddError: There is no such file, it is not an importance matrix in GGUF format, or it belongs to another model.
    """
    import numpy as np

    reader = open_imatrix(path)
    tensors = {tensor.name: np.array(tensor.data, np.float32) for tensor in reader.tensors}
    means = {}
    for name, sums in tensors.items():
        if not name.endswith(_SUMS):
            continue
        counts = tensors.get(name.removesuffix(_SUMS) + _COUNTS)
        if counts is None:
            raise FddError(f"{path} is damaged: it has {name}, but no counts for it.")
        # For a matrix that never received an input, all columns count the same.
        seen = counts.reshape(-1, 1)
        mean = np.where(seen > 0, sums.reshape(len(seen), -1) / np.maximum(seen, 1), 1)
        means[name.removesuffix(_SUMS)] = np.ascontiguousarray(mean.reshape(-1), np.float32)
    _check_fits(path, means, model)
    return means


def _check_fits(path: Path, means: Mapping[str, Array], model: Path) -> None:
    """Refuse an importance matrix that lacks a matrix of a block, or has another width for it.

    The quantizer might silently ignore it.
    """
    for tensor in open_gguf(model).tensors:
        if len(tensor.shape) < 2 or not tensor.name.startswith("blk."):
            continue
        columns = means.get(tensor.name)
        if columns is None or columns.size != tensor.shape[0]:
            has = "nothing" if columns is None else f"{columns.size} columns"
            raise FddError(
                f"{path} is the importance matrix of another model: for {tensor.name}, which has {tensor.shape[0]} "
                f"columns, it has {has}."
            )
