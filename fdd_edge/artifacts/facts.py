"""The facts and the size of a model file of any family."""

from __future__ import annotations

from pathlib import Path

from fdd_edge.artifacts.family import family_of
from fdd_edge.artifacts.model_facts import ModelFacts

__all__ = ["ModelFacts", "describe_model", "model_bytes"]


def describe_model(path: Path) -> ModelFacts:
    """Read what a model file says about itself.

    Raises:
        FddError: It is not a model file, or it is damaged.
    """
    return family_of(path).describe(path)


def model_bytes(path: Path) -> int:
    """Return the size of a model in bytes; for a graph, including its weights."""
    return family_of(path).size(path)
