"""The float twin of an int8 model: the same graphs and numbers, but nothing is rounded while it computes.

Dynamic int8 rounds activations too, which moves the logits of a small model as far as a wrong wire does. Its twin has
the file's weights and wires without that rounding, so that a float model with the same weights must agree closely.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fdd_edge.artifacts.onnx.graph import load_graph
from fdd_edge.artifacts.onnx.stored_weights import Reader
from fdd_edge.errors import FddError
from fdd_edge.ondevice.model_files import artifact_files

__all__ = ["rounds_activations", "write_dequantized"]


def rounds_activations(artifact: Path) -> bool:
    """Say whether a model's graph rounds what it computes with, as dynamic int8 does."""
    return any(node.op_type == "MatMulInteger" for node in load_graph(artifact.parent, name=artifact.name).graph.node)


def write_dequantized(artifact: Path, out: Path) -> Path:
    """Write the twin of an int8 model into the folder ``out``; return its main graph.

    Raises:
        FddError: A weight cannot be read, or a product is put together of parts that do not belong together.
    """
    import onnx

    out.mkdir(parents=True, exist_ok=True)
    for file in artifact_files(artifact):
        if file.suffix != ".onnx":
            shutil.copyfile(file, out / file.name)
            continue
        model = load_graph(file.parent, name=file.name)
        _compute_in_float(model.graph, Reader(file.parent, {one.name: one for one in model.graph.initializer}))
        onnx.save_model(
            model, str(out / file.name), save_as_external_data=True, location=f"{file.name}.twin", size_threshold=1024
        )
    return out / artifact.name


class _Product(NamedTuple):
    """What stands around an int8 product.

    Attributes:
        left: What is multiplied, before it was rounded.
        right: The same of the other side, as in the attention of an encoder-decoder; None for a stored matrix.
        scale: Name of the other side's scale.
        cast: Makes a float of the product.
        scaled: Scales it.
    """

    left: str
    right: str | None
    scale: str
    cast: Any
    scaled: Any


class _Wires:
    """Who makes each tensor of a graph, and who uses it."""

    def __init__(self, graph: Any) -> None:
        self._makers = {output: node for node in graph.node for output in node.output}
        self._users: dict[str, list[Any]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self._users[name].append(node)

    def product(self, node: Any) -> _Product:
        """Find what stands around an int8 product.

        Raises:
            FddError: It is not put together as the quantizer does, or of parts that do not belong together.
        """
        try:
            rounded, other = self._makers[node.input[0]], self._makers.get(node.input[1])
            (cast,) = self._users[node.output[0]]
            (scaled,) = self._users[cast.output[0]]
            (scales,) = (self._makers[name] for name in scaled.input if name != cast.output[0])
            (scale,) = (name for name in scales.input if name != rounded.output[1])
            fits = node.input[2] == rounded.output[2] and rounded.output[1] in scales.input
            if other is not None:
                fits = fits and [node.input[3], scale] == [other.output[2], other.output[1]]
        except (KeyError, IndexError, ValueError):
            raise FddError(f"{node.name} is no product that is rounded, cast and scaled as optimum does it.") from None
        if not fits:
            raise FddError(f"{node.name} is scaled by what another input was rounded with.")
        return _Product(rounded.input[0], None if other is None else other.input[0], scale, cast, scaled)


def _compute_in_float(graph: Any, read: Reader) -> None:
    """Put one float product in place of each int8 product, its cast and its scaling.

    What a product is scaled by is read where the graph reads it, so that crossed scales show as well.
    """
    from onnx import helper, numpy_helper

    wires = _Wires(graph)
    replaced: dict[int, Any] = {}
    dropped: set[int] = set()
    weights: dict[str, Any] = {}
    for node in graph.node:
        if node.op_type != "MatMulInteger":
            continue
        product = wires.product(node)
        name = product.right or f"{node.input[1]}:{product.scale}"
        if product.right is None and name not in weights:
            zero = read(node.input[3]).astype(np.float32)
            matrix = (read(node.input[1]).astype(np.float32) - zero) * read(product.scale).astype(np.float32)
            weights[name] = numpy_helper.from_array(matrix, name)
        made = helper.make_node("MatMul", [product.left, name], list(product.scaled.output), name=node.name)
        replaced[id(product.scaled)] = made
        dropped |= {id(node), id(product.cast)}
    nodes = [replaced.get(id(node), node) for node in graph.node if id(node) not in dropped]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(weights.values())
