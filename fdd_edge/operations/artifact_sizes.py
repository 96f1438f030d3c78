"""How large each artifact of a student will be, from its sizes alone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from fdd_edge.artifacts.base_recipe import Recipe
from fdd_edge.artifacts.gguf import predict_quantized
from fdd_edge.artifacts.gguf.blank_file import write_blank_gguf
from fdd_edge.artifacts.gguf.gguf_recipe import GgufRecipe
from fdd_edge.artifacts.gguf.reader import open_gguf
from fdd_edge.errors import FddError
from fdd_edge.operations.machine_speed import tensor_type
from fdd_edge.planning import StudentShape
from fdd_edge.runs.marked_folder import temporary_folder

__all__ = ["artifact_sizes"]

_BITS = {"f32": 32.0, "f16": 16.0, "q8_0": 8.5, "q4_0": 4.5}
_MOST_BITS = 8.5
"""Bits of a weight, scales included; a type that is not listed counts as the largest quantized one."""

_TOKEN_BYTES = 40
"""What a token takes in a vocabulary: its text, its type and about one merge, where no vocabulary is here."""


def artifact_sizes(shape: StudentShape, recipes: Mapping[str, Recipe], vocab: Path | None) -> dict[str, float]:
    """Return the bytes of each artifact, by recipe: llama.cpp says what it would write for weights of this shape.

    Args:
        shape: Of the student.
        recipes: By name.
        vocab: A file with its vocabulary, if there is one here.
    """
    beside = _vocab_bytes(shape, vocab)
    with temporary_folder("sizes") as folder:
        blank = folder / "float.gguf"
        with suppress(FddError):
            write_blank_gguf(blank, shape.decoder(), layers=shape.num_hidden_layers)
        return {name: beside + _weight_bytes(recipe, shape, blank) for name, recipe in recipes.items()}


def _weight_bytes(recipe: Recipe, shape: StudentShape, blank: Path) -> float:
    kind = tensor_type(recipe)
    if isinstance(recipe, GgufRecipe) and blank.is_file():
        if kind == "f32":
            return float(blank.stat().st_size)
        with suppress(FddError):
            return float(predict_quantized(blank, kind, recipe=recipe.name).bytes)
    return shape.parameters * _BITS.get(kind, _MOST_BITS) / 8


def _vocab_bytes(shape: StudentShape, vocab: Path | None) -> float:
    if vocab is None:
        return float(shape.vocab_size * _TOKEN_BYTES)
    if vocab.suffix != ".gguf":
        return float(vocab.stat().st_size)
    tensors = open_gguf(vocab).tensors
    return float(tensors[0].data_offset if tensors else vocab.stat().st_size)
