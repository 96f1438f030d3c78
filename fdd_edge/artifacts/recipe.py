"""A recipe: one YAML file that says how an artifact is made. Adding a quantization is adding a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fdd_edge import catalog
from fdd_edge.artifacts.gguf.quantize import FILE_TYPES
from fdd_edge.errors import FddError, did_you_mean
from fdd_edge.validation import faults_of

__all__ = ["FLOAT_RECIPE", "NO_IMATRIX", "OWN_IMATRIX", "ParityBounds", "Recipe", "load_recipe", "load_recipes"]

FLOAT_RECIPE = "gguf-f32"
"""The float artifact: every other recipe is quantized from it, and ``lost`` problems are found with it."""

NO_IMATRIX, OWN_IMATRIX = "none", "run"
"""Values of a recipe's ``imatrix`` that are no file."""


_Share = Annotated[float, Field(ge=0, le=1)]
_Error = Annotated[float, Field(gt=0)]


class ParityBounds(BaseModel):
    """How far an artifact may be from the float model it was made from (docs/parity.md); set from good files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tensors: _Error = Field(description="relative L2 error of any tensor, dequantized")
    logits_median: _Error = Field(description="relative L2 error of a row of logits about its mean, median")
    logits_p99: _Error = Field(description="the same, 99th percentile")
    kl_mean: _Error = Field(description="KL divergence of the next token, mean, in nats")
    greedy: _Share = Field(description="share of positions with the reference's likeliest token")
    stops: _Share = Field(description="share of the reference's stops at which the file stops; 1 also forbids others")
    clear_lead: float = Field(ge=0, description="logits by which the reference must be sure for a position to count")
    answers: _Share | None = Field(None, description="share of prompts with the reference's answer; else only reported")


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
    parity: ParityBounds = Field(description="bounds of its parity certificate")


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
        faults = "; ".join(faults_of(error, _keys_at))
        raise FddError(f"{path} is no recipe: {faults}") from None
    if recipe.type not in FILE_TYPES:
        near = did_you_mean(recipe.type, FILE_TYPES)
        raise FddError(f"{path}: type: llama.cpp has no {recipe.type!r} here.{near} Known: {', '.join(FILE_TYPES)}.")
    return recipe


def _keys_at(location: Sequence[str | int]) -> list[str]:
    """Return the keys that may stand at a place of the file."""
    return list(ParityBounds.model_fields if location[:1] == ("parity",) else Recipe.model_fields)


def load_recipes(names: Sequence[str]) -> list[Recipe]:
    """Load recipes in the order given, each once."""
    return [load_recipe(name) for name in dict.fromkeys(names)]
