"""The graph of a decoder by a recipe, made from the float32 student."""

from __future__ import annotations

import shutil
from pathlib import Path

from fdd_edge.artifacts.onnx.graph import build_graph
from fdd_edge.artifacts.onnx.int4 import build_int4
from fdd_edge.artifacts.onnx.int8 import quantize_int8
from fdd_edge.artifacts.onnx.onnx_recipe import OnnxRecipe
from fdd_edge.artifacts.onnx.stored_weights import is_tied
from fdd_edge.runs.atomic import scratch_folder
from fdd_edge.safetensors_folder import open_tensors

__all__ = ["kinds_by", "make_graph"]


def kinds_by(recipe: OnnxRecipe) -> set[str]:
    """Return the kinds of matrices that a recipe gives, as ``describe_onnx`` names them."""
    if recipe.precision == "int4":
        return {"INT4"} if recipe.mixed_precision == "none" else {"INT4", "INT8"}
    return {{"fp32": "F32", "int8": "INT8"}[recipe.precision]}


def make_graph(folder: Path, out: Path, recipe: OnnxRecipe) -> None:
    """Write graph and weights of a decoder in a Hugging Face folder by a recipe into the new folder ``out``.

    Raises:
        MissingExtraError: A package that the export needs is not installed.
        FddError: The builder does not support this model.
    """
    with open_tensors(folder) as tensors:
        tied = is_tied(folder, tensors)
    if recipe.precision == "int4":
        build_int4(folder, out, recipe, tied=tied)
    elif recipe.precision == "fp32":
        build_graph(folder, out, precision="fp32", options={"shared_embeddings": tied})
    else:
        assert recipe.instructions is not None
        with scratch_folder(out) as work:
            float_graph = work / "fp32"
            build_graph(folder, float_graph, precision="fp32", options={"shared_embeddings": tied})
            shutil.copy2(folder / "config.json", float_graph / "config.json")  # optimum needs it
            out.mkdir(exist_ok=True)
            quantize_int8(float_graph, out, instructions=recipe.instructions, per_channel=recipe.per_channel)
