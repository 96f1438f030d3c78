"""A stranger's tokenizer is loaded in a child process first: loading alone may take all time and memory there is.

A few normalizers and an added token make a text of gigabytes, and no library asks whether to go on. If the child comes
through within its limits, this process does too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from .bounded import MEMORY, BoundedError, BoundedFunction

__all__ = ["fault_of_loading"]

_SECONDS = 30
"""CPU time for any tokenizer, and for each megabyte of it: SmolLM2's, of 3.5 MB, takes 0.12 s on a desktop's core, and
fifty times that on the slowest boards."""
_SECONDS_PER_MB = 4

_MEMORY_PER_BYTE = 32
"""Bytes for each byte of a tokenizer; SmolLM2's takes 10."""


def fault_of_loading(load: Callable[[Path], object], path: Path) -> str | None:
    """Return what loading takes too much of, as a verb such as ``takes more than 30 s of CPU time``; None if nothing.

    What was loaded once is not tried again while it is unchanged.

    Args:
        load: Loads a tokenizer. Whatever it raises, it raises again when it is called in earnest.
        path: Its file, or the folder of its files.
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    names = (file for file in files if file.is_file() and ("token" in file.name or "vocab" in file.name))
    state = tuple((file.name, status.st_size, status.st_mtime_ns) for file in names for status in [file.stat()])
    return _try_once(load, path, state)


@lru_cache(maxsize=64)
def _try_once(load: Callable[[Path], object], path: Path, state: tuple[tuple[str, int, int], ...]) -> str | None:
    size = sum(size for _, size, _ in state)
    memory, seconds = MEMORY + _MEMORY_PER_BYTE * size, _SECONDS + _SECONDS_PER_MB * (size >> 20)

    def try_it(text: str) -> None:
        load(Path(text))

    with BoundedFunction(try_it, memory=memory, seconds=seconds) as bounded:
        try:
            bounded(str(path))
        except BoundedError as error:
            return str(error) if error.over_limit else None
    return None
