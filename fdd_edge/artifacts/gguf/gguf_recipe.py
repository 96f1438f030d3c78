"""Recipes for GGUF files: one tensor type, quantized from the float file by llama.cpp."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from fdd_edge.artifacts.base_recipe import Recipe
from fdd_edge.artifacts.gguf.quantize import FILE_TYPES
from fdd_edge.errors import did_you_mean

__all__ = ["FLOAT_RECIPE", "NO_IMATRIX", "OWN_IMATRIX", "GgufRecipe"]

FLOAT_RECIPE = "gguf-f32"
"""The recipe of the float file, from which every other GGUF is quantized."""

NO_IMATRIX, OWN_IMATRIX = "none", "run"
"""Values of ``imatrix`` that are not the name of a file."""


class GgufRecipe(Recipe):
    """How a GGUF file is made."""

    family: Literal["gguf"] = Field(description="file format")
    type: str = Field(description="tensor type, by llama.cpp's name")
    imatrix: str = Field(
        NO_IMATRIX,
        description="importance matrix that weights the rounding errors of each column: none, run (measured on the "
        "prompts and programs of the run), or a file written by llama-imatrix",
    )

    @property
    def grid(self) -> str | None:
        """The tensor type whose values its matrices take; None if an importance matrix also decides."""
        return self.type if self.imatrix == NO_IMATRIX else None

    @property
    def needs_float_artifact(self) -> bool:
        """Whether it quantizes the float file."""
        return self.name != FLOAT_RECIPE

    @property
    def measures_imatrix(self) -> bool:
        """Whether it needs an importance matrix that is measured on the student itself."""
        return self.imatrix == OWN_IMATRIX

    @property
    def imatrix_file(self) -> Path | None:
        """The importance matrix that it names, or None."""
        return None if self.imatrix in (NO_IMATRIX, OWN_IMATRIX) else Path(self.imatrix).expanduser()

    @property
    def is_weighted(self) -> bool:
        """Whether it uses an importance matrix, on which some tensor types depend."""
        return self.imatrix != NO_IMATRIX

    @field_validator("type")
    @classmethod
    def _is_known(cls, kind: str) -> str:
        if kind not in FILE_TYPES:
            raise ValueError(
                f"{kind!r} is not a known tensor type.{did_you_mean(kind, FILE_TYPES)} Known: {', '.join(FILE_TYPES)}."
            )
        return kind
