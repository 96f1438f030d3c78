"""Options as dataclass fields: one default, one description and one range for the wire, the config and the help.

Pydantic reads the metadata when a config composes such a dataclass; on a board, where there is no pydantic,
``out_of_range`` checks the same bounds.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import Field, field, fields
from typing import Any, ClassVar, Protocol, TypeVar

__all__ = ["Options", "option", "out_of_range"]

T = TypeVar("T")

_BOUNDS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "ge": (operator.ge, "at least"),
    "gt": (operator.gt, "greater than"),
    "le": (operator.le, "at most"),
    "lt": (operator.lt, "less than"),
}


class Options(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


def option(default: T, description: str, **bounds: float | str) -> T:
    """Declare a dataclass field.

    Args:
        default: The value if none is given.
        description: What the option does, for help texts and documentation.
        bounds: Any of ``ge``, ``gt``, ``le`` and ``lt``, which None always satisfies; and ``min_length`` and
            ``pattern``, which only pydantic checks.
    """
    if unknown := sorted(set(bounds) - {*_BOUNDS, "min_length", "pattern"}):
        raise TypeError(f"unknown bound {unknown[0]!r}")
    return field(default=default, metadata={"description": description, **bounds})


def out_of_range(options: Options) -> str | None:
    """Return which field of a dataclass is out of bounds and why, or None if all are within theirs.

    Raises:
        TypeError: A value cannot be compared with its bound.
    """
    for f in fields(options):
        value = getattr(options, f.name)
        for name, (is_within, words) in _BOUNDS.items():
            bound = f.metadata.get(name)
            if bound is not None and value is not None and not is_within(value, bound):
                return f"{f.name} must be {words} {bound:g}, not {value}"
    return None
