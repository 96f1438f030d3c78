"""Checks the values of a config: all errors at once, so that a broken key hides only the checks that need its value.

pydantic stops at the first level of errors: if a key is broken, no check that compares keys runs. So broken values are
replaced by defaults and the rest is checked again; what a replaced value would cause is not reported.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from pydantic import ValidationError

from fdd_edge.config import Config, Conflict
from fdd_edge.yaml_errors import fault_message, known_keys, location_of

__all__ = ["Checked", "Location", "check_config"]

Location = tuple[str | int, ...]
"""The path of a value: keys, and positions in lists."""

_SET = {"path": "symbolic:train"}
_MODELS = ("teacher", "models")
_MIX = ("training", "mix")
_MODEL = {"base_url": "http://localhost/v1", "model": "unknown"}
_STAND_INS: Mapping[Location, Any] = {
    ("student",): {"model_name_or_path": "tiny"},
    ("student", "model_name_or_path"): "tiny",
    ("data",): {"train": [_SET]},
    ("data", "train"): [_SET],
    ("output_dir",): "runs/unknown",
}
"""Values that stand in for required keys, so that the others can be checked. All of them exist on every machine."""


class Checked(NamedTuple):
    """A checked config.

    Attributes:
        config: The config, with defaults in place of broken values; None if nothing can be made of it.
        faults: One message per error, each with the path of its key.
    """

    config: Config | None
    faults: list[str]


def check_config(source: Mapping[str, Any], broken: Collection[Location] = ()) -> Checked:
    """Check a config.

    Args:
        source: Its keys and values.
        broken: Values whose errors are known already, as paths.
    """
    values = copy.deepcopy(dict(source))
    replaced: set[Location] = {_replace(values, location) for location in broken}
    faults: list[str] = []
    while True:
        conflicts: list[Conflict] = []
        try:
            config = Config.model_validate(values, context={"conflicts": conflicts})
        except ValidationError as error:
            found = {location for fault in error.errors() for location in _report(fault, replaced, faults)}
            new = {_replace(values, location) for location in found} - replaced
            if not new:
                return Checked(None, list(dict.fromkeys(faults)))
            replaced |= new
            continue
        names = {".".join(map(str, location)) for location in replaced}
        faults += [conflict.message for conflict in conflicts if names.isdisjoint(conflict.keys)]
        return Checked(config, list(dict.fromkeys(faults)))


def _report(fault: Mapping[str, Any], replaced: set[Location], faults: list[str]) -> list[Location]:
    """Add the message of an error, unless a replaced value caused it; return the locations of the values to replace."""
    location: Location = location_of(fault)
    message = fault_message(fault, partial(known_keys, Config))
    if fault["type"] != "value_error" or len(location) != 1:
        faults.append(message)
        return [location]
    # The check of a section, such as feedback's bands: its message names the keys that it compares.
    named: list[Location] = [(*location, key) for key in _keys_of(location) if re.search(rf"\b{key}\b", message)]
    if not replaced.intersection(named):
        faults.append(message)
    return named or [location]


def _keys_of(location: Location) -> list[str]:
    try:
        return known_keys(Config, location)
    except StopIteration:  # not a section
        return []


def _replace(values: dict[str, Any], location: Location) -> Location:
    """Replace a broken value and return its location; for an item of a list, the whole list is replaced."""
    if location[:1] == ("data",) and len(location) > 2 and location[3:] in ((), ("path",)):
        return _replace_set(values, location[:3])
    while location and isinstance(location[-1], int):
        location = location[:-1]
    if location[:2] == _MIX:
        location = location[:2]  # the other shares would no longer sum to 1
    if location[:2] == _MODELS:
        location = location[:3]  # a part of a model that is missing would be an error again
    *parents, last = location
    at: Any = values
    for part in parents:
        try:
            at = at[part]
        except (KeyError, IndexError, TypeError):
            return location
    if location in _STAND_INS:
        at[last] = copy.deepcopy(_STAND_INS[location])
    elif location[:-1] == _MODELS:
        at[last] = dict(_MODEL)  # others may name it
    elif isinstance(at, dict):
        at.pop(last, None)
    return location


def _replace_set(values: dict[str, Any], location: Sequence[str | int]) -> Location:
    """Replace a data set without a usable path."""
    data, role, number = location
    values[data][role][number] = {**_SET, "name": f"unknown-{role}-{number}"}  # type: ignore[index]
    return (data, role, number)
