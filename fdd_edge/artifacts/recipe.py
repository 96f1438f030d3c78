"""A recipe: one YAML file that says how an artifact is made. Adding a quantization is adding a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fdd_edge import catalog
from fdd_edge.artifacts.gguf.quantize import FILE_TYPES
from fdd_edge.errors import FddError, did_you_mean
from fdd_edge.validation import faults_of

__all__ = ["FLOAT_RECIPE", "NO_IMATRIX", "OWN_IMATRIX", "Recipe", "load_recipe", "load_recipes"]

FLOAT_RECIPE = "gguf-f32"
"""The float artifact: every other recipe is quantized from it, and ``lost`` problems are found with it."""

NO_IMATRIX, OWN_IMATRIX = "none", "run"
"""Values of a recipe's ``imatrix`` that are no file."""


class Recipe(BaseModel):
    """How one kind of artifact is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=catalog.NAME, description="name of the recipe, that of its file")
    family: Literal["gguf"] = Field(description="file format")
    type: str = Field(description="tensor type, under llama.cpp's name")
    imatrix: str = Field(
        NO_IMATRIX,
        description="weights rounding errors by what goes into a matrix: none, run (measured on the run's own prompts "
        "and programs), or a file of llama-imatrix",
    )
    description: str = Field(description="one line for `fdd-edge ls`")


def load_recipe(name_or_path: str) -> Recipe:
    """Load a recipe by name or path.

    Raises:
        FddError: There is none of that name, or the file is no recipe.
    """
    path = catalog.find("export/recipes", name_or_path)
    try:
        recipe = Recipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise FddError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}.") from None
    except ValidationError as error:
        faults = "; ".join(faults_of(error, lambda location: list(Recipe.model_fields)))
        raise FddError(f"{path} is no recipe: {faults}") from None
    if recipe.type not in FILE_TYPES:
        near = did_you_mean(recipe.type, FILE_TYPES)
        raise FddError(f"{path}: type: llama.cpp has no {recipe.type!r} here.{near} Known: {', '.join(FILE_TYPES)}.")
    return recipe


def load_recipes(names: Sequence[str]) -> list[Recipe]:
    """Load recipes in the order given, each once."""
    return [load_recipe(name) for name in dict.fromkeys(names)]
