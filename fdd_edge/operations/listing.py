"""The names that configs and commands may use: recipes, targets, configs, teachers, their prompts and data formats."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fdd_edge import catalog
from fdd_edge.data import FORMATS
from fdd_edge.result_base import Result
from fdd_edge.teachers import TEACHERS
from fdd_edge.teachers.language_model.teacher_prompts import PROMPT_FILES

__all__ = ["Listing", "list_names"]

_DESCRIPTION = re.compile(r"^description: (.*)$", re.MULTILINE)
"""The line of a shipped file that describes it: always one line, which is read without importing a YAML parser."""


@dataclass(frozen=True)
class Listing(Result):
    """Every kind's names, each with its description."""

    recipes: Mapping[str, str]
    targets: Mapping[str, str]
    configs: Mapping[str, str]
    teachers: Mapping[str, str]
    prompts: Mapping[str, str]
    formats: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Listing({', '.join(f'{len(names)} {kind}' for kind, names in self.to_dict().items())})"

    def _table_rows(self) -> Iterable[Mapping[str, Any]]:
        return [
            {"kind": kind, "name": name, "description": description}
            for kind, names in self.to_dict().items()
            for name, description in names.items()
        ]

    def _shown(self) -> Iterable[tuple[str, object]]:
        return [(kind, ", ".join(names)) for kind, names in self.to_dict().items()]


def list_names() -> Listing:
    """Return every kind's names, each with its description."""
    return Listing(
        recipes=_described("export/recipes"),
        targets=_described("devices/profiles"),
        configs={name: _first_comment(name) for name in catalog.names("configs", audience="users")},
        teachers={name: teacher.description for name, teacher in TEACHERS.items()},
        prompts={f"teacher/{name}.txt": file.description for name, file in PROMPT_FILES.items()},
        formats={name: known.description for name, known in FORMATS.items()},
    )


def _described(shelf: catalog.Shelf) -> dict[str, str]:
    files = {name: catalog.find(shelf, name).read_text(encoding="utf-8") for name in catalog.names(shelf)}
    return {name: found[1] if (found := _DESCRIPTION.search(text)) else "" for name, text in files.items()}


def _first_comment(config: str) -> str:
    first = catalog.find("configs", config).read_text(encoding="utf-8").split("\n", 1)[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""
