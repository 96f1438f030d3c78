"""The family of ONNX decoders, which ONNX Runtime runs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.base_recipe import Recipe
from fdd_edge.artifacts.family import Family
from fdd_edge.artifacts.family_types import TypeMismatch, WrongKey
from fdd_edge.artifacts.model_facts import ModelFacts
from fdd_edge.artifacts.onnx.build import kinds_by, make_graph
from fdd_edge.artifacts.onnx.configs import wrong_genai_keys, wrong_keys
from fdd_edge.artifacts.onnx.dequantized_graph import dequantized
from fdd_edge.artifacts.onnx.folder import write_labelled_folder
from fdd_edge.artifacts.onnx.onnx_facts import describe_onnx, onnx_bytes
from fdd_edge.artifacts.onnx.onnx_recipe import FLOAT_RECIPE, OnnxRecipe
from fdd_edge.artifacts.onnx.stored_weights import onnx_tensors, quantized_weights, stored_weights
from fdd_edge.artifacts.onnx.tokenizer_vocab import TokenizerVocab
from fdd_edge.errors import MissingExtraError
from fdd_edge.ondevice.families import ONNX

__all__ = ["FAMILY", "open_tokenizer", "require_tokenizers", "type_mismatch"]


def require_tokenizers() -> None:
    """Check that the package that reads the vocabulary is installed.

    Raises:
        MissingExtraError: It is not.
    """
    if find_spec("tokenizers") is None:
        raise MissingExtraError("tokenizers", "onnx")


def open_tokenizer(path: Path) -> TokenizerVocab:
    """Open the tokenizer files next to a graph, or in the folder of a ``tokenizer.json``."""
    return TokenizerVocab(path.parent)


def type_mismatch(model: Path, facts: ModelFacts, recipe: Recipe) -> TypeMismatch | None:
    """Compare the kinds of matrices of a graph with those of a recipe; None if they agree."""
    expected = kinds_by(cast(OnnxRecipe, recipe))
    if set(facts.types) == expected:
        return None
    return TypeMismatch(*(" and ".join(sorted(kinds)) for kinds in (expected, facts.types)))


def _export(folder: Path, vocab: Path, out: Path, recipe: Recipe, labels: ArtifactLabels) -> None:
    """Write the graph of a student, and the files next to it."""
    make_graph(folder, out, cast(OnnxRecipe, recipe))
    write_labelled_folder(out, folder, vocab, recipe.name, labels)


def _wrong_configs(model: Path, reference: Path, eos_ids: Sequence[int]) -> list[WrongKey]:
    folder = model.parent
    return [*wrong_keys(folder, reference, eos_ids), *wrong_genai_keys(folder, reference, eos_ids)]


FAMILY = Family(
    device=ONNX,
    recipe_class=OnnxRecipe,
    float_recipe=FLOAT_RECIPE,
    example_recipe="onnx-int4",
    vocab_file="tokenizer.json",
    export_packages=("onnxruntime-genai", "optimum-onnx"),
    require_vocab=require_tokenizers,
    open_vocab=open_tokenizer,
    describe=describe_onnx,
    size=onnx_bytes,
    type_mismatch=type_mismatch,
    export=_export,
    float_tensors=onnx_tensors,
    stored_tensors=stored_weights,
    quantized_weights=quantized_weights,
    wrong_configs=_wrong_configs,
    dequantized=dequantized,
)
