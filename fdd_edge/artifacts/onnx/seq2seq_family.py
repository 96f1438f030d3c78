"""The family of ONNX encoder-decoders: three graphs, which ONNX Runtime runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.base_recipe import Recipe
from fdd_edge.artifacts.family import Family
from fdd_edge.artifacts.family_types import WrongKey
from fdd_edge.artifacts.model_facts import ModelFacts
from fdd_edge.artifacts.onnx.configs import wrong_keys
from fdd_edge.artifacts.onnx.dequantized_graph import dequantized
from fdd_edge.artifacts.onnx.folder import write_labelled_folder
from fdd_edge.artifacts.onnx.onnx_facts import describe_onnx, onnx_bytes
from fdd_edge.artifacts.onnx.onnx_family import open_tokenizer, require_tokenizers, type_mismatch
from fdd_edge.artifacts.onnx.onnx_recipe import FLOAT_RECIPE, OnnxRecipe
from fdd_edge.artifacts.onnx.seq2seq import build_seq2seq
from fdd_edge.artifacts.onnx.seq2seq_weights import seq2seq_quantized, seq2seq_stored, seq2seq_tensors
from fdd_edge.ondevice.families import DECODER, ENCODER, ONNX_SEQ2SEQ

__all__ = ["FAMILY"]


def _makes(recipe: Recipe) -> bool:
    return cast(OnnxRecipe, recipe).precision != "int4"


def _export(folder: Path, vocab: Path, out: Path, recipe: Recipe, labels: ArtifactLabels) -> None:
    """Write the graphs of a student, and the files next to them."""
    build_seq2seq(folder, out, cast(OnnxRecipe, recipe))
    write_labelled_folder(out, folder, vocab, recipe.name, labels)


def _describe(model: Path) -> ModelFacts:
    # The later decoder holds the same matrices as the first.
    return describe_onnx(model, (ENCODER, DECODER))


def _wrong_configs(model: Path, reference: Path, eos_ids: Sequence[int]) -> list[WrongKey]:
    return list(wrong_keys(model.parent, reference, eos_ids))


FAMILY = Family(
    device=ONNX_SEQ2SEQ,
    recipe_class=OnnxRecipe,
    float_recipe=FLOAT_RECIPE,
    example_recipe="onnx-int8-avx2",
    vocab_file="tokenizer.json",
    export_packages=("optimum-onnx",),
    makes=_makes,
    require_vocab=require_tokenizers,
    open_vocab=open_tokenizer,
    describe=_describe,
    size=onnx_bytes,
    type_mismatch=type_mismatch,
    export=_export,
    float_tensors=seq2seq_tensors,
    stored_tensors=seq2seq_stored,
    quantized_weights=seq2seq_quantized,
    wrong_configs=_wrong_configs,
    dequantized=dequantized,
)
