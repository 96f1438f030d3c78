"""The YAML files that ship with the package: run configs, export recipes and device profiles, by name or by path.

In a checkout each shelf is a folder next to the package; in a wheel it is inside the package, under ``_catalog/``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from fdd_edge.errors import FddError, did_you_mean, no_file

__all__ = ["NAME", "Audience", "OnShelf", "Shelf", "audience", "find", "names", "shelf_path"]

Shelf = Literal["bundle", "configs", "configs/prompts", "export/recipes", "devices/profiles"]
Audience = Literal["users", "benchmarks", "tests"]

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""Valid names of recipes, targets and data sets; each becomes the name of a folder."""

_TORCH_DEVICES = ("auto", "cpu", "cuda", "gpu", "mps")

_PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class OnShelf:
    """An annotation for pydantic: the value must be a name on a shelf, or the path of a file like those on it.

    ``Annotated[str, OnShelf("export/recipes")]``. This module does not import pydantic, which calls the method below.

    Attributes:
        shelf: Where names are looked up.
        or_else: One further value that is accepted, such as ``none``.
    """

    shelf: Shelf
    or_else: str | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Return the schema of the annotated type, followed by the look-up."""
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, name: str) -> str:
        if name != self.or_else:
            try:
                find(self.shelf, name)
            except FddError as error:
                raise ValueError(str(error)) from None
        return name


_AUDIENCE = re.compile(r"# for: (\w+)")


def shelf_path(shelf: Shelf) -> Path:
    """Return the folder of a shelf."""
    packed = _PACKAGE / "_catalog" / shelf
    return packed if packed.is_dir() else _PACKAGE.parent / shelf


def names(shelf: Shelf, *, audience: Audience | None = None) -> list[str]:
    """Return the names of the YAML files on a shelf, sorted; with ``audience``, only the configs meant for it."""
    found = sorted(path.stem for path in shelf_path(shelf).glob("*.yaml"))
    return found if audience is None else [name for name in found if _audience_of(shelf, name) == audience]


def audience(config: str) -> Audience:
    """Return who a packaged config is for.

    A config that serves only benchmarks or tests says so in its second line: ``# for: benchmarks``. Such a config is
    found by name like any other, but `fdd-edge ls` does not list it.

    Raises:
        FddError: There is no such config.
        ValueError: Its second line names an unknown audience.
    """
    find("configs", config)
    return _audience_of("configs", config)


def _audience_of(shelf: Shelf, name: str) -> Audience:
    """Return the audience that a file's second line states, or ``users`` if it states none."""
    lines = (shelf_path(shelf) / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    stated = _AUDIENCE.fullmatch(lines[1].strip()) if len(lines) > 1 else None
    if stated is None:
        return "users"
    for known in get_args(Audience):
        if stated[1] == known:
            return known  # type: ignore[no-any-return]
    raise ValueError(f"{name}.yaml is for {stated[1]!r}; known are {', '.join(get_args(Audience))}")


def find(shelf: Shelf, name_or_path: str, *, relative_to: Path | None = None) -> Path:
    """Return the YAML file that a name or a path refers to.

    Args:
        shelf: Where names are looked up.
        name_or_path: A name on the shelf, or a path.
        relative_to: The file that contains a relative path, which starts at its folder.

    Raises:
        FddError: There is no such file; the message lists the known names and suggests the closest one.
    """
    if name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path:
        path = Path(name_or_path) if relative_to is None else relative_to.parent / name_or_path
        on_shelf = shelf_path(shelf) / name_or_path
        if path.is_file():
            return path
        if on_shelf.is_file():
            return on_shelf
        raise no_file(name_or_path)
    path = shelf_path(shelf) / f"{name_or_path}.yaml"
    if path.is_file():
        return path
    if Path(name_or_path).exists():
        what = "a folder without a config.yaml" if Path(name_or_path).is_dir() else "not a .yaml file"
        raise FddError(f"{name_or_path} is {what}; name a YAML file.")
    known = names(shelf)
    if shelf == "devices/profiles" and name_or_path in _TORCH_DEVICES:
        raise FddError(
            f"There is no target {name_or_path!r}. For this machine's CPU use the target 'local'. "
            f"Targets: {', '.join(known)}."
        )
    listed = names(shelf, audience="users") if shelf == "configs" else known
    kind = {"configs": "config", "export/recipes": "recipe", "devices/profiles": "target"}.get(shelf, shelf)
    raise FddError(
        f"There is no {kind} named {name_or_path!r}.{did_you_mean(name_or_path, known)} Known: {', '.join(listed)}."
    )
