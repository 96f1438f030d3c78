"""Selecting options: the part of a section that one operation takes."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any, ClassVar, Protocol, TypeVar

__all__ = ["take"]


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Part = TypeVar("Part", bound=_Dataclass)


def take(part: type[Part], section: object) -> Part:
    """Return the options of type ``part`` among those of a larger section."""
    return part(**{field.name: getattr(section, field.name) for field in fields(part)})
