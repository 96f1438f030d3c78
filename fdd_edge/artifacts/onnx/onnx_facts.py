"""What the folder of an ONNX model says of itself."""

from __future__ import annotations

import json
from collections import Counter
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge.artifacts.onnx.graph import load_graph
from fdd_edge.errors import FddError
from fdd_edge.ondevice.model_files import CARD, DECODER, ENCODER, artifact_files

__all__ = ["OnnxFacts", "describe_onnx", "onnx_bytes"]


class OnnxFacts(NamedTuple):
    """Facts of an ONNX model; they have the names of those of a GGUF.

    Attributes:
        architecture: Hugging Face's name of it.
        name: Of the model, or None.
        license: Its licence where the folder says so.
        base: Name of the model it was trained from, or None.
        round: The round it comes from, or None.
        recipe: The recipe it was made by, or None for a folder from elsewhere.
        prompt_template: The prompt it was trained on, or None.
        parameters: Number of weights of the float model, or 0 where the folder does not say it.
        bytes: Size of the graph and its weights.
        bits_per_weight: 8 * bytes / parameters; 0 where these are not known.
        types: Number of matrices of each kind, most frequent first.
    """

    architecture: str
    name: str | None
    license: str | None
    base: str | None
    round: int | None
    recipe: str | None
    prompt_template: str | None
    parameters: int
    bytes: int
    bits_per_weight: float
    types: dict[str, int]


def describe_onnx(path: Path) -> OnnxFacts:
    """Read the facts of a model.

    Args:
        path: The graph.

    Raises:
        FddError: It is damaged, or what lies beside it is.
    """
    # An encoder-decoder's later decoder holds the same matrices as the first.
    graphs = (ENCODER, DECODER) if path.name == DECODER else (path.name,)
    kinds = [kind for name in graphs for kind in _kinds(load_graph(path.parent, name=name).graph)]
    card = _read(path.with_name(CARD))
    size = onnx_bytes(path)
    parameters = int(card.get("parameters", 0))
    return OnnxFacts(
        architecture=_read(path.with_name("config.json")).get("model_type", "unknown"),
        name=card.get("name"),
        license=card.get("license"),
        base=card.get("base"),
        round=card.get("round"),
        recipe=card.get("recipe"),
        prompt_template=card.get("prompt_template"),
        parameters=parameters,
        bytes=size,
        bits_per_weight=8 * size / parameters if parameters else 0.0,
        types=dict(Counter(kinds).most_common()),
    )


def onnx_bytes(path: Path) -> int:
    """Return the size of a graph and its weights, without the tokenizer and the configs beside it."""
    return sum(file.stat().st_size for file in artifact_files(path) if file.suffix in (".onnx", ".data"))


def _kinds(graph: Any) -> list[str]:
    """Return the kind of each matrix: int4 or int8 in blocks, int8 whole, or float."""
    stored = {one.name: tuple(one.dims) for one in graph.initializer}
    kinds = []
    for node in graph.node:
        if node.op_type == "MatMulNBits":
            kinds.append(f"INT{next(a.i for a in node.attribute if a.name == 'bits')}")
        elif node.op_type == "MatMulInteger" and node.input[1] in stored:
            kinds.append("INT8")
        elif node.op_type in ("MatMul", "Gemm") and len(stored.get(node.input[1], ())) == 2:
            kinds.append("F32" if prod(stored[node.input[1]]) else "")
    return kinds


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FddError(f"{path} cannot be read: {error}.") from None
    if not isinstance(content, dict):
        raise FddError(f"{path} holds no object.")
    return content
