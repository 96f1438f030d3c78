"""The weights of an ONNX graph by the names that its float model has for them, and those of the float model likewise.

The builder joins a layer's query, key and value matrices; the other matrices and the norms are Hugging Face's own. What
a token is embedded as is read by the operator that does it, for it may share its matrix with the head.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fdd_edge.artifacts.onnx.graph import load_graph
from fdd_edge.errors import FddError
from fdd_edge.ondevice.model_files import DECODER, decoder_start
from fdd_edge.safetensors_folder import open_tensors

__all__ = ["HEAD", "Array", "Reader", "StoredWeight", "onnx_tensors", "quantized_weights", "stored_weights"]

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"

Array = npt.NDArray[np.float32]

_JOINED = re.compile(r"(model\.layers\.\d+)\.self_attn\.([qkv])_proj\.(weight|bias)")
_TOGETHER = ".qkv_proj.weight"
_OF_OTHER_GRAPHS = ("with_past.", "encoder.shared.")
"""An encoder-decoder's later decoder, and its encoder's embedding, hold again what the first decoder holds."""
_NIBBLES = 2
"""4-bit weights in a byte: the lower half comes first."""


class StoredWeight(NamedTuple):
    """A tensor of a graph: the name of its number format, and what reads it as float32, matrices as (out, in)."""

    type: str
    load: Callable[[], Array]


def onnx_tensors(folder: Path) -> Iterator[tuple[str, Array]]:
    """Yield (name, float32 array) of every weight of a Hugging Face folder, as the builder puts them together."""
    if decoder_start(folder) is not None:
        from fdd_edge.artifacts.onnx.seq2seq_weights import seq2seq_tensors

        yield from seq2seq_tensors(folder)
        return
    joined: dict[str, dict[str, Array]] = {}
    with open_tensors(folder) as tensors:
        for name in sorted(tensors):
            array = tensors[name].get_tensor(name).float().numpy()
            if found := _JOINED.fullmatch(name):
                layer, part, kind = found.groups()
                own = joined.setdefault(f"{layer}.self_attn.qkv_proj.{kind}", {})
                own[part] = array
                if len(own) == len("qkv"):
                    yield f"{layer}.self_attn.qkv_proj.{kind}", np.concatenate([own.pop(p) for p in "qkv"])
            else:
                yield name, array
        if HEAD not in tensors:
            yield HEAD, tensors[EMBEDDING].get_tensor(EMBEDDING).float().numpy()


def stored_weights(path: Path) -> Mapping[str, StoredWeight]:
    """Return the weights of a graph by name; they are read when asked for.

    Args:
        path: The graph.

    Raises:
        FddError: The graph cannot be read.
    """
    if path.name == DECODER:
        from fdd_edge.artifacts.onnx.seq2seq_weights import seq2seq_stored

        return seq2seq_stored(path.parent)
    graph = load_graph(path.parent, name=path.name).graph
    norm_offset = _norm_offset(path.with_name("config.json"))
    read = Reader(path.parent, {one.name: one for one in graph.initializer})
    reshaped = {node.output[0]: node.input[0] for node in graph.node if node.op_type in ("Reshape", "Transpose")}
    found: dict[str, StoredWeight] = {}
    for node in graph.node:
        for name, weight in _weights_of(node, read, reshaped, norm_offset):
            found[name] = weight
    return found


def quantized_weights(stored: Mapping[str, StoredWeight], folder: Path) -> Iterator[tuple[str, Array]]:
    """Yield (name, float32 array) of every quantized weight of a graph, as a Hugging Face folder names them.

    Args:
        stored: See ``stored_weights``.
        folder: The folder of the float model.
    """
    with open_tensors(folder) as tensors:
        for name, weight in stored.items():
            if weight.type == "F32" or name.startswith(_OF_OTHER_GRAPHS):
                continue
            values = weight.load()
            if not name.endswith(_TOGETHER):
                yield name, values
                continue
            start = 0
            for part in "qkv":
                own = name.replace(_TOGETHER, f".{part}_proj.weight")
                rows = tensors[own].get_slice(own).get_shape()[0]
                yield own, values[start : start + rows]
                start += rows


def _norm_offset(config: Path) -> float:
    """Return what the builder has added to every norm: Gemma's are counted from 1."""
    try:
        family = json.loads(config.read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        raise FddError(f"{config} does not say what model this is.") from None
    return 1.0 if str(family).startswith("gemma") else 0.0


class Reader:
    """Reads the tensors that a graph stores, wherever their bytes lie."""

    def __init__(self, folder: Path, stored: Mapping[str, Any]) -> None:
        self._folder = folder
        self.stored = stored

    def __call__(self, name: str) -> npt.NDArray[Any]:
        """Return a tensor as it is stored."""
        from onnx import numpy_helper

        try:
            # A base folder for the external data; it is refused outside of it.
            array: npt.NDArray[Any] = numpy_helper.to_array(self.stored[name], base_dir=str(self._folder))
        except Exception as error:  # of onnx, of numpy, or of the disk
            raise FddError(f"{self._folder}: the weights of {name} cannot be read: {error}") from None
        return array

    def turned(self, name: str) -> Array:
        """Return a float matrix as (out, in)."""
        return self(name).astype(np.float32).T

    def columns(self, data: str) -> Array:
        """Return a matrix of bytes with a scale and a zero point for each column, or for all, as (out, in)."""
        name = data.removesuffix("_quantized")
        scale, zero = self(f"{name}_scale").astype(np.float32), self(f"{name}_zero_point").astype(np.float32)
        turned: Array = ((self(data).astype(np.float32) - zero) * scale).T
        return turned


def _weights_of(
    node: Any, read: Reader, reshaped: Mapping[str, str], norm_offset: float
) -> Iterator[tuple[str, StoredWeight]]:
    """Yield the weights that an operator reads."""
    inputs = list(node.input)
    if node.op_type == "MatMulNBits":
        bits = _attribute(node, "bits")
        yield _matrix_name(inputs[1]), StoredWeight(f"INT{bits}", partial(_blocks, read, node, *inputs[1:4]))
    elif node.op_type in ("MatMul", "Gemm") and inputs[1] in read.stored:
        yield _matrix_name(inputs[1]), StoredWeight("F32", partial(read.turned, inputs[1]))
    elif node.op_type == "MatMulInteger" and inputs[1] in read.stored:
        yield _matrix_name(inputs[1]), StoredWeight("INT8", partial(read.columns, inputs[1]))
    elif node.op_type == "Add" and (bias := next((i for i in inputs if i.endswith(".bias")), None)) is not None:
        yield _module(bias.removesuffix(".Add.bias")) + ".bias", StoredWeight("F32", partial(read, bias))
    elif "LayerNormalization" in node.op_type:
        name = next(i for i in inputs if i in read.stored)
        yield _norm_name(name), StoredWeight("F32", lambda: read(name).astype(np.float32) - norm_offset)
    elif node.op_type == "GatherBlockQuantized":
        data = reshaped.get(inputs[0], inputs[0])
        bits = _attribute(node, "bits")
        rest = (*inputs[2:4], "")[:2]
        yield EMBEDDING, StoredWeight(f"INT{bits}", partial(_blocks, read, node, data, *rest))
    elif node.op_type == "Gather" and "input_ids" in inputs:
        data = inputs[0]
        if data in read.stored and _is_float(read.stored[data]):
            yield EMBEDDING, StoredWeight("F32", partial(read, data))
        elif data in reshaped:
            yield EMBEDDING, StoredWeight("F32", partial(read.turned, reshaped[data]))
        elif data.endswith("_quantized"):
            yield EMBEDDING, StoredWeight("INT8", partial(read.columns, data))


def _blocks(read: Reader, node: Any, data: str, scale: str, zero: str = "") -> Array:
    """Return a matrix whose rows are rounded in blocks, each with a scale and a zero point of its own."""
    bits, size = _attribute(node, "bits"), _attribute(node, "block_size")
    scales = read(scale).astype(np.float32)
    rows = scales.shape[0]
    scales = scales.reshape(rows, -1, 1)
    raw = _unpacked(read(data).reshape(rows, -1), bits).reshape(rows, scales.shape[1], size)
    zeros: Any = 2 ** (bits - 1)
    if zero:
        zeros = _unpacked(read(zero).reshape(rows, -1), bits)[:, : scales.shape[1], None].astype(np.float32)
    matrix: Array = ((raw.astype(np.float32) - zeros) * scales).reshape(rows, -1)
    return matrix


def _unpacked(raw: npt.NDArray[np.uint8], bits: int) -> npt.NDArray[np.uint8]:
    if bits != 8 // _NIBBLES:
        return raw
    return np.stack([raw & 0xF, raw >> 4], axis=-1).reshape(len(raw), -1)


def _matrix_name(stored: str) -> str:
    """Return Hugging Face's name of a matrix: ``model.layers.0.attn.o_proj.MatMul.weight_Q4G32`` is o_proj's."""
    return _module(stored.partition(".MatMul.")[0]) + ".weight"


def _norm_name(stored: str) -> str:
    name = stored.removesuffix(".weight")
    if name.endswith(".final_norm_layernorm"):
        return "model.norm.weight"
    return _module(name.removesuffix(".layernorm")) + ".weight"


def _module(name: str) -> str:
    return name.replace(".attn.", ".self_attn.")


def _attribute(node: Any, name: str) -> int:
    return int(next(one.i for one in node.attribute if one.name == name))


def _is_float(stored: Any) -> bool:
    from onnx import TensorProto

    return bool(stored.data_type == TensorProto.FLOAT)
