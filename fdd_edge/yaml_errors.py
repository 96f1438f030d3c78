"""The faults of a user's YAML in the words of its reader, from the parser's and pydantic's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from fdd_edge.errors import did_you_mean

__all__ = ["faults_of", "yaml_fault"]

_WORDS = {
    "too_short": "needs at least {min_length}",
    "string_too_short": "must not be empty",
    "float_parsing": "takes a number",
    "int_parsing": "takes a whole number",
    "int_from_float": "takes a whole number",
    "bool_parsing": "takes true or false",
    "finite_number": "takes a finite number",
}
"""By pydantic's kind of fault, where its own message speaks of parsers and validators."""


def faults_of(error: ValidationError, known_keys: Callable[[Sequence[Any]], Sequence[str]]) -> list[str]:
    """Return every fault, each with its path.

    Args:
        error: What pydantic found.
        known_keys: Returns the keys that the section at a location has.
    """
    return [_fault(fault, known_keys) for fault in error.errors()]


def yaml_fault(error: Exception) -> str:
    """Return what is wrong with a text that should be YAML, and where, in one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} in line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
    return " ".join(str(error).split())


def _fault(fault: Mapping[str, Any], known_keys: Callable[[Sequence[Any]], Sequence[str]]) -> str:
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{path}: unknown key.{did_you_mean(str(fault['loc'][-1]), known_keys(fault['loc'][:-1]))}"
    if fault["type"] == "missing":
        return f"{path}: missing"
    words = _WORDS.get(fault["type"])
    message = words.format(**fault.get("ctx", {})) if words else str(fault["msg"]).removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    own_words = fault["type"] == "value_error" or fault["input"] == "" or isinstance(fault["input"], dict | list)
    given = "" if own_words else f", not {fault['input']!r}"
    return f"{path}: {message}{given}" if path else message
