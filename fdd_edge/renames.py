"""Old names of config keys, options and Python arguments, which still work, and what is said when one is used."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from fdd_edge.progress import is_shown_on_stderr, warn

__all__ = [
    "ARGUMENTS",
    "CONFIG_KEYS",
    "OPTIONS",
    "accepts_old_names",
    "announce_rename",
    "given_twice",
    "rename_note",
]

P = ParamSpec("P")
R = TypeVar("R")

CONFIG_KEYS = {
    "baseline.shots": "baseline.num_fewshot",
    "decoding.sequences": "decoding.batch_size",
    "feedback.samples": "feedback.num_return_sequences",
}

OPTIONS = {"--sequences": "--batch-size", "--shots": "--num-fewshot"}
"""Of the command line."""

ARGUMENTS = {"sequences": "batch_size", "shots": "num_fewshot"}
"""Of the functions in ``api.py``."""


def rename_note(old: str, new: str) -> str:
    """Return what is said when an old name is used."""
    return f"{old} is now called {new}; the old name still works."


def given_twice(new: str) -> str:
    """Return what is wrong with giving both names; continues a sentence about the old one."""
    return f"the old name of {new}, which is also given; remove one"


@functools.cache
def announce_rename(old: str, new: str) -> None:
    """Warn that an old name was used, once per process: on stderr from the command line, else as a Python warning."""
    if is_shown_on_stderr():
        warn(f"Note: {rename_note(old, new)}")
    else:
        warnings.warn(rename_note(old, new), FutureWarning, stacklevel=2)


def accepts_old_names(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function take its arguments by their old names too, with a warning.

    Raises:
        TypeError: An argument is given by both names.
    """
    parameters = inspect.signature(function).parameters
    names = {old: new for old, new in ARGUMENTS.items() if new in parameters}

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for old, new in names.items():
            if old in kwargs:
                if new in kwargs:
                    raise TypeError(f"{old} is {given_twice(new)}.")
                warnings.warn(rename_note(old, new), FutureWarning, stacklevel=2)
                kwargs[new] = kwargs.pop(old)
        return function(*args, **kwargs)

    return call
