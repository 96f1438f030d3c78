"""``artifact.json`` next to a model file: its facts, for programs that cannot read its family."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from fdd_edge.artifacts.facts import describe_model
from fdd_edge.artifacts.family_types import Fallback
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.model_files import find_model

__all__ = ["CARD_FILE", "ArtifactCard", "read_card", "write_card", "wrong_key"]

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
    card = _card_of(artifact, recipe, [fallback._asdict() for fallback in fallbacks])
    (artifact / CARD_FILE).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def _card_of(artifact: Path, recipe: str, fallbacks: list[dict[str, str | int]]) -> _StoredCard:
    facts = describe_model(find_model(artifact))
    return {
        "recipe": recipe,
        "architecture": facts.architecture,
        "license": facts.license,
        "base": facts.base,
        "round": facts.round,
        "parameters": facts.parameters,
        "bytes": facts.bytes,
        "bits_per_weight": facts.bits_per_weight,
        "types": facts.types,
        "fallbacks": fallbacks,
    }


def wrong_key(artifact: Path) -> str | None:
    """Return a key of a card that the model file next to it contradicts; None if there is none.

    Raises:
        FddError: The model file is damaged.
        OSError, ValueError: The card cannot be read.
    """
    card: Any = parse_json((artifact / CARD_FILE).read_text(encoding="utf-8"))
    if not isinstance(card, dict):
        raise ValueError("it is not a JSON object")
    recipe = str(describe_model(find_model(artifact)).recipe or card.get("recipe"))
    found = json.loads(json.dumps(_card_of(artifact, recipe, card.get("fallbacks", []))))
    if not _are_possible(card.get("fallbacks"), found["types"]):
        return "fallbacks"
    return next((key for key in (*found, *card) if key not in card or card[key] != found.get(key)), None)


def _are_possible(fallbacks: object, types: Mapping[str, int]) -> bool:
    """Return whether the file has the matrices that got another type, as a card says; the wanted one is not in it."""
    kinds = {"wanted": str, "got": str, "matrices": int, "row": int, "block": int}
    if not isinstance(fallbacks, list):
        return False
    got: Counter[str] = Counter()
    for row in fallbacks:
        if not isinstance(row, dict) or {key: type(value) for key, value in row.items()} != kinds:
            return False
        if row["matrices"] < 1 or row["block"] < 1 or row["row"] % row["block"] == 0:
            return False
        got[row["got"]] += row["matrices"]
    return all(n <= types.get(name, 0) for name, n in got.items())


def read_card(artifact: Path) -> ArtifactCard:
    """Return the card of an artifact's folder, with the ``path`` of its model file."""
    card: _StoredCard = parse_json((artifact / CARD_FILE).read_text(encoding="utf-8"))
    return {"path": str(find_model(artifact)), **card}
