"""Importance matrices: how much each input column of a matrix matters, in the file format of llama.cpp's own tool.

Source: llama.cpp ``tools/imatrix``: for each matrix ``NAME.in_sum2`` holds the sum of squared inputs by column,
``NAME.counts`` the number of inputs; the quantizer weights its rounding errors by their quotient.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge.artifacts.gguf.reader import field, open_gguf
from fdd_edge.errors import FddError

__all__ = ["InputSquares", "read_imatrix", "write_imatrix"]

_SUMS, _COUNTS = ".in_sum2", ".counts"


class InputSquares(NamedTuple):
    """What went into one matrix.

    Attributes:
        sums: Sum of the squared inputs, float32, shape (input columns,).
        count: Number of inputs.
    """

    sums: Any
    count: int


def write_imatrix(path: Path, squares: Mapping[str, InputSquares], *, source: str) -> None:
    """Write an importance matrix that llama.cpp's tools read too.

    Args:
        path: The file to write.
        squares: By GGUF name of the matrix.
        source: What was read, for people.
    """
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(path, "")
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", [source])
    writer.add_uint32("imatrix.chunk_count", 1)
    writer.add_uint32("imatrix.chunk_size", max(one.count for one in squares.values()))
    for name, one in squares.items():
        writer.add_tensor(name + _SUMS, np.asarray(one.sums, np.float32).reshape(1, -1))
        writer.add_tensor(name + _COUNTS, np.full((1, 1), one.count, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_imatrix(path: Path) -> dict[str, Any]:
    """Read the mean squared inputs of each matrix.

    Returns:
        GGUF name -> float32 array, one number an input column (of several experts one after the other).

    Raises:
        FddError: There is no such file, or it is no importance matrix in GGUF.
    """
    import numpy as np

    if path.is_file() and path.read_bytes()[:4] != b"GGUF":
        raise FddError(f"{path} is no GGUF. An old .dat matrix becomes one by: llama-imatrix --in-file {path} -o NEW.gguf")
    reader = open_gguf(path)
    if field(reader, "general.type") != "imatrix":
        raise FddError(f"{path} is no importance matrix: it is a GGUF of another kind.")
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
    return means
