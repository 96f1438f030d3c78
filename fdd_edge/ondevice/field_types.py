"""Checks that what another machine sent has the types and bounds that its dataclass states; JSON can hold anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

__all__ = ["ANY_NUMBER", "Misfit", "bounds", "misfit"]

_MOST = 2**63 - 1
"""Bound of a number without bounds of its own: whoever reads it back, in whatever language, can hold it."""


ANY_NUMBER: Mapping[str, float] = {"ge": -math.inf, "le": math.inf}
"""The metadata of a dataclass field whose number may have any size."""


class Misfit(NamedTuple):
    """A field that is not as stated, and what is wrong with its value."""

    name: str
    fault: str


def bounds(ge: float = -_MOST, le: float = _MOST) -> Mapping[str, float]:
    """Return the metadata of a dataclass field whose number, or whose every number, is within these bounds."""
    return {"ge": ge, "le": le}


def misfit(message: object, *, any_text: bool = False) -> Misfit | None:
    """Return a dataclass's first field whose value is not of the stated type and within its bounds, or None.

    Args:
        message: The dataclass.
        any_text: Whether a text may hold half a surrogate pair, as names of files do in Python; it has no UTF-8.
    """
    kind: Any = type(message)
    hints = _hints(kind)
    for f in fields(message):  # type: ignore[arg-type]
        value = getattr(message, f.name)
        if not _fits(value, hints[f.name]):
            return Misfit(f.name, "has the wrong type")
        low, high = f.metadata.get("ge", -_MOST), f.metadata.get("le", _MOST)
        if not _is_within(value, low, high):
            return Misfit(f.name, f"must be {f'from {low:g} to' if low > -_MOST else 'at most'} {high:g}")
        if not any_text and not _is_unicode(value):
            return Misfit(f.name, "is not valid Unicode")
    return None


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _fits(value: object, hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in arguments)
    if origin is Literal:
        return isinstance(value, str) and value in arguments
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, arguments[0]) for item in value)
    if origin is Mapping:
        return isinstance(value, Mapping)
    if hint is float:  # an infinite number is none that JSON has, but Python reads 1e999 as one
        return _is_integer(value) or (isinstance(value, float) and math.isfinite(value))
    if hint is int:
        return _is_integer(value)
    return value is None if hint is NoneType else isinstance(value, hint)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_within(value: object, low: float, high: float) -> bool:
    if isinstance(value, tuple):
        return all(_is_within(item, low, high) for item in value)
    return not isinstance(value, (int, float)) or low <= value <= high


def _is_unicode(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_unicode, value))
    if isinstance(value, Mapping):
        return all(map(_is_unicode, (*value.keys(), *value.values())))
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return False
    return True
