"""Reads the model card of a Hugging Face folder: the YAML front matter of its README.md."""

from __future__ import annotations

from pathlib import Path

import yaml

__all__ = ["read_license"]

_FENCE = "---\n"


def read_license(folder: Path) -> str | None:
    """Return the license that a folder's model card names, or None.

    Model cards are written by hand: a front matter that is not valid YAML counts as naming no license.
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
