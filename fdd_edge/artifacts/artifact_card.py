"""``artifact.json`` next to a model file: its facts, for programs that cannot read its family."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from fdd_edge.artifacts.facts import describe_model
from fdd_edge.artifacts.family_types import Fallback
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.model_files import find_model

__all__ = ["CARD_FILE", "ArtifactCard", "read_card", "write_card"]

CARD_FILE = "artifact.json"


class _StoredCard(TypedDict):
    """What ``artifact.json`` says: the recipe, most of ``ModelFacts``, and each ``Fallback``."""

    recipe: str
    architecture: str
    license: str | None
    base: str | None
    round: int | None
    parameters: int
    bytes: int
    bits_per_weight: float
    types: dict[str, int]
    fallbacks: list[dict[str, str | int]]


class ArtifactCard(_StoredCard):
    """A card, with the path of the model file that it describes."""

    path: str


def write_card(artifact: Path, recipe: str, fallbacks: Sequence[Fallback] = ()) -> None:
    """Write the card of an artifact's folder.

    Args:
        artifact: Holds the model file.
        recipe: Name of the recipe that it was made by.
        fallbacks: Tensor types that some of its matrices could not have.
    """
    facts = describe_model(find_model(artifact))
    card: _StoredCard = {
        "recipe": recipe,
        "architecture": facts.architecture,
        "license": facts.license,
        "base": facts.base,
        "round": facts.round,
        "parameters": facts.parameters,
        "bytes": facts.bytes,
        "bits_per_weight": facts.bits_per_weight,
        "types": facts.types,
        "fallbacks": [fallback._asdict() for fallback in fallbacks],
    }
    (artifact / CARD_FILE).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def read_card(artifact: Path) -> ArtifactCard:
    """Return the card of an artifact's folder, with the ``path`` of its model file."""
    card: _StoredCard = parse_json((artifact / CARD_FILE).read_text(encoding="utf-8"))
    return {"path": str(find_model(artifact)), **card}
