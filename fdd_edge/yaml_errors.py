"""Turns the errors of the YAML parser and of pydantic into sentences for the person who wrote the file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel, ValidationError

from fdd_edge.errors import did_you_mean

__all__ = ["fault_message", "faults_of", "known_keys", "location_of", "section_tag", "yaml_fault"]

_UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")
"""What pydantic calls an unknown key: the first in a model, the second in a dataclass."""

_MESSAGES = {
    "missing": "missing",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "too_short": "needs at least {min_length}",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "literal_error": "must be {expected}",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "dataclass_type": "must be a mapping of keys to values",
}
"""By pydantic's type of error: its own messages talk about parsers and validators."""

_SHOWS_NO_VALUE = ("missing", "value_error", "too_short", "string_too_short")
"""Errors whose message already says what was given, or where nothing was given."""


def faults_of(error: ValidationError, keys_at: Callable[[Sequence[Any]], Sequence[str]]) -> list[str]:
    """Return one message per error, each with the path of its key, such as ``rounds: must be at least 1, not 0``.

    Args:
        error: What pydantic raised.
        keys_at: Returns the keys of the section at a location; ``known_keys`` with its first argument bound will do.
    """
    return [fault_message(fault, keys_at) for fault in error.errors()]


def known_keys(root: type, location: Sequence[Any]) -> list[str]:
    """Return the keys of one section of a config.

    Args:
        root: The pydantic model or dataclass of the whole file.
        location: The path of the section, as pydantic reports it: keys, and the positions in lists.
    """
    annotation: object = root
    for part in location:
        if isinstance(part, int):
            continue
        if _is_tag(part):
            annotation = next(kind for kind in _sections_in(annotation) if part[1:-1] in _field_types(kind))
        elif (values := _values_of(annotation)) is not None:
            annotation = values
        else:
            annotation = _field_types(_section_in(annotation))[part]
    return list(_field_types(_section_in(annotation)))


def section_tag(key: str) -> str:
    """Return the tag of a section that is one of several kinds; ``key`` is one that only this kind has.

    pydantic puts it into the paths of errors, where ``location_of`` removes it.
    """
    return f"<{key}>"


def location_of(fault: Mapping[str, Any]) -> tuple[str | int, ...]:
    """Return the path of the value that one of pydantic's errors is about, as it is in the file."""
    return tuple(part for part in fault["loc"] if not _is_tag(part) and part != "[key]")


def _is_tag(part: object) -> bool:
    return isinstance(part, str) and part.startswith("<") and part.endswith(">")


def yaml_fault(error: Exception) -> str:
    """Return one line that says what is wrong with a text that should be YAML, and where."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} in line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
    return " ".join(str(error).split())


def _is_section(kind: object) -> bool:
    return isinstance(kind, type) and (issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind))


def _field_types(section: type) -> dict[str, object]:
    """Return the annotation of each key; annotations are of any type."""
    if issubclass(section, BaseModel):
        return {name: field.annotation for name, field in section.model_fields.items()}
    hints = get_type_hints(section)
    return {field.name: hints[field.name] for field in dataclasses.fields(section)}  # type: ignore[arg-type]


def _section_in(annotation: object) -> type:
    """Return the section that a type is or contains: of ``list[Section]`` or ``Section | None``, the ``Section``."""
    return next(_sections_in(annotation))


def _sections_in(annotation: object) -> Iterator[type]:
    """Yield the sections that a type is or contains."""
    if isinstance(annotation, type) and _is_section(annotation):
        yield annotation
    for part in get_args(annotation):
        yield from _sections_in(part)


def _values_of(annotation: object) -> object:
    """Return the type of the values of a mapping whose keys the user chooses; None for any other type."""
    return get_args(annotation)[1] if get_origin(annotation) is dict else None


def fault_message(fault: Mapping[str, Any], keys_at: Callable[[Sequence[Any]], Sequence[str]]) -> str:
    """Return the message of one of pydantic's errors; arguments as for ``faults_of``."""
    location, kind, given = fault["loc"], fault["type"], fault["input"]
    path = ".".join(str(part) for part in location_of(fault))
    if kind in _UNKNOWN_KEY:
        keys = keys_at(location[:-1])
        known = f" Known: {', '.join(keys)}."
        return f"{path}: unknown key.{did_you_mean(str(location[-1]), keys) or known}"
    if kind in _MESSAGES:
        message = _MESSAGES[kind].format(**fault.get("ctx", {}))
    else:
        message = str(fault["msg"]).removeprefix("Value error, ")
        message = message[0].lower() + message[1:]
    if kind not in _SHOWS_NO_VALUE and not isinstance(given, dict | list):
        message += f", not {given!r}"
    return f"{path}: {message}" if path else message
