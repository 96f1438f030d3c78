"""The names that configs and commands may use: recipes, targets, configs, teachers and data formats."""

from __future__ import annotations

import yaml

from fdd_edge import catalog
from fdd_edge.data import FORMATS
from fdd_edge.teachers import TEACHERS

__all__ = ["list_names"]


def list_names() -> dict[str, dict[str, str]]:
    """Return every kind's names, each with its description."""
    return {
        "recipes": _described("export/recipes"),
        "targets": _described("devices/profiles"),
        "configs": {name: _first_comment(name) for name in catalog.names("configs", audience="users")},
        "teachers": {name: teacher.description for name, teacher in TEACHERS.items()},
        "formats": {name: known.description for name, known in FORMATS.items()},
    }


def _described(shelf: catalog.Shelf) -> dict[str, str]:
    files = {name: catalog.find(shelf, name).read_text(encoding="utf-8") for name in catalog.names(shelf)}
    return {name: str(yaml.safe_load(text).get("description", "")) for name, text in files.items()}


def _first_comment(config: str) -> str:
    first = catalog.find("configs", config).read_text(encoding="utf-8").split("\n", 1)[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""
