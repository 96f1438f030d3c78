"""4 bits in blocks: the builder's algorithms, and one with the grid of llama.cpp's Q4_0.

With ``absmax``, the rounding of onnxruntime itself, the largest weight of a block becomes -8, as in Q4_0. So the
matrices of a student trained for Q4_0 are on this grid already, and lose nothing. The builder does not support it if
embedding and head share a matrix, so these two are rounded here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fdd_edge.artifacts.onnx.graph import GRAPH, WEIGHTS, build_graph
from fdd_edge.artifacts.onnx.onnx_recipe import OnnxRecipe

if TYPE_CHECKING:
    from onnx import NodeProto

__all__ = ["build_int4"]

_HEAD = "/lm_head/MatMul"
_DOMAIN = "com.microsoft"


def build_int4(folder: Path, out: Path, recipe: OnnxRecipe, *, tied: bool) -> None:
    """Write the int4 graph of a Hugging Face folder into ``out``.

    Args:
        folder: The float32 model.
        out: Receives the files; it need not exist.
        recipe: An int4 recipe.
        tied: Whether embedding and head share a matrix; they then share it in the graph too.

    Raises:
        MissingExtraError: A package that the export needs is not installed.
        FddError: The builder does not support this model.
    """
    options: dict[str, str | int | bool] = {
        "int4_block_size": recipe.block_size,
        "int4_accuracy_level": recipe.accuracy_level,
    }
    if recipe.algorithm == "absmax":
        # Asked to share the embedding, the builder would refer to a quantized head that does not exist.
        options |= {"int4_nodes_to_exclude": _HEAD, "shared_embeddings": False}
    else:
        mixed = "" if recipe.mixed_precision == "none" else f"_{recipe.mixed_precision}"
        options |= {"int4_algo_config": f"{recipe.algorithm}{mixed}", "shared_embeddings": tied}
    build_graph(folder, out, precision="int4", options=options)
    if recipe.algorithm == "absmax" or not tied:
        _quantize_head_and_embedding(out, recipe, tied=tied)


def _quantize_head_and_embedding(folder: Path, recipe: OnnxRecipe, *, tied: bool) -> None:
    """Quantize the head and the embedding if the builder left them in float; if tied, both then read one matrix."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(str(folder / GRAPH))
    graph = model.graph
    stored = {one.name: one for one in graph.initializer}
    shape = {"bits": 4 if recipe.mixed_precision == "none" else 8, "block_size": recipe.block_size}
    head = next((node for node in graph.node if node.name == _HEAD), None)
    embedding = next(node for node in graph.node if node.op_type == "Gather" and "input_ids" in node.input)

    def store_blocks(name: str, matrix: npt.NDArray[np.float32]) -> list[str]:
        """Add the blocks of a matrix (in, out) and their scales to the graph; return their names."""
        names = [f"{name}_Q{shape['bits']}G{shape['block_size']}", f"{name}_scale"]
        graph.initializer.extend(map(numpy_helper.from_array, _round_to_blocks(matrix, **shape), names))
        return names

    embedding_name = embedding.input[0]
    embeddings = numpy_helper.to_array(stored[embedding_name])
    n_tokens, width = embeddings.shape
    replaced: dict[str, list[NodeProto]] = {}
    if head is not None:
        blocks = store_blocks(head.input[1], numpy_helper.to_array(stored[head.input[1]]))
        head_node = helper.make_node(
            "MatMulNBits", [head.input[0], *blocks], list(head.output), name=f"{_HEAD}_NBits", domain=_DOMAIN,
            K=width, N=n_tokens, accuracy_level=recipe.accuracy_level, **shape,
        )  # fmt: skip
        replaced[head.name] = [head_node]
        graph.initializer.remove(stored[head.input[1]])
    if not tied:
        blocks = store_blocks(embedding_name, embeddings.T)
    graph.initializer.remove(stored[embedding_name])
    shape_name = f"{embedding_name}_shape"
    graph.initializer.append(numpy_helper.from_array(np.array([n_tokens, -1], np.int64), shape_name))
    rows = helper.make_node(
        "Reshape", [blocks[0], shape_name], [f"{embedding_name}_rows"], name=f"{embedding.name}_rows"
    )
    gather = helper.make_node(
        "GatherBlockQuantized", [*rows.output, embedding.input[1], blocks[1]], list(embedding.output),
        name=embedding.name, domain=_DOMAIN, gather_axis=0, quantize_axis=1, **shape,
    )  # fmt: skip
    replaced[embedding.name] = [rows, gather]
    nodes = [new for node in graph.node for new in replaced.get(node.name, [node])]
    del graph.node[:]
    graph.node.extend(nodes)
    (folder / WEIGHTS).unlink()
    onnx.save_model(model, str(folder / GRAPH), save_as_external_data=True, location=WEIGHTS)


def _round_to_blocks(
    matrix: npt.NDArray[np.float32], *, bits: int, block_size: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Quantize a matrix (in, out) to blocks (out, in / block_size, bytes) and scales (out, in / block_size)."""
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, DefaultWeightOnlyQuantizer

    config = DefaultWeightOnlyQuantConfig(block_size=block_size, is_symmetric=True, bits=bits)
    blocks, scales, _ = DefaultWeightOnlyQuantizer(config).qbits_block_quant(np.ascontiguousarray(matrix))
    return blocks, scales
