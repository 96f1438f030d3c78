"""Fingerprints: the hash of everything that an output depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

__all__ = ["Fingerprinted", "Inputs", "Json", "changed_names", "fingerprint", "named_paths", "plain"]

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]
"""What can be written as JSON. What was read from JSON has no type but the one that its reader gives it."""

Inputs = Path | None | Sequence["Inputs"] | Mapping[str, "Inputs"]
"""What an output is made from: files and folders, alone or in lists and mappings; None for one that is absent."""


@runtime_checkable
class Fingerprinted(Protocol):
    """A value that says itself what an output depends on, instead of all its fields."""

    def fingerprint(self) -> Json:
        """Return that as JSON."""


def fingerprint(version: int, options: Json, input_hashes: Mapping[str, str]) -> str:
    """Return the sha256 of a stage's version, options and inputs, in hex."""
    text = json.dumps([version, options, dict(input_hashes)], sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def plain(value: object) -> Json:
    """Return a value as JSON.

    Args:
        value: JSON, a dataclass or NamedTuple of such values, or an object with a method ``fingerprint``.

    Raises:
        TypeError: It is anything else, which has no stable form to compare with a later call's.
    """
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, Fingerprinted):
        return value.fingerprint()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot be fingerprinted: {value!r}")


def changed_names(old: Mapping[str, Json], new: Mapping[str, Json]) -> list[str]:
    """Return the names under which two sets of options and inputs differ, such as ``setup.training.seed``.

    The hash ``sha256`` of something that has ``files`` is left out, because these say more.
    """
    names: list[str] = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        inside = changed_names(before, after) if isinstance(before, Mapping) and isinstance(after, Mapping) else []
        names += [f"{key}.{name}" for name in inside] or [key]
    has_files = any(name.startswith("files.") for name in names)
    return [name for name in names if name != "sha256" or not has_files]


def named_paths(inputs: Inputs, name: str = "") -> Iterator[tuple[str, Path]]:
    """Yield every path of nested inputs under a name such as ``protected/valid``."""
    if isinstance(inputs, Path):
        yield name, inputs
    elif inputs is not None:
        items = inputs.items() if isinstance(inputs, Mapping) else ((str(i), item) for i, item in enumerate(inputs))
        for key, item in items:
            yield from named_paths(item, f"{name}/{key}" if name else key)
