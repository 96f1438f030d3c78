"""Measuring an importance matrix on a student's own prompts and programs, and finding the one a recipe names."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fdd_edge.artifacts.recipe import NO_IMATRIX, OWN_IMATRIX, GgufRecipe, Recipe
from fdd_edge.ondevice.prompt import Prompt
from fdd_edge.progress import announce
from fdd_edge.records import Problem

__all__ = ["IMATRIX_VERSION", "check_imatrix", "imatrix_for", "measure_imatrix", "wants_own"]

IMATRIX_VERSION = 1

_PROBLEMS = 256
"""Problems that are run through the model: some 20,000 tokens, enough that more changes little."""


def wants_own(recipes: Sequence[Recipe]) -> bool:
    """Say whether a recipe asks for the matrix of its own run."""
    return any(isinstance(recipe, GgufRecipe) and recipe.imatrix == OWN_IMATRIX for recipe in recipes)


def check_imatrix(recipe: Recipe) -> None:
    """Refuse a recipe whose importance matrix is not there, before anything is made.

    Raises:
        FddError: The file is missing, or no importance matrix.
    """
    from fdd_edge.artifacts.gguf import open_imatrix

    if isinstance(recipe, GgufRecipe) and recipe.imatrix not in (NO_IMATRIX, OWN_IMATRIX):
        open_imatrix(Path(recipe.imatrix).expanduser())


def measure_imatrix(
    folder: Path,
    problems: Sequence[Problem],
    out: Path,
    *,
    template: str,
    adds_bos: bool,
    seed: int = 0,
    source: str = "the run's",
) -> None:
    """Write the importance matrix of a student in float32.

    Args:
        folder: Its Hugging Face folder.
        problems: Prompts, and programs where they have one; more than enough are drawn from by the seed.
        out: The file to write.
        template: The prompt, holding ``{question}``.
        adds_bos: Whether the device puts the token that begins a text before a prompt.
        seed: Of the draw.
        source: Whose problems they are; noted in the file.
    """
    from fdd_edge.artifacts.gguf import hf_names, write_imatrix
    from fdd_edge.students.activations import input_squares
    from fdd_edge.students.tokenizer import encode_examples, load_tokenizer

    announce("measuring the importance matrix ...")
    drawn = list(problems)
    random.Random(f"imatrix:{seed}").shuffle(drawn)
    prompt = Prompt.parse(template)
    pairs = [(prompt.render(p.question), p.program or "") for p in drawn[:_PROBLEMS]]
    examples = encode_examples(load_tokenizer(folder), pairs, adds_bos=adds_bos)
    squares = input_squares(folder, examples)
    own_names = {own: name for name, own in hf_names(folder).items()}
    sums = {own_names[own]: columns for own, columns in squares.sums.items()}
    write_imatrix(out, sums, squares.n_inputs, source=f"{len(pairs)} of {source} problems")


def imatrix_for(recipe: GgufRecipe, float_model: Path, own: Path | None) -> dict[str, Any] | None:
    """Return what a recipe weights rounding errors by, or None.

    Args:
        recipe: Names none, its run's own matrix, or a file.
        float_model: What is quantized.
        own: The matrix that was measured for this model.

    Raises:
        FddError: The file is missing, damaged, or another model's.
    """
    from fdd_edge.artifacts.gguf import read_imatrix

    if recipe.imatrix == NO_IMATRIX:
        return None
    if recipe.imatrix != OWN_IMATRIX:
        return read_imatrix(Path(recipe.imatrix).expanduser(), float_model)
    assert own is not None, "a recipe that asks for its run's matrix is exported after it was measured"
    return read_imatrix(own, float_model)
