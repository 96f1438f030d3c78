"""Dynamic int8: optimum's settings for an instruction set, applied to every matrix with stored weights.

Activations are rounded while they are computed, with one scale per batch. So the other sequences of a batch change the
last bits of a reply's logits; decoding the same wave again still gives the same replies.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_edge.artifacts.onnx.graph import GRAPH, load_graph, require_onnx, save_graph
from fdd_edge.errors import MissingExtraError
from fdd_edge.runs.atomic import publish, scratch_folder

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

__all__ = ["INSTRUCTION_SETS", "quantize_int8"]

INSTRUCTION_SETS = ("arm64", "avx2", "avx512_vnni")
"""Those for which optimum has settings, under its names."""

_ONE_FILE = 1_500_000_000
"""Bytes that fit into a protobuf with a margin; larger weights go into a file next to the graph."""


def quantize_int8(float_folder: Path, out: Path, *, instructions: str, per_channel: bool) -> None:
    """Quantize a float32 graph to int8 into the folder ``out``, and copy its ``genai_config.json``.

    Args:
        float_folder: Made by ``build_graph`` with ``fp32``.
        out: Receives the files; it must exist.
        instructions: One of ``INSTRUCTION_SETS``.
        per_channel: One scale per column of a matrix, instead of one per matrix.

    Raises:
        MissingExtraError: optimum is not installed.
    """
    require_onnx()
    try:
        from optimum.onnxruntime import ORTQuantizer
        from optimum.onnxruntime.configuration import AutoQuantizationConfig
    except ImportError:
        raise MissingExtraError("optimum-onnx", "onnx") from None
    settings = getattr(AutoQuantizationConfig, instructions)(
        is_static=False, per_channel=per_channel, operators_to_quantize=["MatMul", "Gather"]
    )
    with scratch_folder(out) as work:
        quantizer = ORTQuantizer.from_pretrained(float_folder, file_name=GRAPH)
        too_large = sum(p.stat().st_size for p in float_folder.glob(f"{GRAPH}*")) / 4 > _ONE_FILE
        with _quiet():
            quantizer.quantize(
                save_dir=str(work), quantization_config=settings, file_suffix=None, use_external_data_format=too_large
            )
        for path in work.glob(f"{GRAPH}*"):
            publish(path, out / path.name)
    graph = load_graph(out)
    if _share_embedding(graph):
        save_graph(graph, out)
    shutil.copy2(float_folder / "genai_config.json", out / "genai_config.json")


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the quantizer's log lines about each matrix; warnings are shown."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


def _share_embedding(model: ModelProto) -> bool:
    """Read embeddings from the head's int8 matrix, if both shared a matrix in float; return whether they did.

    The float graph transposes the head's matrix and gathers its rows; for that, quantization keeps a copy in float.
    """
    from onnx import TensorProto, helper

    graph = model.graph
    producers = {output: node for node in graph.node for output in node.output}
    stored = {one.name: one for one in graph.initializer}
    for gather in [node for node in graph.node if node.op_type == "Gather"]:
        transpose = producers.get(gather.input[0])
        if transpose is None or transpose.op_type != "Transpose" or f"{transpose.input[0]}_quantized" not in stored:
            continue
        name = transpose.input[0]
        rows, scales, zeros = (f"{name}_{kind}" for kind in ("quantized", "scale", "zero_point"))
        ids, out = gather.input[1], gather.output[0]
        per_channel = len(stored[scales].dims) > 0 and stored[scales].dims[0] > 1

        def of_token(tensor: str, ids: str = ids, per_channel: bool = per_channel) -> tuple[str, list[NodeProto]]:
            """Return the name of each token's scale or zero point in the shape of its embedding, and its nodes."""
            if not per_channel:
                return tensor, []
            gathered, shaped = f"{tensor}/of_token", f"{tensor}/of_token/shaped"
            return shaped, [
                helper.make_node("Gather", [tensor, ids], [gathered]),
                helper.make_node("Unsqueeze", [gathered, "embed/last"], [shaped]),
            ]

        scale, scale_nodes = of_token(scales)
        zero, zero_nodes = of_token(zeros)
        nodes = [
            *scale_nodes,
            *zero_nodes,
            helper.make_node("Gather", [rows, ids], ["embed/columns"], axis=1),
            helper.make_node("Transpose", ["embed/columns"], ["embed/rows"], perm=[1, 2, 0]),
            helper.make_node("Cast", ["embed/rows"], ["embed/rows/float"], to=TensorProto.FLOAT),
            helper.make_node("Cast", [zero], ["embed/zero/float"], to=TensorProto.FLOAT),
            helper.make_node("Sub", ["embed/rows/float", "embed/zero/float"], ["embed/centred"]),
            helper.make_node("Mul", ["embed/centred", scale], [out]),
        ]
        position = list(graph.node).index(gather)
        others = [node for node in graph.node if node is not gather and node is not transpose]
        position -= sum(node is transpose for node in list(graph.node)[:position])
        del graph.node[:]
        graph.node.extend([*others[:position], *nodes, *others[position:]])
        graph.initializer.append(helper.make_tensor("embed/last", TensorProto.INT64, [1], [-1]))
        graph.initializer.remove(stored[name])
        return True
    return False
