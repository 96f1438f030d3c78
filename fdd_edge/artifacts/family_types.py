"""The values that a family returns: predictions of files, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fdd_edge.runs.fingerprint import Json

if TYPE_CHECKING:
    from fdd_edge.artifacts.base_recipe import Recipe

__all__ = ["Fallback", "Prediction", "Quantizer", "TypeMismatch", "WrongKey"]


class WrongKey(NamedTuple):
    """A key that does not describe the model, such as ``genai_config.json: model.eos_token_id``."""

    key: str
    reference: Json
    file: Json


class TypeMismatch(NamedTuple):
    """The number formats that a recipe gives to matrices, and those that a file has instead, in words."""

    expected: str
    found: str


class Fallback(NamedTuple):
    """Matrices whose rows are not a whole number of blocks of the type they should have.

    Attributes:
        wanted: The type that the recipe asks for.
        got: The type that they get instead.
        matrices: Number of such matrices.
        row: Weights per row.
        block: Weights per block of the wanted type.
    """

    wanted: str
    got: str
    matrices: int
    row: int
    block: int


class Prediction(NamedTuple):
    """A quantized file before it is written.

    Attributes:
        bytes: Exact size of the file.
        bits_per_weight: 8 * bytes / weights, metadata included.
        types: Number of matrices per tensor type, most frequent first.
        fallbacks: Types that are not available for some matrices, most frequent first.
    """

    bytes: int
    bits_per_weight: float
    types: dict[str, int]
    fallbacks: tuple[Fallback, ...]


class Quantizer(NamedTuple):
    """How a family quantizes its float artifact.

    Attributes:
        predict: Returns what (float model, recipe, importance matrix or None) will become.
        write: Writes it: (float model, file to write, recipe, importance matrix or None, threads or None for all).
    """

    predict: Callable[[Path, Recipe, Path | None], Prediction]
    write: Callable[[Path, Path, Recipe, Path | None, int | None], None]
