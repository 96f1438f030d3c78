"""What a model file says about itself, whatever its family."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ModelFacts", "bits_per_weight"]


class ModelFacts(NamedTuple):
    """The facts of a model file.

    Attributes:
        architecture: Its architecture, as the family names it.
        name: Name of the model, or None.
        license: Its license, or None.
        base: Name of the model it was trained from, or None.
        round: The round it comes from, or None.
        recipe: The recipe it was made by, or None for a file from elsewhere.
        prompt_template: The prompt it was trained on, or None.
        has_chat_template: Whether it can be asked through a chat template.
        parameters: Number of weights; 0 if the file does not say.
        bytes: Size of the file; for a graph, including its weights.
        bits_per_weight: 8 * bytes / parameters, metadata included; 0 if the number of weights is unknown.
        types: Number of matrices per number format, most frequent first.
    """

    architecture: str
    name: str | None
    license: str | None
    base: str | None
    round: int | None
    recipe: str | None
    prompt_template: str | None
    has_chat_template: bool
    parameters: int
    bytes: int
    bits_per_weight: float
    types: dict[str, int]


def bits_per_weight(size: int, parameters: int) -> float:
    """Return the bits per weight of a file of ``size`` bytes; 0 if it has no weights."""
    return 8 * size / parameters if parameters else 0.0
