"""Checks the options that a caller gives in Python or on the command line, as a config's are."""

from __future__ import annotations

from functools import partial
from typing import TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from fdd_edge.errors import FddError
from fdd_edge.yaml_errors import faults_of, known_keys

__all__ = ["checked"]

Options = TypeVar("Options")


def checked(kind: type[Options], **values: object) -> Options:
    """Build options from a caller's values.

    Raises:
        FddError: A value is of the wrong type or out of range; lists all errors.
    """
    # pydantic takes True for 1 and "3" for 3: in a config it may have to (${ENV} is text), in Python it is a mistake.
    numbers = {name: kinds for name, hint in get_type_hints(kind).items() if (kinds := _number_types(hint))}
    wrong = {name: value for name, value in values.items() if name in numbers and isinstance(value, bool | str)}
    faults = [
        f"{name}: must be a {'number' if float in numbers[name] else 'whole number'}, not {value!r}"
        for name, value in wrong.items()
    ]
    try:
        options = TypeAdapter(kind).validate_python({k: v for k, v in values.items() if k not in wrong})
    except ValidationError as error:
        faults += faults_of(error, partial(known_keys, kind))
    if faults:
        raise FddError(f"{'; '.join(faults)}.")
    return options


def _number_types(hint: object) -> set[object]:
    """Return which of the types of an option are numbers."""
    return {kind for kind in (hint, *get_args(hint)) if kind in (int, float)}
