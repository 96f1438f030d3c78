"""Objects named as ``module:attribute``: how teachers and data formats are loaded, ours and those of other packages."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from fdd_edge.errors import FddError, did_you_mean

__all__ = ["PLUGIN_PAGE", "is_plugin_name", "load_plugin"]

PLUGIN_PAGE = "docs/plugins.md"
"""The page that shows how to write one."""


def is_plugin_name(name: str) -> bool:
    """Return whether a name has the form ``module:attribute``, rather than being a built-in name."""
    return ":" in name


def load_plugin(name: str, kind: str) -> Any:
    """Import ``module:attribute`` and return the attribute; if it is a class, return an instance of it.

    Args:
        name: Such as ``mypackage.teachers:MyTeacher``.
        kind: What it should be, for messages: ``teacher`` or ``data format``.

    Raises:
        FddError: The name is incomplete, the module cannot be imported, it has no such attribute, or the class needs
            arguments. Any other error that the module raises while it is imported keeps its traceback.
    """
    module_name, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), attribute)):
        raise FddError(f"{name!r} does not name a {kind}; write module:attribute, such as mypackage.mymodule:MyClass.")
    try:
        module = import_module(module_name)
    except (ImportError, SyntaxError) as error:
        raise FddError(f"The {kind} {name!r} cannot be loaded: {_why_not_imported(module_name, error)}") from error
    try:
        found = getattr(module, attribute)
    except AttributeError:
        near = did_you_mean(attribute, (known for known in vars(module) if not known.startswith("_")))
        raise FddError(
            f"The {kind} {name!r} cannot be loaded: the module {module_name} has no {attribute!r}.{near}"
        ) from None
    if not isinstance(found, type):
        return found
    try:
        inspect.signature(found).bind()
    except TypeError as error:
        raise FddError(
            f"The {kind} {name!r} cannot be constructed without arguments: {error}. Give every argument a default, or "
            "name an object of the class instead."
        ) from None
    return found()


def _why_not_imported(module_name: str, error: ImportError | SyntaxError) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and f"{module_name}.".startswith(f"{error.name}."):
        return (
            f"there is no module {error.name!r}. Install the package that contains it, or set PYTHONPATH to the folder "
            "it is in."
        )
    return f"importing {module_name} failed with {type(error).__name__}: {error}"
