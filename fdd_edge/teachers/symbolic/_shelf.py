"""Reads the YAML files of situations, steps and words in this package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from fdd_edge.teachers.symbolic._situation import END, Result, Situation, Step

__all__ = ["read_situations", "read_steps", "read_words"]

_HERE = Path(__file__).parent
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader written in C is ten times as fast."""
HELD_OUT = "held_out"


def read_words() -> dict[str, tuple[str, ...]]:
    """Return the lists of words by name."""
    return {name: tuple(words) for name, words in _load(_HERE / "words.yaml").items()}


def read_situations() -> dict[str, Situation]:
    """Return every situation by name, in the order of the files; those of ``held_out.yaml`` are held out."""
    lists = read_words()
    situations = {}
    for file in sorted((_HERE / "situations").glob("*.yaml")):
        for row in _load(file):
            words = {
                slot: lists[some] if isinstance(some, str) else tuple(some)
                for slot, some in row.pop("words", {}).items()
            }
            situation = Situation(**_texts(row), words=words, held_out=file.stem == HELD_OUT)
            if situation.name in situations:
                raise ValueError(f"{file.name}: a situation named {situation.name!r} already exists")
            situations[situation.name] = situation
    return situations


def read_steps() -> dict[str, Step]:
    """Return every further step by name."""
    rows = [row for file in sorted((_HERE / "steps").glob("*.yaml")) for row in _load(file)]
    steps = {row["name"]: Step(**_texts(row) | {"of": frozenset(row["of"])}) for row in rows}
    if len(steps) < len(rows):
        raise ValueError("two steps have the same name")
    return steps


def _load(file: Path) -> Any:
    return yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER)


def _texts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Convert lists to tuples, and the program to a tuple of lines."""
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return fields | {
        "program": tuple(row["program"].splitlines()),
        "numbers": {slot: str(rule) for slot, rule in row["numbers"].items()},
        "result": Result(*row["result"]) if "result" in row else END,
    }
