"""Keeps a model from taking more memory than the machine has: a graph may ask for terabytes, at any of its steps."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

__all__ = ["limit_memory"]


def limit_memory() -> None:
    """Let this process allocate what is available now, and no more.

    A runtime then says that it got no memory, where the machine would first swap for minutes and then kill something.
    A file that is mapped, as llama.cpp maps its weights, does not count. Only Linux says what is available.
    """
    with suppress(OSError, ValueError, KeyError, IndexError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        allocated = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * resource.getpagesize()
        wanted = allocated + (kilobytes["MemAvailable"] + kilobytes["SwapFree"]) * 1024
        least, most = resource.getrlimit(resource.RLIMIT_DATA)
        if least == resource.RLIM_INFINITY or wanted < least:
            resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))
