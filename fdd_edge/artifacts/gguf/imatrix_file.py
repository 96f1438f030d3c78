"""Importance matrices: how much each input column of a matrix matters, in the file format of llama.cpp's own tool.

Source: llama.cpp ``tools/imatrix``: for each matrix ``NAME.in_sum2`` holds the sum of squared inputs by column,
``NAME.counts`` the number of inputs; the quantizer weights its rounding errors by their quotient.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fdd_edge.artifacts.gguf.reader import field, is_gguf, open_gguf
from fdd_edge.errors import FddError

__all__ = ["open_imatrix", "read_imatrix", "write_imatrix"]

_SUMS, _COUNTS = ".in_sum2", ".counts"


def write_imatrix(path: Path, sums: Mapping[str, Any], n_inputs: int, *, source: str) -> None:
    """Write an importance matrix that llama.cpp's tools read too.

    Args:
        path: The file to write.
        sums: Sum of the squared inputs by column, by GGUF name of the matrix.
        n_inputs: Number of inputs.
        source: What was read, for people.
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


def open_imatrix(path: Path) -> Any:
    """Return a reader on an importance matrix.

    Raises:
        FddError: There is no such file, or it is no importance matrix in GGUF.
    """
    if path.is_file() and not is_gguf(path):
        raise FddError(
            f"{path} is no GGUF. An old .dat matrix becomes one by: llama-imatrix --in-file {path} -o NEW.gguf"
        )
    reader = open_gguf(path)
    if field(reader, "general.type") != "imatrix":
        raise FddError(f"{path} is no importance matrix: it is a GGUF of another kind.")
    return reader


def read_imatrix(path: Path, model: Path) -> dict[str, Any]:
    """Read the mean squared inputs of each matrix of a model.

    Args:
        path: An importance matrix in GGUF.
        model: The float file that is to be quantized.

    Returns:
        GGUF name -> float32 array, one number an input column (of several experts one after the other).

    Raises:
        FddError: There is no such file, it is no importance matrix in GGUF, or it is another model's.
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
            raise FddError(f"{path} is damaged: it has {name}, and no counts for it.")
        # A matrix that never saw an input says nothing of its columns: all alike.
        seen = counts.reshape(-1, 1)
        mean = np.where(seen > 0, sums.reshape(len(seen), -1) / np.maximum(seen, 1), 1)
        means[name.removesuffix(_SUMS)] = np.ascontiguousarray(mean.reshape(-1), np.float32)
    _check_fits(path, means, model)
    return means


def _check_fits(path: Path, means: Mapping[str, Any], model: Path) -> None:
    """Refuse a matrix that says nothing, or something else, of a block's matrices: the quantizer might pass it over."""
    for tensor in open_gguf(model).tensors:
        if len(tensor.shape) < 2 or not tensor.name.startswith("blk."):
            continue
        columns = means.get(tensor.name)
        if columns is None or columns.size != tensor.shape[0]:
            has = "nothing" if columns is None else f"{columns.size} columns"
            raise FddError(
                f"{path} is the importance matrix of another model: of {tensor.name}, with {tensor.shape[0]} columns, "
                f"it has {has}."
            )
