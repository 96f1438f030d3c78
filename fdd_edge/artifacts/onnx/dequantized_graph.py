"""The dequantized graph of an int8 model: the same weights and connections, but nothing is rounded while it computes.

Dynamic int8 rounds activations too, which changes the logits of a small model as much as a wrong connection does. The
dequantized graph leaves that rounding out, so a float model with the same weights must agree with it closely.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fdd_edge.artifacts.onnx.graph import load_graph
from fdd_edge.artifacts.onnx.graph_tensors import GraphTensors
from fdd_edge.errors import FddError
from fdd_edge.ondevice.model_files import artifact_files

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

__all__ = ["dequantized", "rounds_activations", "write_dequantized"]


def dequantized(artifact: Path, out: Path) -> Path | None:
    """Write the dequantized graphs of a model into the folder ``out``, if it rounds activations.

    Returns:
        The model file, or None if nothing was written.

    Raises:
        FddError: See ``write_dequantized``.
    """
    return write_dequantized(artifact, out) if rounds_activations(artifact) else None


def rounds_activations(artifact: Path) -> bool:
    """Return whether a model's graph rounds activations, as dynamic int8 does."""
    return any(node.op_type == "MatMulInteger" for node in load_graph(artifact.parent, name=artifact.name).graph.node)


def write_dequantized(artifact: Path, out: Path) -> Path:
    """Write the dequantized graphs of an int8 model into the folder ``out``; return its model file.

    Raises:
        FddError: A weight cannot be read, or an int8 product is not built as the quantizer builds it.
    """
    import onnx

    out.mkdir(parents=True, exist_ok=True)
    for file in artifact_files(artifact):
        if file.suffix != ".onnx":
            shutil.copyfile(file, out / file.name)
            continue
        model = load_graph(file.parent, name=file.name)
        _compute_in_float(model.graph, GraphTensors(file.parent, model.graph))
        onnx.save_model(
            model, str(out / file.name), save_as_external_data=True, location=f"{file.name}.float", size_threshold=1024
        )
    return out / artifact.name


class _Product(NamedTuple):
    """An int8 product and the operators around it.

    Attributes:
        left: The left operand before it is rounded.
        right: The right operand before it is rounded, as in the attention of an encoder-decoder; None for a stored
            matrix.
        scale: Name of the right operand's scale.
        cast: Converts the product to float.
        scaled: Scales it.
    """

    left: str
    right: str | None
    scale: str
    cast: NodeProto
    scaled: NodeProto


class _Connections:
    """Which operators produce and use each tensor of a graph."""

    def __init__(self, graph: GraphProto) -> None:
        self._producers = {output: node for node in graph.node for output in node.output}
        self._users: dict[str, list[NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self._users[name].append(node)

    def product(self, node: NodeProto) -> _Product:
        """Find the operators around an int8 product.

        Raises:
            FddError: They are not the ones that the quantizer inserts, or they use the scale of another tensor.
        """
        try:
            rounded, other = self._producers[node.input[0]], self._producers.get(node.input[1])
            (cast,) = self._users[node.output[0]]
            (scaled,) = self._users[cast.output[0]]
            (scales,) = (self._producers[name] for name in scaled.input if name != cast.output[0])
            (scale,) = (name for name in scales.input if name != rounded.output[1])
            fits = node.input[2] == rounded.output[2] and rounded.output[1] in scales.input
            if other is not None:
                fits = fits and [node.input[3], scale] == [other.output[2], other.output[1]]
        except (KeyError, IndexError, ValueError):
            raise FddError(f"{node.name} is not in optimum's int8 layout; export the model again.") from None
        if not fits:
            raise FddError(f"{node.name} uses the scale or the zero point of another input.")
        return _Product(rounded.input[0], None if other is None else other.input[0], scale, cast, scaled)


def _compute_in_float(graph: GraphProto, read: GraphTensors) -> None:
    """Replace each int8 product, its cast and its scaling by one float product.

    The scale is the one that the graph uses, so that swapped scales are detected too.
    """
    from onnx import helper, numpy_helper

    connections = _Connections(graph)
    replaced: dict[int, NodeProto] = {}
    dropped: set[int] = set()
    weights: dict[str, TensorProto] = {}
    for node in graph.node:
        if node.op_type != "MatMulInteger":
            continue
        product = connections.product(node)
        name = product.right or f"{node.input[1]}:{product.scale}"
        if product.right is None and name not in weights:
            zero = read(node.input[3]).astype(np.float32)
            matrix = (read(node.input[1]).astype(np.float32) - zero) * read(product.scale).astype(np.float32)
            weights[name] = numpy_helper.from_array(matrix, name)
        float_product = helper.make_node("MatMul", [product.left, name], list(product.scaled.output), name=node.name)
        replaced[id(product.scaled)] = float_product
        dropped |= {id(node), id(product.cast)}
    nodes = [replaced.get(id(node), node) for node in graph.node if id(node) not in dropped]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(weights.values())
