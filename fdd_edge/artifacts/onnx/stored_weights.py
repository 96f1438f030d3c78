"""The weights of a decoder graph under the names of its float model, and the float model's under the same names.

The builder joins the query, key and value matrices of a layer; the other matrices and the norms keep their Hugging Face
names. The embedding is read through the operator that looks it up, because it may share a matrix with the head.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fdd_edge.artifacts.onnx.graph import load_graph
from fdd_edge.artifacts.onnx.graph_tensors import GraphTensors
from fdd_edge.artifacts.stored_tensor import Array, StoredTensor
from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.safetensors_folder import FolderTensors, open_tensors

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

__all__ = ["HEAD", "is_tied", "onnx_tensors", "quantized_weights", "stored_weights"]

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"

_QKV = re.compile(r"(model\.layers\.\d+)\.self_attn\.([qkv])_proj\.(weight|bias)")
_JOINED = ".qkv_proj.weight"
_INT4_PER_BYTE = 2


def onnx_tensors(folder: Path) -> Iterator[tuple[str, Array]]:
    """Yield (name, float32 array) of every weight of a Hugging Face folder, joined as the builder joins them."""
    waiting: dict[str, dict[str, Array]] = {}
    with open_tensors(folder) as tensors:
        tied = is_tied(folder, tensors)
        for name in sorted(tensors.names):
            if name == HEAD and tied:
                continue
            array = tensors.load(name)
            if found := _QKV.fullmatch(name):
                layer, part, kind = found.groups()
                joined = f"{layer}.self_attn.qkv_proj.{kind}"
                parts = waiting.setdefault(joined, {})
                parts[part] = array
                if len(parts) == len("qkv"):
                    yield joined, np.concatenate([parts.pop(p) for p in "qkv"])
            else:
                yield name, array
        if tied:
            yield HEAD, tensors.load(EMBEDDING)


def is_tied(folder: Path, tensors: FolderTensors) -> bool:
    """Return whether the head of a decoder is its embedding matrix: it is not stored, or the config says so."""
    config = parse_json((folder / "config.json").read_text(encoding="utf-8"))
    by_default = str(config.get("model_type", "")).startswith("gemma3")
    return HEAD not in tensors or bool(config.get("tie_word_embeddings", by_default))


def stored_weights(path: Path) -> Mapping[str, StoredTensor]:
    """Return the weights of a graph by name; they are read when they are loaded.

    Args:
        path: The graph.

    Raises:
        FddError: The graph cannot be read.
    """
    graph = load_graph(path.parent, name=path.name).graph
    norm_offset = _norm_offset(path.with_name("config.json"))
    read = GraphTensors(path.parent, graph)
    reshaped = {node.output[0]: node.input[0] for node in graph.node if node.op_type in ("Reshape", "Transpose")}
    return {name: weight for node in graph.node for name, weight in _weights_of(node, read, reshaped, norm_offset)}


def quantized_weights(path: Path, folder: Path) -> Iterator[tuple[str, Array]]:
    """Yield (name, float32 array) of every quantized weight of a graph under its Hugging Face name.

    Args:
        path: The graph.
        folder: The Hugging Face folder of its float model.
    """
    with open_tensors(folder) as tensors:
        for name, weight in stored_weights(path).items():
            if weight.type == "F32":
                continue
            values = weight.load()
            if not name.endswith(_JOINED):
                yield name, values
                continue
            start = 0
            for part in "qkv":
                hf_name = name.replace(_JOINED, f".{part}_proj.weight")
                rows = tensors.shape(hf_name)[0]
                yield hf_name, values[start : start + rows]
                start += rows


def _norm_offset(config: Path) -> float:
    """Return what the builder added to the weights of every norm: Gemma stores them minus 1."""
    try:
        model_type = parse_json(config.read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        raise FddError(f"{config} does not state the type of the model; export it again.") from None
    return 1.0 if str(model_type).startswith("gemma") else 0.0


def _weights_of(
    node: NodeProto, read: GraphTensors, reshaped: Mapping[str, str], norm_offset: float
) -> Iterator[tuple[str, StoredTensor]]:
    """Yield the weights that an operator reads."""
    inputs = list(node.input)
    if node.op_type == "MatMulNBits":
        bits = _attribute(node, "bits")
        yield _matrix_name(inputs[1]), StoredTensor(f"INT{bits}", partial(_dequantize_blocks, read, node, *inputs[1:4]))
    elif node.op_type in ("MatMul", "Gemm") and inputs[1] in read.stored:
        yield _matrix_name(inputs[1]), StoredTensor("F32", partial(read.transposed, inputs[1]))
    elif node.op_type == "MatMulInteger" and inputs[1] in read.stored:
        yield _matrix_name(inputs[1]), StoredTensor("INT8", partial(read.int8_columns, inputs[1]))
    elif node.op_type == "Add" and (bias := next((i for i in inputs if i.endswith(".bias")), None)) is not None:
        yield _module(bias.removesuffix(".Add.bias")) + ".bias", StoredTensor("F32", partial(read, bias))
    elif "LayerNormalization" in node.op_type:
        name = next(i for i in inputs if i in read.stored)
        yield _norm_name(name), StoredTensor("F32", lambda: read(name).astype(np.float32) - norm_offset)
    elif node.op_type == "GatherBlockQuantized":
        data = reshaped.get(inputs[0], inputs[0])
        bits = _attribute(node, "bits")
        scale_and_zero = (*inputs[2:4], "")[:2]
        load = partial(_dequantize_blocks, read, node, data, *scale_and_zero)
        yield EMBEDDING, StoredTensor(f"INT{bits}", load)
    elif node.op_type == "Gather" and "input_ids" in inputs:
        data = inputs[0]
        if data in read.stored and _is_float(read.stored[data]):
            yield EMBEDDING, StoredTensor("F32", partial(read, data))
        elif data in reshaped:
            yield EMBEDDING, StoredTensor("F32", partial(read.transposed, reshaped[data]))
        elif data.endswith("_quantized"):
            yield EMBEDDING, StoredTensor("INT8", partial(read.int8_columns, data))


def _dequantize_blocks(read: GraphTensors, node: NodeProto, data: str, scale: str, zero: str = "") -> Array:
    """Return a matrix whose rows are quantized in blocks, each with its own scale and zero point."""
    bits, size = _attribute(node, "bits"), _attribute(node, "block_size")
    scales = read(scale).astype(np.float32)
    rows = scales.shape[0]
    scales = scales.reshape(rows, -1, 1)
    raw = _unpacked(read(data).reshape(rows, -1), bits).reshape(rows, scales.shape[1], size)
    zeros: Array | int = 2 ** (bits - 1)
    if zero:
        zeros = _unpacked(read(zero).reshape(rows, -1), bits)[:, : scales.shape[1], None].astype(np.float32)
    matrix: Array = ((raw.astype(np.float32) - zeros) * scales).reshape(rows, -1)
    return matrix


def _unpacked(raw: npt.NDArray[np.uint8], bits: int) -> npt.NDArray[np.uint8]:
    """Return one value per element; of two 4-bit values in a byte, the lower half comes first."""
    if bits != 8 // _INT4_PER_BYTE:
        return raw
    return np.stack([raw & 0xF, raw >> 4], axis=-1).reshape(len(raw), -1)


def _matrix_name(stored: str) -> str:
    """Return the Hugging Face name of a matrix: ``model.layers.0.attn.o_proj.MatMul.weight_Q4G32`` is o_proj's."""
    return _module(stored.partition(".MatMul.")[0]) + ".weight"


def _norm_name(stored: str) -> str:
    name = stored.removesuffix(".weight")
    if name.endswith(".final_norm_layernorm"):
        return "model.norm.weight"
    return _module(name.removesuffix(".layernorm")) + ".weight"


def _module(name: str) -> str:
    return name.replace(".attn.", ".self_attn.")


def _attribute(node: NodeProto, name: str) -> int:
    return int(next(one.i for one in node.attribute if one.name == name))


def _is_float(stored: TensorProto) -> bool:
    from onnx import TensorProto

    return bool(stored.data_type == TensorProto.FLOAT)
