"""Check a target: what works, what is missing, and the command that fixes it."""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from fdd_edge.errors import FddError, TargetError
from fdd_edge.ondevice import device_info
from fdd_edge.ondevice.device_info import DeviceInfo
from fdd_edge.ondevice.families import RUNTIMES
from fdd_edge.ondevice.runtime_versions import RUNTIME_VERSIONS
from fdd_edge.progress import warn
from fdd_edge.result_base import Result
from fdd_edge.targets.emulated import n_processes
from fdd_edge.targets.profile import Profile, load_profile, packages_for
from fdd_edge.targets.runtime_wheel import missing_compilers
from fdd_edge.targets.ssh import describe_board
from fdd_edge.targets.sysroot import emulator, find_sysroot

__all__ = ["Check", "check_target", "require_ready"]


@dataclass(frozen=True)
class Check(Result):
    """The result of one check: what was found, and how to fix it if something is wrong."""

    what: str
    found: str
    fix: str | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing has to be fixed."""
        return self.fix is None


_FIRST_STEP = {"ssh": "connection", "emulated": "emulator"}
"""What a target needs first, by transport; most errors that end a check come from it."""


def check_target(profile: Profile) -> Iterator[Check]:
    """Check a target, in the order in which a session needs things; what a failed check depends on is skipped."""
    yield Check(profile.name, profile.description)
    check = {"local": _local, "ssh": _board, "emulated": _emulated, "pool": _boards}[profile.transport]
    try:
        yield from check(profile)
    except FddError as error:
        # The message says what is wrong and how to fix it.
        yield Check(_FIRST_STEP.get(profile.transport, "target"), "failed", str(error))


def require_ready(profile: Profile, families: Collection[str]) -> None:
    """Check a target before hours of work that would fail on it.

    Args:
        profile: The target.
        families: Families of the models that will run there: ``gguf``, ``onnx``.

    Raises:
        TargetError: It cannot be reached, has not been created, or lacks a runtime or has another version of it.
    """
    if profile.transport == "local":
        # What is installed is not asked: that loads every runtime, and a run whose work is done needs none.
        if mismatch := profile.mismatch(platform.machine(), device_info.cpu_features()):
            raise TargetError(f"{profile.name} {mismatch}")
        return
    if profile.pool:
        _require_any(profile, families)
        return
    needed = [package for family in families for package in packages_for(family)]
    if unsupported := [family for family in families if packages_for(family)[0] not in profile.runtimes]:
        raise TargetError(
            f"{profile.name} cannot run {unsupported[0].upper()} models: its runtimes are "
            f"{', '.join(profile.runtimes)}. Choose another target, or add {packages_for(unsupported[0])[0]} to "
            f"runtimes in {profile.argument}."
        )
    for check in check_target(profile):
        if check.fix is not None and check.what in ("connection", "emulator", "cpu", "features", "sysroot", *needed):
            raise TargetError(f"{profile.name} is not ready ({check.what}: {check.found}): {check.fix}")


def _require_any(pool: Profile, families: Collection[str]) -> None:
    """Check that at least one board of a pool is ready; warn about the others."""
    errors = []
    for board in pool.pool:
        try:
            require_ready(load_profile(board), families)
        except TargetError as error:
            errors.append(str(error))
    if len(errors) == len(pool.pool):
        raise TargetError(" ".join(errors))
    for message in errors:
        warn(message)


def _boards(profile: Profile) -> Iterator[Check]:
    for board in profile.pool:
        yield from check_target(load_profile(board))


def _local(profile: Profile) -> Iterator[Check]:
    yield from _device(profile, device_info.describe_device())


def _board(profile: Profile) -> Iterator[Check]:
    answer, device = describe_board(profile)
    yield Check("connection", f"{answer.name}, folder {answer.facts.home}")
    free = answer.facts.free
    fix = None if free > 1e9 else f"free some space there, or run: fdd-edge targets clean {profile.argument}"
    yield Check("disk", f"{free / 1e9:.1f} GB free", fix)
    yield from _device(profile, device)


def _emulated(profile: Profile) -> Iterator[Check]:
    yield Check("emulator", emulator(profile))
    create = f"fdd-edge targets create {profile.argument}"
    sysroot = find_sysroot(profile)
    if sysroot is None:
        missing = missing_compilers(profile)
        fix = f"apt install {' '.join(missing)}" if missing else None
        yield Check("compiler", "missing" if missing else "installed", fix)
        yield Check("sysroot", "not created", create)
        return
    yield Check("sysroot", str(sysroot.folder))
    threads = profile.threads or 1
    yield Check("processes", f"{n_processes(profile)}, {threads} thread{'s' if threads > 1 else ''} each")
    yield from _device(profile, sysroot.describe(profile))


def _device(profile: Profile, device: DeviceInfo) -> Iterator[Check]:
    """Compare a device's description with its profile."""
    fits = profile.architecture in (None, device.machine)
    fix = None if fits else f"{profile.name} is a profile for {profile.architecture}: use another one"
    if device.board is not None:
        yield Check("board", device.board)
    yield Check("cpu", f"{device.cpu}, {device.machine}, {device.cores} cores", fix)
    missing = profile.missing_features(device.cpu_features)
    if profile.features:
        fix = f"use a profile that fits, or correct features in {profile.argument}" if missing else None
        yield Check("features", f"lacks {' '.join(missing)}" if missing else " ".join(profile.features), fix)
    yield Check("python", device.python)
    extras = {package: RUNTIMES[name].extra for name in profile.runtimes for package in RUNTIMES[name].packages}
    for package, extra in extras.items():
        version = device.runtimes.get(package)
        fits = bool(version) if profile.transport == "local" else version == RUNTIME_VERSIONS[package]
        error = device.load_errors.get(package, "")
        found = version or "not installed"
        if error:
            found = f"{version} does not load: {error}"
        elif version and not fits:
            found = f"{version}, but this version of fdd-edge needs {RUNTIME_VERSIONS[package]}"
        fix = None if fits and not error else _fix(profile, extra)
        if library := device_info.missing_library(error):
            fix = f"apt install {library}" + (" (on the board)" if profile.transport == "ssh" else "")
        yield Check(package, found, fix)


def _fix(profile: Profile, extra: str) -> str:
    """Return the command that installs a runtime on a target; ``extra`` is fdd-edge's extra for it."""
    if profile.transport == "local":
        return f"pip install 'fdd-edge[{extra}]'"
    if profile.transport == "ssh":
        return f"fdd-edge targets setup {profile.argument}"
    return f"fdd-edge targets clean {profile.argument} && fdd-edge targets create {profile.argument}"
