"""What works on a target, what is missing, and the line that mends it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from fdd_edge.errors import FddError, TargetError
from fdd_edge.ondevice import device_info
from fdd_edge.progress import announce
from fdd_edge.targets.emulated import processes
from fdd_edge.targets.profile import RUNTIME, Profile, load_profile, packages_for
from fdd_edge.targets.runtime_wheel import missing_compilers
from fdd_edge.targets.ssh import ask_runner
from fdd_edge.targets.sysroot import emulator, find_sysroot

__all__ = ["Check", "check_target", "require_ready"]


class Check(NamedTuple):
    """One thing that was looked at: what was found, and the line that mends it where something is missing."""

    what: str
    found: str
    fix: str | None = None


def check_target(profile: Profile) -> Iterator[Check]:
    """Look at a target, in the order in which a session needs things; what is hidden by a fault is not looked at."""
    yield Check(profile.name, profile.description)
    look = {"local": _local, "ssh": _board, "emulated": _emulated, "pool": _boards}[profile.transport]
    try:
        yield from look(profile)
    except FddError as error:
        # The sentence says what is wrong and what mends it.
        yield Check("reached", "no", str(error))


def require_ready(profile: Profile, families: Collection[str]) -> None:
    """Refuse a target before hours of work end at it.

    Args:
        profile: The target.
        families: Of the models that will be run there: ``gguf``, ``onnx``.

    Raises:
        TargetError: It cannot be reached, it was not made, or a runtime that is needed is missing or another.
    """
    if profile.transport == "local":
        device = device_info.describe_device()
        if mismatch := profile.mismatch(device["machine"], device["cpu_features"]):
            raise TargetError(f"{profile.name} {mismatch}.")
        return
    if profile.pool:
        _require_one(profile, families)
        return
    needed = [package for family in families for package in packages_for(family)]
    if lacking := [family for family in families if packages_for(family)[0] not in profile.runtimes]:
        raise TargetError(
            f"{profile.name} runs no {lacking[0].upper()}: its runtimes are {', '.join(profile.runtimes)}; name "
            f"another target, or add {packages_for(lacking[0])[0]} to runtimes in {profile.argument}."
        )
    for check in check_target(profile):
        if check.fix is not None and check.what in ("reached", "cpu", "features", "root folder", *needed):
            raise TargetError(f"{profile.name} is not ready ({check.what}: {check.found}): {check.fix}")


def _require_one(pool: Profile, families: Collection[str]) -> None:
    """Refuse a pool of which no board is ready; the others' faults are said."""
    faults = []
    for board in pool.pool:
        try:
            require_ready(load_profile(board), families)
        except TargetError as error:
            faults.append(str(error))
    if len(faults) == len(pool.pool):
        raise TargetError(" ".join(faults))
    for fault in faults:
        announce(fault)


def _boards(profile: Profile) -> Iterator[Check]:
    for board in profile.pool:
        yield from check_target(load_profile(board))


def _local(profile: Profile) -> Iterator[Check]:
    yield from _device(profile, device_info.describe_device())


def _board(profile: Profile) -> Iterator[Check]:
    answer = ask_runner(profile, ["info"])
    yield Check("reached", f"{answer.name}, folder {answer.facts['home']}")
    free = answer.facts["free"]
    fix = None if free > 1e9 else f"make room there, or run: fdd-edge targets clean {profile.argument}"
    yield Check("disk", f"{free / 1e9:.1f} GB free", fix)
    yield from _device(profile, answer.said)


def _emulated(profile: Profile) -> Iterator[Check]:
    yield Check("emulator", emulator(profile))
    create = f"fdd-edge targets create {profile.argument}"
    root = find_sysroot(profile)
    if root is None:
        missing = missing_compilers(profile)
        fix = f"apt install {' '.join(missing)}" if missing else None
        yield Check("compiler", "missing" if missing else "there", fix)
        yield Check("root folder", "not made", create)
        return
    yield Check("root folder", str(root.folder))
    threads = profile.threads or 1
    yield Check("processes", f"{processes(profile)}, {threads} thread{'s' if threads > 1 else ''} each")
    yield from _device(profile, root.ask(profile))


def _device(profile: Profile, device: dict[str, Any]) -> Iterator[Check]:
    """Compare what a device says of itself with its profile."""
    fits = profile.architecture in (None, device["machine"])
    fix = None if fits else f"{profile.name} is for {profile.architecture}: name another profile"
    if device["board"] is not None:
        yield Check("board", device["board"])
    yield Check("cpu", f"{device['cpu']}, {device['machine']}, {device['cores']} cores", fix)
    lacking = profile.lacking(device["cpu_features"])
    if profile.features:
        fix = f"name a profile that fits, or fix features in {profile.argument}" if lacking else None
        yield Check("features", f"lacks {' '.join(lacking)}" if lacking else " ".join(profile.features), fix)
    yield Check("python", device["python"])
    for runtime in [p for name in profile.runtimes for p in (name, *_BESIDE.get(name, ()))]:
        version = device["runtimes"].get(runtime)
        fits = bool(version) if profile.transport == "local" else version == RUNTIME[runtime]
        fault = device["faults"].get(runtime, "")
        found = f"{version} does not load: {fault}" if fault else version or "not installed"
        fix = None if fits and not fault else _fix(profile, runtime)
        if package := device_info.missing_library(fault):
            fix = f"apt install {package}" + (" (on the board)" if profile.transport == "ssh" else "")
        yield Check(runtime, found, fix)


def _fix(profile: Profile, runtime: str) -> str:
    """Return what installs a runtime on a target."""
    if profile.transport == "local":
        return f"pip install 'fdd-edge[{'gguf' if runtime == 'llama-cpp-python' else 'onnx'}]'"
    if profile.transport == "ssh":
        return f"fdd-edge targets setup {profile.argument}"
    return f"fdd-edge targets clean {profile.argument} && fdd-edge targets create {profile.argument}"


_BESIDE = {"onnxruntime": packages_for("onnx")[1:]}
"""What a runtime needs beside it."""
