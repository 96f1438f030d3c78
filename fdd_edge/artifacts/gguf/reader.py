"""Opens GGUF files, with one plain sentence for every way in which they may be broken."""

from __future__ import annotations

import functools
import struct
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from fdd_edge.artifacts.gguf.own_rounding import is_own_rounding
from fdd_edge.artifacts.stored_tensor import Array, StoredTensor
from fdd_edge.errors import FddError, MissingExtraError, no_file
from fdd_edge.ondevice.model_files import pieces_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from gguf import GGUFReader, GGUFValueType, ReaderField, ReaderTensor

    _Parts = tuple[int, list[npt.NDArray[Any]], list[int], list[GGUFValueType]]

__all__ = ["field", "is_gguf", "open_gguf", "open_pieces", "stated", "stored_tensors"]

T = TypeVar("T", int, str)

_MAGIC = b"GGUF"

_VERSIONS = (2, 3)

_MOST_KEYS = 10_000
"""Honest files have less than a hundred."""

_MOST_TENSORS = 100_000
"""A mixture of 128 experts in 100 layers has less than half of that."""

_MOST_TEXTS = 4_000_000
"""Texts in lists: each takes 240 bytes of memory, and nine of the file. Gemma, the largest, has 800,000."""

_LENGTH = struct.Struct("<Q")
"""Before each text."""

_SHOWN = 60
"""Characters of a tensor's name that a message shows."""


class _RefusedError(Exception):
    """A file is not read, and why is known; the message continues the sentence that begins with its path."""


def _check_count(count: int, most: int, what: str) -> None:
    if count > most:
        raise _RefusedError(f"says that it holds {count:,} {what}; no model has more than {most:,}")


def _check_version(path: Path) -> None:
    """Refuse a file that is not of a version, or a byte order, that llama.cpp reads."""
    with path.open("rb") as file:
        number = file.read(len(_MAGIC) + 4)[len(_MAGIC) :]
    version = int.from_bytes(number, "little")
    if len(number) == 4 and version & 0xFFFF == 0:
        raise _RefusedError(
            "is big-endian, which llama.cpp does not read here; convert it with gguf-convert-endian FILE little"
        )
    if len(number) == 4 and version not in _VERSIONS:
        remedy = "export the model again" if version < min(_VERSIONS) else "update fdd-edge, llama-cpp-python and gguf"
        raise _RefusedError(f"is of GGUF version {version}, and only versions 2 and 3 can be read; {remedy}")


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
        _check_version(path)
        return reader_class(path)
    except _RefusedError as error:
        raise FddError(f"{path} {error}.") from None
    except Exception as error:
        # The reader indexes a memory map, so a truncated or damaged file can raise any of a dozen exceptions.
        raise FddError(f"{path} is a damaged or truncated GGUF file.") from error


def open_pieces(path: Path) -> list[GGUFReader]:
    """Open a file, or all pieces of one that was split; the first one has the metadata.

    Raises:
        FddError: A piece is missing or damaged, the path is not that of the first one, or a tensor is in none.
    """
    first = open_gguf(path)
    count = stated(first, "split.count", int, 1)
    if count <= 1:
        return [first]
    pieces = pieces_of(path)
    if len(pieces) != count:
        raise FddError(
            f"{path} is one of {count} pieces of a model, and its name does not say which: llama.cpp expects "
            f"NAME-00001-of-{count:05d}.gguf."
        )
    if stated(first, "split.no", int, 0) != 0 or path != pieces[0]:
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

    The original slices a ``numpy.memmap`` twice per value, and makes two arrays for every token of a vocabulary, which
    takes six seconds for one like Qwen's.
    """
    import gguf
    import numpy as np

    class Reader(gguf.GGUFReader):
        strings = 0

        def _build_fields(self, offs: int, count: int) -> int:
            _check_count(count, _MOST_KEYS, "keys")
            return int(super()._build_fields(offs, count))

        def _build_tensor_info(self, offs: int, count: int) -> tuple[int, list[ReaderField]]:
            _check_count(count, _MOST_TENSORS, "tensors")
            found: tuple[int, list[ReaderField]] = super()._build_tensor_info(offs, count)
            return found

        def _build_tensors(self, start_offs: int, fields: list[ReaderField]) -> None:
            known = {kind.value for kind in gguf.GGMLQuantizationType}
            for found in fields:
                _, name, _, _, kind, _ = found.parts
                if int(kind[0]) not in known:
                    shown = bytes(name).decode("utf-8", errors="replace")[:_SHOWN]
                    raise _RefusedError(
                        f"holds the tensor {shown} of type {kind[0]}, which the package gguf does not know: update it, "
                        "or fetch the file again"
                    )
            super()._build_tensors(start_offs, fields)

        def _get_field_parts(self, orig_offs: int, raw_type: int) -> _Parts:
            """Return a value; a list of numbers is one part, where the original makes an array of each number."""
            parts: _Parts
            if raw_type != gguf.GGUFValueType.ARRAY:
                parts = super()._get_field_parts(orig_offs, raw_type)
                return parts
            kind, count = self._get(orig_offs, np.uint32), self._get(orig_offs + 4, np.uint64)
            inner = gguf.GGUFValueType(kind[0])
            if inner == gguf.GGUFValueType.ARRAY:
                raise _RefusedError("holds lists of lists, which llama.cpp does not read either")
            if inner == gguf.GGUFValueType.STRING:
                self.strings += int(count[0])
                _check_count(self.strings, _MOST_TEXTS, "texts")
                texts, end = _texts(memoryview(self.data.data).cast("B"), orig_offs + 12, int(count[0]))
                places = list(range(2, 2 + len(texts)))
                return end - orig_offs, [kind, count, *texts], places, [gguf.GGUFValueType.ARRAY, inner]
            numbers = self._get(orig_offs + 12, self.gguf_scalar_to_np[inner], int(count[0]))
            return 12 + numbers.nbytes, [kind, count, numbers], [2], [gguf.GGUFValueType.ARRAY, inner]

        def _get(
            self,
            offset: int,
            dtype: npt.DTypeLike,
            count: int = 1,
            override_order: Literal["I", "S", "<", ">"] | None = None,
        ) -> npt.NDArray[Any]:
            kind = np.dtype(dtype).newbyteorder(override_order or self.byte_order)
            # Raises an error if the file is shorter, before anything is allocated.
            return np.ndarray((int(count),), kind, self.data.data, int(offset))

    return Reader


def _texts(file: memoryview, start: int, count: int) -> tuple[list[Any], int]:
    """Return the texts of a list, as views of the file, and where the list ends."""
    texts, at = [], start
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(file, at)
        at += _LENGTH.size + length
        if at > len(file):
            raise ValueError("a text is longer than the file")
        texts.append(file[at - length : at])
    return texts, at


def field(reader: GGUFReader, name: str, default: Any = None) -> Any:  # a key holds a text, a number or a list
    """Return the value of a metadata key, or ``default``.

    Raises:
        FddError: It is not UTF-8 text.
    """
    found = reader.get_field(name)
    try:
        return default if found is None else found.contents()
    except UnicodeDecodeError:
        raise FddError(f"{_path_of(reader).name}: the value of {name} is not UTF-8 text.") from None


@overload
def stated(reader: GGUFReader, name: str, kind: type[T], default: T) -> T: ...
@overload
def stated(reader: GGUFReader, name: str, kind: type[T], default: None = None) -> T | None: ...
def stated(reader: GGUFReader, name: str, kind: type[T], default: T | None = None) -> T | None:
    """Return the value of a metadata key, or ``default``, after checking its type.

    Raises:
        FddError: It is of another type; GGUF lets every key hold anything.
    """
    found = field(reader, name, default)
    if found is None or (isinstance(found, kind) and not isinstance(found, bool)):
        return found
    wanted = "a text" if kind is str else "a whole number"
    raise FddError(
        f"{_path_of(reader)}: the value of {name} must be {wanted}, not {str(found)[:60]!r}; the file is damaged."
    )


def _path_of(reader: GGUFReader) -> Path:
    return Path(str(reader.data.filename))


def stored_tensors(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a file by name; each is read and dequantized when it is loaded.

    Raises:
        FddError: It is not a GGUF, or it is damaged.
    """
    tensors = [tensor for reader in open_pieces(path) for tensor in reader.tensors]
    return {
        t.name: StoredTensor(t.tensor_type.name, partial(_dequantize, t, path), partial(is_own_rounding, t))
        for t in tensors
    }


def _dequantize(tensor: ReaderTensor, path: Path) -> Array:
    """Return the float32 values of a tensor, rows first.

    Raises:
        FddError: It is of a type that does not hold weights.
    """
    from gguf.quants import dequantize

    shape = [int(n) for n in reversed(tensor.shape)]
    try:
        array: Array = dequantize(tensor.data, tensor.tensor_type).astype("float32", copy=False).reshape(shape)
    except NotImplementedError:
        raise FddError(
            f"{path} stores the tensor {tensor.name} as {tensor.tensor_type.name}, from which weights cannot be read; "
            "export the model again as F32, F16 or a quantized type."
        ) from None
    return array
