"""What a device is, and what a run costs it."""

from __future__ import annotations

import os
import platform
import re
import resource
import sys
from importlib import metadata, util
from pathlib import Path
from typing import Any

__all__ = ["cpu_features", "cpu_model", "describe_device", "peak_rss_bytes", "physical_cores", "runtimes"]

# Of the hundred flags of an x86 CPU, those that choose a kernel. ARM lists few, so all are kept there.
_X86_KERNEL_FLAGS = re.compile(r"^(sse4|ssse3|avx|f16c|fma|bmi2|amx)")


def peak_rss_bytes() -> int:
    """Return the most memory this process has held, in bytes."""
    status = _read("/proc/self/status")
    if found := re.search(r"^VmHWM:\s+(\d+) kB", status, re.M):
        # Preferred because ru_maxrss is inherited: a child would report its parent's size.
        return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def cpu_model() -> str:
    """Return the CPU's name; on an ARM board, that of the board, because the kernel names no CPU there."""
    info = _read("/proc/cpuinfo")
    if found := re.search(r"^model name\s*:\s*(.+)$", info, re.M):
        return found[1].strip()
    if board := _read("/proc/device-tree/model").strip("\0\n "):
        return board
    part = re.search(r"^CPU part\s*:\s*(\S+)", info, re.M)
    return f"{platform.machine()} part {part[1]}" if part else platform.processor() or platform.machine()


def cpu_features() -> tuple[str, ...]:
    """Return the instruction sets that a runtime may choose a kernel by, sorted."""
    found = re.search(r"^(flags|Features)\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.M)
    if found is None:
        return ()
    keep_all = found[1] == "Features"
    return tuple(sorted(flag for flag in found[2].split() if keep_all or _X86_KERNEL_FLAGS.match(flag)))


def physical_cores() -> int:
    """Return how many cores this process may use; hyper-threads of one core count once."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    topology = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    cpus = os.sched_getaffinity(0)
    cores = {_read(topology.format(cpu)).strip() or str(cpu) for cpu in cpus}
    return max(1, len(cores))


def runtimes() -> dict[str, str | None]:
    """Return the version of each runtime and of numpy; None for what is not installed."""
    return {name: _version(name, module) for name, module in _PACKAGES.items()}


def describe_device() -> dict[str, Any]:
    """Return what ``info`` prints."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "cpu": cpu_model(),
        "cpu_features": cpu_features(),
        "cores": physical_cores(),
        "runtimes": runtimes(),
    }


_PACKAGES = {"llama-cpp-python": "llama_cpp", "numpy": "numpy"}


def _version(package: str, module: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        # A folder of unpacked modules has no metadata, but it runs.
        return "unknown" if util.find_spec(module) else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
