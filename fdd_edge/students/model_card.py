"""What the card of a Hugging Face folder says: the YAML front matter of its README.md."""

from __future__ import annotations

from pathlib import Path

import yaml

__all__ = ["read_license"]

_FENCE = "---\n"


def read_license(folder: Path) -> str | None:
    """Return the licence a folder's card names, or None.

    A card is prose that people write: one that cannot be read as YAML names no licence, and is no fault of the model.
    """
    card = folder / "README.md"
    if not card.is_file():
        return None
    text = card.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
    if not text.startswith(_FENCE):
        return None
    try:
        front = yaml.safe_load(text.removeprefix(_FENCE).partition("\n" + _FENCE)[0])
    except yaml.YAMLError:
        return None
    named = front.get("license") if isinstance(front, dict) else None
    return named if isinstance(named, str) else None
