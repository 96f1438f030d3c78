"""Opens GGUF files, with one plain sentence for every way in which they may be broken."""

from __future__ import annotations

import functools
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fdd_edge.artifacts.stored_tensor import Array, StoredTensor
from fdd_edge.errors import FddError, MissingExtraError, no_file

if TYPE_CHECKING:
    import numpy.typing as npt
    from gguf import GGUFReader, ReaderTensor

__all__ = ["field", "is_gguf", "open_gguf", "stored_tensors"]

_MAGIC = b"GGUF"


def is_gguf(path: Path) -> bool:
    """Return whether a file begins like a GGUF."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def open_gguf(path: Path) -> GGUFReader:
    """Open a file with ``gguf.GGUFReader``, after checking that it holds all of its tensors.

    Raises:
        FddError: There is no such file, it is not a GGUF, or it is truncated.
        MissingExtraError: The package ``gguf`` is not installed.
    """
    try:
        reader_class = _reader_class()
    except ImportError:
        raise MissingExtraError("gguf", "gguf") from None
    if not path.is_file():
        raise no_file(path)
    if not is_gguf(path):
        raise FddError(f"{path} is not a GGUF file.")
    try:
        return reader_class(path)
    except Exception as error:
        # The reader indexes a memory map, so a truncated or damaged file can raise any of a dozen exceptions.
        raise FddError(f"{path} is a damaged or truncated GGUF file.") from error


@functools.cache
def _reader_class() -> type[GGUFReader]:
    """Return ``gguf.GGUFReader`` with faster access to values.

    The original slices a ``numpy.memmap`` twice per value, which takes six seconds for a vocabulary like Qwen's.
    """
    import gguf
    import numpy as np

    class Reader(gguf.GGUFReader):
        def _get(
            self,
            offset: int,
            dtype: npt.DTypeLike,
            count: int = 1,
            override_order: Literal["I", "S", "<", ">"] | None = None,
        ) -> npt.NDArray[Any]:
            kind = np.dtype(dtype).newbyteorder(override_order or self.byte_order)
            return np.ndarray((int(count),), kind, self.data.data, int(offset))

    return Reader


def field(reader: GGUFReader, name: str, default: Any = None) -> Any:  # a key holds a text, a number or a list
    """Return the value of a metadata key, or ``default``."""
    found = reader.get_field(name)
    return default if found is None else found.contents()


def stored_tensors(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a file by name; each is read and dequantized when it is loaded.

    Raises:
        FddError: It is not a GGUF, or it is damaged.
    """
    return {t.name: StoredTensor(t.tensor_type.name, partial(_dequantize, t)) for t in open_gguf(path).tensors}


def _dequantize(tensor: ReaderTensor) -> Array:
    """Return the float32 values of a tensor, rows first."""
    from gguf.quants import dequantize

    shape = [int(n) for n in reversed(tensor.shape)]
    array: Array = dequantize(tensor.data, tensor.tensor_type).astype("float32", copy=False).reshape(shape)
    return array
