"""The weights of an encoder-decoder's three graphs, and those of its float model under the same names.

The later decoder's are compared as well: ``with_past.`` stands before their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fdd_edge.artifacts.onnx.graph import load_graph
from fdd_edge.artifacts.onnx.stored_weights import Array, Reader, StoredWeight
from fdd_edge.ondevice.model_files import DECODER, DECODER_WITH_PAST, ENCODER
from fdd_edge.safetensors_folder import open_tensors

__all__ = ["seq2seq_stored", "seq2seq_tensors"]

_SHARED, _HEAD = "shared.weight", "lm_head.weight"
_WITH_PAST = "with_past."
_OF_PROMPT = (".EncDecAttention.k.", ".EncDecAttention.v.")
"""What a decoder makes of the encoder's output, once a prompt: the later decoder has no use for it."""

_PREFIXES = {ENCODER: "encoder.", DECODER: "", DECODER_WITH_PAST: _WITH_PAST}


def seq2seq_tensors(folder: Path) -> Iterator[tuple[str, Array]]:
    """Yield (name, float32 array) of every weight of a Hugging Face folder, once for each graph that holds it."""
    with open_tensors(folder) as tensors:

        def load(name: str) -> Array:
            array: Array = tensors[name].get_tensor(name).float().numpy()
            return array

        shared = load(_SHARED)
        yield f"encoder.{_SHARED}", shared
        for name in (_SHARED, _HEAD, *sorted(set(tensors) - {_SHARED, _HEAD})):
            array = shared if name not in tensors else load(name)
            yield name, array
            if not name.startswith("encoder.") and not any(part in name for part in _OF_PROMPT):
                yield _WITH_PAST + name, array


def seq2seq_stored(folder: Path) -> Mapping[str, StoredWeight]:
    """Return the weights of the three graphs by name; they are read when asked for.

    Raises:
        FddError: A graph cannot be read.
    """
    found: dict[str, StoredWeight] = {}
    for file, prefix in _PREFIXES.items():
        graph = load_graph(folder, name=file).graph
        read = Reader(folder, {one.name: one for one in graph.initializer})
        same = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
        for node in graph.node:
            names = [same.get(name, name) for name in node.input]
            stored = next((name for name in names if name in read.stored and read.stored[name].dims), None)
            if stored is not None and (weight := _weight(node, stored, read)) is not None:
                found[prefix + _name(node)] = weight
    return found


def _weight(node: Any, stored: str, read: Reader) -> StoredWeight | None:
    """Return the weight that an operator reads, or None for one that reads none of the model's."""
    if node.op_type == "MatMul":
        return StoredWeight("F32", partial(read.turned, stored))
    if node.op_type == "MatMulInteger":
        return StoredWeight("INT8", partial(read.columns, stored))
    if node.op_type == "Gather" and ("relative_attention_bias" in node.name or len(read.stored[stored].dims) > 1):
        if stored.endswith("_quantized"):
            return StoredWeight("INT8", lambda: read.columns(stored).T)
        return StoredWeight("F32", partial(read, stored))
    if node.op_type == "Mul" and node.name.endswith("layer_norm/Mul_1"):
        return StoredWeight("F32", partial(read, stored))
    return None


def _name(node: Any) -> str:
    """Return Hugging Face's name of the weight of an operator, which tracing named after its module."""
    module = node.name.strip("/").rpartition("/")[0].replace("/", ".")
    return _SHARED if module.rpartition(".")[2] in ("shared", "embed_tokens") else f"{module}.weight"
