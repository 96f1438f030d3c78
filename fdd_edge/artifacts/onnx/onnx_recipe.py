"""Recipes for ONNX graphs: made from the float32 student by onnxruntime-genai's builder, and by optimum for int8."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from fdd_edge.artifacts.base_recipe import Recipe

__all__ = ["FLOAT_RECIPE", "OnnxRecipe"]

FLOAT_RECIPE = "onnx-fp32"
"""The recipe of the float artifact of a run that exports no GGUF."""

_MIXED = {"absmax": ("none", "last"), "rtn": ("none", "last"), "k_quant": ("last", "mixed")}
"""What the builder supports per algorithm; with k_quant it always gives the head 8 bits."""

_Q4_0_BLOCK = 32

_DISK_COPIES = {"fp32": 1.0, "int8": 1.6, "int4": 1.3}
"""int8 is made from a float graph, which is written first."""


class OnnxRecipe(Recipe):
    """How an ONNX graph is made."""

    family: Literal["onnx"] = Field(description="file format")
    precision: Literal["fp32", "int8", "int4"] = Field(description="number format of the matrices")
    instructions: Literal["arm64", "avx2", "avx512_vnni"] | None = Field(
        None, description="int8: instruction set for which optimum has settings"
    )
    per_channel: bool = Field(True, description="int8: one scale per column of a matrix, instead of one per matrix")
    block_size: Literal[16, 32, 64, 128, 256] = Field(32, description="int4: number of weights that share a scale")
    algorithm: Literal["absmax", "rtn", "k_quant"] = Field(
        "absmax", description="int4: how a block is rounded: to the grid of Q4_0 (absmax), or as the builder does it"
    )
    mixed_precision: Literal["none", "last", "mixed"] = Field(
        "last", description="int4: matrices with 8 bits: none, the head (last), the head and some layers' (mixed)"
    )
    accuracy_level: Literal[1, 2, 3, 4] = Field(4, description="int4: activations in f32 (1), f16, bf16 or int8 (4)")

    @property
    def grid(self) -> str | None:
        """The GGUF tensor type whose values its matrices take, or None if they have a grid of their own."""
        is_q4_0 = self.precision == "int4" and (self.algorithm, self.block_size) == ("absmax", _Q4_0_BLOCK)
        return "q4_0" if is_q4_0 else None

    @property
    def disk_copies(self) -> float:
        """Disk space that its export needs while it runs, in float32 copies of the model."""
        return _DISK_COPIES[self.precision]

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        if (self.precision == "int8") != (self.instructions is not None):
            raise ValueError("instructions is required for precision int8 and not allowed otherwise")
        if self.mixed_precision not in (allowed := _MIXED[self.algorithm]):
            raise ValueError(
                f"mixed_precision must be {' or '.join(allowed)} with algorithm {self.algorithm}, not "
                f"{self.mixed_precision}"
            )
        return self
