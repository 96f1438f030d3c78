"""The weights of an encoder-decoder's three graphs, and those of its float model under the same names.

The weights of the later decoder are compared too; their names begin with ``with_past.``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_edge.artifacts.onnx.graph import load_graph
from fdd_edge.artifacts.onnx.graph_tensors import GraphTensors
from fdd_edge.artifacts.stored_tensor import Array, StoredTensor
from fdd_edge.ondevice.families import DECODER, DECODER_WITH_PAST, ENCODER
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.safetensors_folder import open_tensors

if TYPE_CHECKING:
    from onnx import NodeProto

__all__ = ["seq2seq_quantized", "seq2seq_stored", "seq2seq_tensors"]

_SHARED, _HEAD = "shared.weight", "lm_head.weight"
_UNREAD = (
    "encoder.embed_tokens.weight",
    "decoder.embed_tokens.weight",
    "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",
)
"""What old checkpoints store and transformers does not read: copies of the shared embedding, and a bias of no use."""

_WITH_PAST = "with_past."
_CROSS_ATTENTION = (".EncDecAttention.k.", ".EncDecAttention.v.")
"""Computed from the encoder's output once per prompt, by the first decoder only."""

_PREFIXES = {ENCODER: "encoder.", DECODER: "", DECODER_WITH_PAST: _WITH_PAST}
_COPIES = (_WITH_PAST, "encoder.shared.")
"""The later decoder and the encoder's embedding store again what the first decoder stores."""


def seq2seq_tensors(folder: Path) -> Iterator[tuple[str, Array]]:
    """Yield (name, float32 array) of every weight of a Hugging Face folder, once per graph that holds it."""
    with open_tensors(folder) as tensors:
        shared = tensors.load(_SHARED)
        has_head = not _is_tied(folder)
        yield f"encoder.{_SHARED}", shared
        for name in (_SHARED, _HEAD, *sorted(set(tensors.names) - {_SHARED, _HEAD, *_UNREAD})):
            array = tensors.load(name) if name != _HEAD or has_head else shared
            yield name, array
            if not name.startswith("encoder.") and not any(part in name for part in _CROSS_ATTENTION):
                yield _WITH_PAST + name, array


def _is_tied(folder: Path) -> bool:
    """Return whether the head is the shared embedding, whatever is stored under its name."""
    config = parse_json((folder / "config.json").read_text(encoding="utf-8"))
    return bool(config.get("tie_word_embeddings", True))


def seq2seq_stored(path: Path) -> Mapping[str, StoredTensor]:
    """Return the weights of the three graphs by name; they are read when they are loaded.

    Args:
        path: The decoder's graph, which names the model.

    Raises:
        FddError: A graph cannot be read.
    """
    found: dict[str, StoredTensor] = {}
    for file, prefix in _PREFIXES.items():
        graph = load_graph(path.parent, name=file).graph
        read = GraphTensors(path.parent, graph)
        aliases = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
        for node in graph.node:
            names = [aliases.get(name, name) for name in node.input]
            stored = next((name for name in names if name in read.stored and read.stored[name].dims), None)
            if stored is not None and (weight := _weight(node, stored, read)) is not None:
                found[prefix + _name(node)] = weight
    return found


def seq2seq_quantized(path: Path, folder: Path) -> Iterator[tuple[str, Array]]:
    """Yield (Hugging Face name, float32 array) of every quantized weight.

    Args:
        path: The decoder's graph.
        folder: The Hugging Face folder of its float model.
    """
    del folder  # the graphs use its names already
    for name, weight in seq2seq_stored(path).items():
        if weight.type != "F32" and not name.startswith(_COPIES):
            yield name, weight.load()


def _weight(node: NodeProto, stored: str, read: GraphTensors) -> StoredTensor | None:
    """Return the weight that an operator reads, or None if it reads none of the model's."""
    if node.op_type == "MatMul":
        return StoredTensor("F32", partial(read.transposed, stored))
    if node.op_type == "MatMulInteger":
        return StoredTensor("INT8", partial(read.int8_columns, stored))
    if node.op_type == "Gather" and ("relative_attention_bias" in node.name or len(read.stored[stored].dims) > 1):
        if stored.endswith("_quantized"):
            return StoredTensor("INT8", lambda: read.int8_columns(stored).T)
        return StoredTensor("F32", partial(read, stored))
    if node.op_type == "Mul" and node.name.endswith("layer_norm/Mul_1"):
        return StoredTensor("F32", partial(read, stored))
    return None


def _name(node: NodeProto) -> str:
    """Return the Hugging Face name of an operator's weight; tracing names operators after their modules."""
    module = node.name.strip("/").rpartition("/")[0].replace("/", ".")
    return _SHARED if module.rpartition(".")[2] in ("shared", "embed_tokens") else f"{module}.weight"
