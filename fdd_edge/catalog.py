"""The shelves of data: run configs, export recipes and device profiles, found by name or by path.

In a checkout the shelves are the folders beside the package; in a wheel they lie inside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fdd_edge.errors import FddError, did_you_mean, no_file

__all__ = ["NAME", "Shelf", "find", "names", "shelf_path"]

Shelf = Literal["bundle", "configs", "configs/prompts", "export/recipes", "devices/profiles"]

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""What a recipe, a target or a data set may be called: it becomes the name of a folder."""

_PACKAGE = Path(__file__).resolve().parent


def shelf_path(shelf: Shelf) -> Path:
    """Return the folder of a shelf."""
    packed = _PACKAGE / "_catalog" / shelf
    return packed if packed.is_dir() else _PACKAGE.parent / shelf


def names(shelf: Shelf) -> list[str]:
    """Return the names on a shelf of YAML files, sorted."""
    return sorted(path.stem for path in shelf_path(shelf).glob("*.yaml"))


def find(shelf: Shelf, name_or_path: str, *, beside: Path | None = None) -> Path:
    """Return the YAML file of that name on the shelf, or at that path.

    Args:
        shelf: Where names are looked up.
        name_or_path: What is looked for.
        beside: The file that names it, and from whose folder a relative path starts.

    Raises:
        FddError: There is none; says which names there are and which one is near.
    """
    if name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path:
        path = Path(name_or_path) if beside is None else beside.parent / name_or_path
        on_shelf = shelf_path(shelf) / name_or_path
        if path.is_file():
            return path
        if on_shelf.is_file():
            return on_shelf
        raise no_file(name_or_path)
    path = shelf_path(shelf) / f"{name_or_path}.yaml"
    if path.is_file():
        return path
    known = names(shelf)
    kind = {"configs": "config", "export/recipes": "recipe", "devices/profiles": "target"}.get(shelf, shelf)
    raise FddError(
        f"There is no {kind} named {name_or_path!r}.{did_you_mean(name_or_path, known)} Known: {', '.join(known)}."
    )
