"""Reads the model card of a Hugging Face folder: the YAML front matter of its README.md."""

from __future__ import annotations

from pathlib import Path

from fdd_edge.bounded_yaml import front_matter

__all__ = ["read_license"]


def read_license(folder: Path) -> str | None:
    """Return the license that a folder's model card names, or None.

    Model cards are written by hand: a front matter that is not valid YAML counts as naming no license.
    """
    card = folder / "README.md"
    if not card.is_file():
        return None
    named = front_matter(card.read_text(encoding="utf-8", errors="replace")).get("license")
    return named if isinstance(named, str) else None
