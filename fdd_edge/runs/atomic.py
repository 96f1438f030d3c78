"""Files that are there whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["partial_of", "write_atomic"]


def partial_of(output: Path) -> Path:
    """Return where an output lies while it is made."""
    return output.with_name(f".{output.name}.partial")


def write_atomic(path: Path, text: str) -> None:
    """Write a text as UTF-8; until that is done, what was there before stays."""
    partial = partial_of(path)
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
