"""Set up a board: send the runtime for its CPU there, and install it in a virtual environment."""

from __future__ import annotations

from pathlib import Path

from fdd_edge.errors import FddError, TargetError
from fdd_edge.ondevice.board_store import WHEELS
from fdd_edge.ondevice.bootstrap import HOME
from fdd_edge.ondevice.device_info import DeviceInfo, missing_library
from fdd_edge.ondevice.runtime_versions import RUNTIME_VERSIONS
from fdd_edge.progress import announce
from fdd_edge.runs.marked_folder import temporary_folder
from fdd_edge.targets.profile import Profile
from fdd_edge.targets.runtime_wheel import (
    TEXT_ONLY,
    build_runtime,
    built_runtime,
    dependency_arguments,
    missing_compilers,
    other_requirements,
    other_runtimes,
    other_wheel_arguments,
    pip,
    run_tool,
)
from fdd_edge.targets.ssh import SETUP_SECONDS, ask_runner, describe_board

__all__ = ["set_up_board"]

_PACKAGE = "llama-cpp-python"


def set_up_board(profile: Profile, *, on_board: bool = False) -> DeviceInfo:
    """Install the runtime on a board; return the board's description afterwards.

    The wheel is the one that the emulated target of the same CPU uses, if it has been built. Otherwise it is compiled
    on this machine, or on the board if there is no compiler for its CPU here.

    Args:
        profile: The board.
        on_board: Always compile on the board.

    Raises:
        TargetError: The board cannot be reached, the installation failed there, or the runtime does not load.
        FddError: The profile is for another architecture, or a compiler failed on this machine.
    """
    _, device = describe_board(profile)
    if profile.architecture not in (None, device.machine):
        raise FddError(f"{profile.name} is a profile for {profile.architecture}, but the board is {device.machine}.")
    requirement = f"{_PACKAGE}=={RUNTIME_VERSIONS[_PACKAGE]}"
    arguments = ["setup", "--home", HOME, "--requirement", requirement]
    arguments += [f"--also={other}" for other in other_requirements(profile)]
    wheel = None if on_board else _wheel(profile)
    if wheel is None:
        announce(f"compiling {requirement} on {profile.name}: takes 10 to 40 minutes and needs a network there ...")
        # CMAKE_ARGS is split at spaces, so no option may contain one.
        options = " ".join((*profile.build, TEXT_ONLY))
        ask_runner(profile, [*arguments, f"--cmake-args={options}"], seconds=SETUP_SECONDS)
    else:
        announce(f"installing {wheel.name} on {profile.name} ...")
        with temporary_folder("wheels") as folder:
            others = _download(profile, device.python, folder)
            files = {f"{WHEELS}/{path.name}": path for path in (wheel, *others)}
            ask_runner(profile, arguments, files=files, seconds=SETUP_SECONDS)
    _, device = describe_board(profile)
    if error := device.load_errors.get(_PACKAGE):
        package = missing_library(error)
        fix = f" On Debian, run there: apt install {package}" if package else ""
        raise TargetError(f"{requirement} is installed on {profile.name}, but does not load there: {error}.{fix}")
    return device


def _wheel(profile: Profile) -> Path | None:
    """Return the runtime's wheel for a profile's CPU, or None if it must be compiled on the board."""
    if (built := built_runtime(profile)) is not None:
        return built
    if profile.architecture is None or not profile.build or missing_compilers(profile):
        return None
    return build_runtime(profile)


def _download(profile: Profile, python: str, folder: Path) -> list[Path]:
    """Download the wheels that the runtime depends on, for the board's Python."""
    arguments = dependency_arguments(profile, ".".join(python.split(".")[:2]))
    run_tool(
        pip("download", "-q", "-d", str(folder), *arguments), doing="downloading the packages that the runtime needs"
    )
    if others := other_runtimes(profile):
        arguments = other_wheel_arguments(profile, ".".join(python.split(".")[:2]))
        run_tool(pip("download", "-q", "-d", str(folder), *arguments), doing=f"downloading {' and '.join(others)}")
    return sorted(folder.glob("*.whl"))
