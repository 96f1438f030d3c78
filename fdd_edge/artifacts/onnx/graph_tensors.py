"""The tensors that an ONNX graph stores, in the graph itself or in a file next to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fdd_edge.artifacts.stored_tensor import Array
from fdd_edge.errors import FddError

if TYPE_CHECKING:
    from onnx import GraphProto, TensorProto

__all__ = ["GraphTensors"]


class GraphTensors:
    """Reads the stored tensors of a graph by name.

    Attributes:
        stored: The tensors as onnx describes them, by name.
    """

    def __init__(self, folder: Path, graph: GraphProto) -> None:
        """Take a graph without its external data, and the folder that holds them."""
        self._folder = folder
        self.stored: Mapping[str, TensorProto] = {tensor.name: tensor for tensor in graph.initializer}

    def __call__(self, name: str) -> npt.NDArray[Any]:
        """Return a tensor as it is stored.

        Raises:
            FddError: It cannot be read.
        """
        from onnx import numpy_helper

        try:
            tensor, folder = _without_link(self.stored[name], self._folder)
            # onnx refuses external data outside of the base folder.
            array: npt.NDArray[Any] = numpy_helper.to_array(tensor, base_dir=str(folder))
        except Exception as error:  # raised by onnx, numpy or the file system
            raise FddError(f"{self._folder}: the weights of {name} cannot be read: {error}") from None
        return array

    def transposed(self, name: str) -> Array:
        """Return a float matrix as (out, in)."""
        return self(name).astype(np.float32).T

    def int8_columns(self, data: str) -> Array:
        """Return an int8 matrix as (out, in), dequantized by one scale and zero point per column, or per matrix."""
        name = data.removesuffix("_quantized")
        scale, zero = self(f"{name}_scale").astype(np.float32), self(f"{name}_zero_point").astype(np.float32)
        matrix: Array = ((self(data).astype(np.float32) - zero) * scale).T
        return matrix


def _without_link(tensor: TensorProto, folder: Path) -> tuple[TensorProto, Path]:
    """Return a tensor and the folder of its data; onnx refuses a link, as in the hub client's cache."""
    location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    link = folder / location
    if not location or Path(location).name != location or not link.is_symlink():
        return tensor, folder
    target, copy = link.resolve(), type(tensor)()
    copy.CopyFrom(tensor)
    for entry in copy.external_data:
        if entry.key == "location":
            entry.value = target.name
    return copy, target.parent
