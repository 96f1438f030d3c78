"""Describe a device: its CPU, its instruction sets, its cores and the runtimes installed on it."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import platform
import re
import resource
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata, util
from pathlib import Path
from typing import Any, Self

from .families import runtime_modules
from .field_types import bounds, misfit

__all__ = [
    "ARM_CORES",
    "DeviceInfo",
    "board_model",
    "cpu_features",
    "cpu_model",
    "describe_device",
    "is_emulated",
    "logical_cpus",
    "missing_library",
    "peak_rss_bytes",
    "physical_cores",
    "runtimes",
]

# Of the hundred flags of an x86 CPU, those that decide which kernel is chosen. ARM lists few, so all are kept.
_X86_KERNEL_FLAGS = re.compile(r"^(sse4|ssse3|avx|f16c|fma|bmi2|amx)")

# Linux, arch/arm64/include/uapi/asm/hwcap.h and include/uapi/linux/auxvec.h.
_AT_HWCAP, _AT_HWCAP2 = 16, 26
_HWCAP = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 "
    "sm4 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg"
)
_HWCAP2 = {1: "sve2", 9: "svei8mm", 12: "svebf16", 13: "i8mm", 14: "bf16"}


def peak_rss_bytes() -> int:
    """Return the peak memory of this process, in bytes."""
    status = _read("/proc/self/status")
    if found := re.search(r"^VmHWM:\s+(\d+) kB", status, re.M):
        # Preferred over ru_maxrss, which is inherited: a child would report its parent's size.
        return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def cpu_model() -> str:
    """Return the CPU's name; on ARM, where the kernel gives only numbers, the names and revisions of its cores."""
    if is_emulated():
        return f"{os.environ.get('QEMU_CPU', 'any')} in QEMU"
    info = _read("/proc/cpuinfo")
    if found := re.search(r"^model name\s*:\s*(.+)$", info, re.M):
        return found[1].strip()
    cores = dict.fromkeys(map(_arm_core, info.split("\n\n")))
    return " and ".join(core for core in cores if core) or platform.processor() or platform.machine()


def _arm_core(processor: str) -> str | None:
    """Return the name of a core from the numbers in its section of /proc/cpuinfo."""
    numbers = dict(re.findall(r"^(CPU \w+)\s*:\s*(\S+)", processor, re.M))
    if "CPU part" not in numbers:
        return None
    maker, part = numbers.get("CPU implementer", "?"), numbers["CPU part"]
    name = ARM_CORES.get(part) if maker == "0x41" else None
    return (
        f"{name or f'{maker} part {part}'} r{numbers.get('CPU variant', '0x?')[2:]}p{numbers.get('CPU revision', '?')}"
    )


# Linux, arch/arm64/include/asm/cputype.h, for implementer 0x41 (Arm).
ARM_CORES = {
    "0xd03": "Cortex-A53",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd0d": "Cortex-A77",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
    "0xd44": "Cortex-X1",
    "0xd46": "Cortex-A510",
    "0xd47": "Cortex-A710",
    "0xd49": "Neoverse-N2",
    "0xd4f": "Neoverse-V2",
}


def board_model() -> str | None:
    """Return the board's name from its device tree, or None."""
    return None if is_emulated() else _read("/proc/device-tree/model").strip("\0\n ") or None


def cpu_features() -> tuple[str, ...]:
    """Return the instruction sets that a runtime may choose its kernels by, sorted."""
    if is_emulated():
        return _arm_features() if platform.machine() == "aarch64" else ()
    found = re.search(r"^(flags|Features)\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.M)
    if found is None:
        return ()
    keep_all = found[1] == "Features"
    return tuple(sorted(flag for flag in found[2].split() if keep_all or _X86_KERNEL_FLAGS.match(flag)))


def is_emulated() -> bool:
    """Return whether this process runs on an emulated CPU.

    The host sets ``QEMU_CPU`` when it starts an emulator. Otherwise, old versions of QEMU are recognised by showing
    the /proc/cpuinfo of the machine.
    """
    if "QEMU_CPU" in os.environ:
        return True
    info = _read("/proc/cpuinfo")
    is_x86, is_arm = re.search(r"^flags\s*:", info, re.M), re.search(r"^CPU part\s*:", info, re.M)
    return bool((is_x86 and platform.machine() == "aarch64") or (is_arm and platform.machine() == "x86_64"))


def _arm_features() -> tuple[str, ...]:
    """Return the features that the (emulated) kernel reports to a process on ARM, named as in /proc/cpuinfo."""
    getauxval = ctypes.CDLL(None).getauxval
    getauxval.restype, getauxval.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
    low, high = getauxval(_AT_HWCAP), getauxval(_AT_HWCAP2)
    names = [name for bit, name in enumerate(_HWCAP.split()) if low >> bit & 1]
    return tuple(sorted([*names, *(name for bit, name in _HWCAP2.items() if high >> bit & 1)]))


def logical_cpus() -> int:
    """Return the number of logical CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def physical_cores() -> int:
    """Return the number of cores that this process may use; hyper-threads of one core count once."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    topology = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    cpus = os.sched_getaffinity(0)
    cores = {_read(topology.format(cpu)).strip() or str(cpu) for cpu in cpus}
    return max(1, len(cores))


def runtimes() -> dict[str, str | None]:
    """Return the version of each runtime's packages and of numpy, or None if one is not installed."""
    return {name: _version(name, module) for name, module in _PACKAGES.items()}


@dataclass(frozen=True)
class DeviceInfo:
    """A device and what is installed on it; the object that the runner's ``info`` command prints.

    Attributes:
        python: Version of Python.
        machine: Architecture, as the kernel names it.
        system: Operating system and its version.
        board: Name of the board; None if it has none.
        cpu: Name of the CPU.
        cpu_features: Its instruction sets, sorted.
        cores: Number of cores that a process may use.
        runtimes: Version of each package; None if it is not installed.
        load_errors: Why installed packages do not load.
    """

    python: str
    machine: str
    system: str
    board: str | None
    cpu: str
    cpu_features: tuple[str, ...]
    cores: int = field(metadata=bounds(ge=0, le=2**20))
    runtimes: Mapping[str, str | None]
    load_errors: Mapping[str, str]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Build a description from its JSON object.

        Raises:
            ValueError: A field is missing, unknown, or has the wrong type.
        """
        try:
            info = cls(**{**row, "cpu_features": tuple(row["cpu_features"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"it lacks a field or has one too many ({error})") from None
        if (wrong := misfit(info)) is not None:
            raise ValueError(f"its field {wrong.name!r} {wrong.fault}")
        return info


def describe_device() -> DeviceInfo:
    """Return the description of this device."""
    return DeviceInfo(
        python=platform.python_version(),
        machine=platform.machine(),
        system=platform.platform(),
        board=board_model(),
        cpu=cpu_model(),
        cpu_features=cpu_features(),
        cores=physical_cores(),
        runtimes=runtimes(),
        load_errors=load_errors(),
    )


def load_errors() -> dict[str, str]:
    """Return why installed packages do not load, by package; those that load are left out."""
    installed = (name for name, version in runtimes().items() if version is not None)
    reasons = {name: _load_error(_PACKAGES[name]) for name in installed}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _load_error(module: str) -> str | None:
    """Return why a module does not load, or None if it does.

    A forked process loads it, because a module that was compiled for another CPU kills the process. (Starting a new
    Python is not always possible: an emulator only runs the process that it was started with.)
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException), os.fdopen(writing, "w", encoding="utf-8") as pipe:
            try:
                importlib.import_module(module)
            except Exception as error:  # any error of the import is the reason
                pipe.write(str(error).rstrip("."))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        reason = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f"importing it ends with {signal.Signals(os.WTERMSIG(status)).name}: it was compiled for another CPU"
    return reason or None


def missing_library(reason: str) -> str | None:
    """Return the Debian package of the shared library that an import error says is missing, or None."""
    return next((package for library, package in _DEBIAN_PACKAGES.items() if library in reason), None)


_DEBIAN_PACKAGES = {"libgomp.so.1": "libgomp1", "libstdc++.so.6": "libstdc++6"}
"""Shared libraries that llama.cpp links to and that a minimal system may lack."""

_PACKAGES = {**runtime_modules(), "numpy": "numpy"}
"""The packages that a description names -> the module that each is imported as."""


def _version(package: str, module: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        # Modules that were unpacked into a folder work without metadata.
        return "unknown" if util.find_spec(module) else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
