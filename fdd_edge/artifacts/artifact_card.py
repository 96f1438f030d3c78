"""``artifact.json`` next to a model file: its facts, for programs that cannot read its family."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fdd_edge.artifacts.facts import describe_model
from fdd_edge.artifacts.family_types import Fallback
from fdd_edge.ondevice.model_files import find_model

__all__ = ["CARD_FILE", "read_card", "write_card"]

CARD_FILE = "artifact.json"

_NOT_IN_CARD = ("name", "recipe", "prompt_template")


def write_card(artifact: Path, recipe: str, fallbacks: Sequence[Fallback] = ()) -> None:
    """Write the card of an artifact's folder.

    Args:
        artifact: Holds the model file.
        recipe: Name of the recipe that it was made by.
        fallbacks: Tensor types that some of its matrices could not have.
    """
    facts: dict[str, Any] = describe_model(find_model(artifact))._asdict()
    card = {"recipe": recipe} | {key: value for key, value in facts.items() if key not in _NOT_IN_CARD}
    card["fallbacks"] = [fallback._asdict() for fallback in fallbacks]
    (artifact / CARD_FILE).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def read_card(artifact: Path) -> dict[str, Any]:
    """Return the card of an artifact's folder, with the ``path`` of its model file."""
    card: dict[str, Any] = json.loads((artifact / CARD_FILE).read_text(encoding="utf-8"))
    return {"path": str(find_model(artifact))} | card
