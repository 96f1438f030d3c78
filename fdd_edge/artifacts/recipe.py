"""A recipe: one YAML file that says how an artifact is made. Adding a quantization is adding a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fdd_edge import catalog
from fdd_edge.artifacts.gguf.quantize import FILE_TYPES
from fdd_edge.errors import FddError, did_you_mean
from fdd_edge.yaml_errors import faults_of, yaml_fault

__all__ = [
    "FLOAT_ONNX",
    "FLOAT_RECIPE",
    "NO_IMATRIX",
    "OWN_IMATRIX",
    "GgufRecipe",
    "OnnxRecipe",
    "ParityBounds",
    "Recipe",
    "families_of",
    "float_recipe_of",
    "load_gguf_recipe",
    "load_recipe",
    "load_recipes",
    "names_of",
]

FLOAT_RECIPE = "gguf-f32"
"""The float artifact: every other GGUF is quantized from it, and ``lost`` problems are found with it."""

FLOAT_ONNX = "onnx-fp32"
"""The float artifact of a run that exports no GGUF."""

NO_IMATRIX, OWN_IMATRIX = "none", "run"
"""Values of a recipe's ``imatrix`` that are no file."""


_Share = Annotated[float, Field(ge=0, le=1)]
_Error = Annotated[float, Field(gt=0)]


class ParityBounds(BaseModel):
    """How far an artifact may be from the float model it was made from (docs/parity.md); set from good files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tensors: _Error = Field(description="relative L2 error of any quantized tensor, dequantized")
    own_weights: _Error = Field(
        0.1,
        description="relative L2 error of a row of logits, median, against the float model with the file's own weights",
    )
    logits_median: _Error = Field(description="relative L2 error of a row of logits about its mean, median")
    logits_p99: _Error = Field(description="the same, 99th percentile")
    kl_mean: _Error = Field(description="KL divergence of the next token, mean, in nats")
    greedy: _Share = Field(description="share of positions with the reference's likeliest token")
    stops: _Share = Field(description="share of the reference's stops at which the file stops; 1 also forbids others")
    clear_lead: float = Field(ge=0, description="logits by which the reference must be sure for a position to count")
    answers: _Share | None = Field(None, description="share of prompts with the reference's answer; else only reported")


class _Recipe(BaseModel):
    """What every recipe says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=catalog.NAME, description="name of the recipe, that of its file")
    description: str = Field(description="one line for `fdd-edge ls`")
    parity: ParityBounds = Field(description="bounds of its parity certificate")


class GgufRecipe(_Recipe):
    """How a GGUF is made: one tensor type, from the float file."""

    family: Literal["gguf"] = Field(description="file format")
    type: str = Field(description="tensor type, under llama.cpp's name")
    imatrix: str = Field(
        NO_IMATRIX,
        description="weights rounding errors by what goes into a matrix: none, run (measured on the run's own prompts "
        "and programs), or a file of llama-imatrix",
    )

    @property
    def grid(self) -> str | None:
        """The tensor type whose numbers its matrices are rounded to, weight by weight; None where more decides."""
        return self.type if self.imatrix == NO_IMATRIX else None

    @field_validator("type")
    @classmethod
    def _is_known(cls, kind: str) -> str:
        if kind not in FILE_TYPES:
            near = did_you_mean(kind, FILE_TYPES)
            raise ValueError(f"llama.cpp has no {kind!r} here.{near} Known: {', '.join(FILE_TYPES)}.")
        return kind


_MIXED = {"absmax": ("none", "last"), "rtn": ("none", "last"), "k_quant": ("last", "mixed")}
"""What the builder can do; by k_quant it gives the head 8 bits, asked or not."""


_Q4_0_BLOCK = 32


class OnnxRecipe(_Recipe):
    """How an ONNX graph is made: from the float32 merge, by onnxruntime-genai's builder, and optimum for int8."""

    family: Literal["onnx"] = Field(description="file format")
    precision: Literal["fp32", "int8", "int4"] = Field(description="of the matrices")
    instructions: Literal["arm64", "avx2", "avx512_vnni"] | None = Field(
        None, description="int8: the instruction set whose settings optimum takes"
    )
    per_channel: bool = Field(True, description="int8: one scale for each column of a matrix, else one a matrix")
    block_size: Literal[16, 32, 64, 128, 256] = Field(32, description="int4: weights with one scale")
    algorithm: Literal["absmax", "rtn", "k_quant"] = Field(
        "absmax", description="int4: how a block is rounded: onto the grid of Q4_0 (absmax), or the builder's own ways"
    )
    mixed_precision: Literal["none", "last", "mixed"] = Field(
        "last", description="int4: which matrices take 8 bits: none, the head (last), the head and some layers' (mixed)"
    )
    accuracy_level: Literal[1, 2, 3, 4] = Field(4, description="int4: activations in f32 (1), f16, bf16 or int8 (4)")

    @property
    def grid(self) -> str | None:
        """The tensor type of GGUF on whose numbers its matrices lie, or None where they have numbers of their own."""
        fits = self.precision == "int4" and (self.algorithm, self.block_size) == ("absmax", _Q4_0_BLOCK)
        return "q4_0" if fits else None

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        if (self.precision == "int8") != (self.instructions is not None):
            raise ValueError("instructions is for int8, and int8 needs it")
        if self.mixed_precision not in (allowed := _MIXED[self.algorithm]):
            raise ValueError(f"mixed_precision: of {self.algorithm} it is {' or '.join(allowed)}")
        return self


Recipe = GgufRecipe | OnnxRecipe
"""How one kind of artifact is made."""

_FAMILIES: dict[str, type[GgufRecipe] | type[OnnxRecipe]] = {"gguf": GgufRecipe, "onnx": OnnxRecipe}


def load_recipe(name_or_path: str) -> Recipe:
    """Load a recipe by name or path.

    Raises:
        FddError: There is none of that name, or the file is no recipe.
    """
    path = catalog.find("export/recipes", name_or_path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise FddError(f"{path} cannot be read as YAML: {yaml_fault(error)}.") from None
    family = content.get("family") if isinstance(content, dict) else None
    if family not in _FAMILIES:
        raise FddError(f"{path} is no recipe: family: must be one of {', '.join(_FAMILIES)}, not {family!r}")
    made = _FAMILIES[family]
    try:
        return made.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(faults_of(error, lambda at: _keys_at(made, at)))
        raise FddError(f"{path} is no recipe: {faults}") from None


def _keys_at(made: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Return the keys that may stand at a place of the file."""
    return list(ParityBounds.model_fields if location[:1] == ("parity",) else made.model_fields)


def load_gguf_recipe(name_or_path: str, asked_by: str = "this") -> GgufRecipe:
    """Load a recipe where only a GGUF's fits.

    Args:
        name_or_path: The recipe.
        asked_by: What named it, for the message.

    Raises:
        FddError: It is of another family; the fitting ones are named.
    """
    recipe = load_recipe(name_or_path)
    if isinstance(recipe, GgufRecipe):
        return recipe
    raise FddError(
        f"{asked_by} takes a recipe of GGUF, and {recipe.name} is one of ONNX: {', '.join(names_of('gguf'))}."
    )


def names_of(family: str) -> list[str]:
    """Return the packaged recipes of a family."""
    return [name for name in catalog.names("export/recipes") if load_recipe(name).family == family]


def families_of(names: Iterable[str]) -> set[str]:
    """Return the families that recipes are of."""
    return {load_recipe(name).family for name in names}


def float_recipe_of(recipes: Iterable[Recipe]) -> str:
    """Return the recipe of the float artifact beside others: a GGUF, unless none of them is one."""
    return FLOAT_RECIPE if any(isinstance(recipe, GgufRecipe) for recipe in recipes) else FLOAT_ONNX


def load_recipes(names: Sequence[str]) -> list[Recipe]:
    """Load recipes in the order given, each once."""
    return [load_recipe(name) for name in dict.fromkeys(names)]
