"""Opens GGUF files, with one plain sentence for every way in which they may be broken."""

from __future__ import annotations

import functools
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fdd_edge.artifacts.stored_tensor import Array, StoredTensor
from fdd_edge.errors import FddError, MissingExtraError, no_file
from fdd_edge.ondevice.model_files import pieces_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from gguf import GGUFReader, ReaderTensor

__all__ = ["field", "is_gguf", "open_gguf", "open_pieces", "stored_tensors"]

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


def open_pieces(path: Path) -> list[GGUFReader]:
    """Open a file, or all pieces of one that was split; the first one has the metadata.

    Raises:
        FddError: A piece is missing or damaged, the path is not that of the first one, or a tensor is in none.
    """
    first = open_gguf(path)
    count = int(field(first, "split.count", 1))
    if count <= 1:
        return [first]
    pieces = pieces_of(path)
    if len(pieces) != count:
        raise FddError(
            f"{path} is one of {count} pieces of a model, and its name does not say which: llama.cpp expects "
            f"NAME-00001-of-{count:05d}.gguf."
        )
    if int(field(first, "split.no", 0)) != 0 or path != pieces[0]:
        raise FddError(f"{path} is not the first of its {count} pieces; name {pieces[0].name}.")
    if missing := [piece for piece in pieces if not piece.is_file()]:
        raise FddError(f"{path} is one of {count} pieces of a model, and {missing[0].name} is not next to it.")
    readers = [first, *(open_gguf(piece) for piece in pieces[1:])]
    found, said = sum(len(reader.tensors) for reader in readers), field(first, "split.tensors.count")
    if said is not None and found != said:
        raise FddError(f"The pieces of {path} hold {found} tensors instead of {said}; fetch all of them again.")
    return readers


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
    tensors = [tensor for reader in open_pieces(path) for tensor in reader.tensors]
    return {t.name: StoredTensor(t.tensor_type.name, partial(_dequantize, t)) for t in tensors}


def _dequantize(tensor: ReaderTensor) -> Array:
    """Return the float32 values of a tensor, rows first."""
    from gguf.quants import dequantize

    shape = [int(n) for n in reversed(tensor.shape)]
    array: Array = dequantize(tensor.data, tensor.tensor_type).astype("float32", copy=False).reshape(shape)
    return array
