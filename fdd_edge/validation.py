"""The faults of a user's YAML in the words of its reader, from pydantic's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from fdd_edge.errors import did_you_mean

__all__ = ["faults_of"]


def faults_of(error: ValidationError, known_keys: Callable[[Sequence[Any]], Sequence[str]]) -> list[str]:
    """Return every fault, each with its path.

    Args:
        error: What pydantic found.
        known_keys: Returns the keys that the section at a location has.
    """
    return [_fault(fault, known_keys) for fault in error.errors()]


def _fault(fault: Mapping[str, Any], known_keys: Callable[[Sequence[Any]], Sequence[str]]) -> str:
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{path}: unknown key.{did_you_mean(str(fault['loc'][-1]), known_keys(fault['loc'][:-1]))}"
    if fault["type"] == "missing":
        return f"{path}: missing"
    message = str(fault["msg"]).removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    own_words = fault["type"] == "value_error" or isinstance(fault["input"], dict | list)
    given = "" if own_words else f", not {fault['input']!r}"
    return f"{path}: {message}{given}" if path else message
