"""A quantized file, read back under the names of the Hugging Face folder it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_edge.artifacts.gguf.reader import open_gguf
from fdd_edge.artifacts.gguf.write import hf_names, row_order
from fdd_edge.artifacts.stored_tensor import Array
from fdd_edge.errors import FddError

if TYPE_CHECKING:
    from gguf import ReaderTensor

__all__ = ["QuantizedFile"]

_FLOAT = {"F32", "F16", "BF16"}


class QuantizedFile:
    """Tensor types and dequantized matrices of a quantized GGUF."""

    def __init__(self, path: Path, folder: Path) -> None:
        """Open a file.

        Args:
            path: The quantized file.
            folder: The Hugging Face folder it was made from.
        """
        self._folder = folder
        self._own_names = {own: name for name, own in hf_names(folder).items()}
        self._tensors = {tensor.name: tensor for tensor in open_gguf(path).tensors}

    def type_of(self, name: str) -> str:
        """Return ggml's name of a weight's tensor type, given its name in the folder.

        Raises:
            FddError: The file has no such matrix; a tied head, for example, is not stored.
        """
        return str(self._tensor(name).tensor_type.name)

    def dequantized(self, name: str) -> Array:
        """Return a matrix as it is read back from the file, with rows in the folder's order.

        Raises:
            FddError: The file has no such matrix.
        """
        import gguf
        import numpy as np

        tensor = self._tensor(name)
        rows = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        ordered: Array = np.empty_like(rows)
        ordered[row_order(self._folder, tensor.name, len(rows))] = rows
        return ordered

    def matrices(self) -> Iterator[tuple[str, Array]]:
        """Yield (name in the folder, matrix as it is read back from the file) of every quantized matrix."""
        for name, own in self._own_names.items():
            tensor = self._tensors.get(own)
            if tensor is not None and tensor.tensor_type.name not in _FLOAT:
                yield name, self.dequantized(name)

    def _tensor(self, name: str) -> ReaderTensor:
        if name not in self._own_names:
            module = name.removesuffix(".weight").removesuffix(".base_layer")
            raise FddError(
                f"The quantized file does not store {module}, so training cannot simulate its rounding. Remove "
                f"{module.rsplit('.', 1)[-1]} from lora.target_modules, or set training.quantization_aware=none."
            )
        return self._tensors[self._own_names[name]]
