"""A recipe's graph, from the float32 merge."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from fdd_edge.artifacts.onnx.graph import build_graph
from fdd_edge.artifacts.onnx.int4 import build_int4
from fdd_edge.artifacts.onnx.int8 import quantize_int8
from fdd_edge.artifacts.onnx.seq2seq import build_seq2seq
from fdd_edge.artifacts.onnx.stored_weights import HEAD
from fdd_edge.artifacts.recipe import OnnxRecipe
from fdd_edge.ondevice.model_files import decoder_start
from fdd_edge.safetensors_folder import open_tensors

__all__ = ["kinds_by", "make_graph"]


def kinds_by(recipe: OnnxRecipe) -> set[str]:
    """Return the kinds of matrices that a recipe's graph has, as ``describe_onnx`` names them."""
    if recipe.precision == "int4":
        return {"INT4"} if recipe.mixed_precision == "none" else {"INT4", "INT8"}
    return {{"fp32": "F32", "int8": "INT8"}[recipe.precision]}


def make_graph(folder: Path, out: Path, recipe: OnnxRecipe) -> None:
    """Write the graph and weights of a Hugging Face folder by a recipe into the new folder ``out``.

    Raises:
        MissingExtraError: A package of the export is not installed.
        FddError: The builder cannot build this model.
    """
    if decoder_start(folder) is not None:
        build_seq2seq(folder, out, recipe)
        return
    with open_tensors(folder) as tensors:
        tied = HEAD not in tensors
    if recipe.precision == "int4":
        build_int4(folder, out, recipe, tied=tied)
    elif recipe.precision == "fp32":
        build_graph(folder, out, precision="fp32", options={"shared_embeddings": tied})
    else:
        assert recipe.instructions is not None
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".fp32-") as work:
            whole = Path(work) / "fp32"
            build_graph(folder, whole, precision="fp32", options={"shared_embeddings": tied})
            shutil.copy2(folder / "config.json", whole / "config.json")  # optimum asks for it
            out.mkdir(exist_ok=True)
            quantize_int8(whole, out, instructions=recipe.instructions, per_channel=recipe.per_channel)
