"""Setting a board up: the runtime of its CPU goes there and is installed in an environment of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError, TargetError
from fdd_edge.ondevice.board_store import WHEELS
from fdd_edge.ondevice.bootstrap import HOME
from fdd_edge.ondevice.device_info import missing_library
from fdd_edge.progress import announce
from fdd_edge.targets.profile import RUNTIME, Profile, packages_for
from fdd_edge.targets.runtime_wheel import (
    build_runtime,
    built_runtime,
    graph_words,
    missing_compilers,
    pip,
    platform_words,
    run_tool,
)
from fdd_edge.targets.ssh import ask_runner

__all__ = ["set_up_board"]

_PACKAGE = "llama-cpp-python"


def set_up_board(profile: Profile, *, on_board: bool = False) -> dict[str, Any]:
    """Install the runtime on a board; return what the board then says of itself.

    The wheel is the very one that the emulated target of that CPU was made with, where there is one; else it is
    compiled here, and where there is no compiler for that CPU, on the board.

    Args:
        profile: The board.
        on_board: Compile on the board in any case.

    Raises:
        TargetError: The board cannot be reached, or the installation failed there, or does not load.
        FddError: The profile is of another machine, or a compiler failed here.
    """
    device = ask_runner(profile, ["info"]).said
    if profile.architecture not in (None, device["machine"]):
        raise FddError(f"{profile.name} is for {profile.architecture}, and the board is {device['machine']}.")
    requirement = f"{_PACKAGE}=={RUNTIME[_PACKAGE]}"
    asked = ["setup", "--home", HOME, "--requirement", requirement]
    if "onnxruntime" in profile.runtimes:
        asked += [f"--beside={package}=={RUNTIME[package]}" for package in packages_for("onnx")]
    wheel = None if on_board else _wheel(profile)
    if wheel is None:
        announce(f"compiling {requirement} on {profile.name}: 10 to 40 minutes, and it needs a network there ...")
        # An option may hold an equals sign and a comma, never a blank: CMake reads them as one line.
        ask_runner(profile, [*asked, f"--build={' '.join(profile.build)}"])
    else:
        announce(f"installing {wheel.name} on {profile.name} ...")
        with tempfile.TemporaryDirectory(prefix="fdd-edge-wheels-") as folder:
            others = _fetch(profile, device["python"], Path(folder))
            ask_runner(profile, asked, files={f"{WHEELS}/{path.name}": path for path in (wheel, *others)})
    said = ask_runner(profile, ["info"]).said
    if fault := said["faults"].get(_PACKAGE):
        package = missing_library(fault)
        fix = f" On Debian: apt install {package}" if package else ""
        raise TargetError(f"{requirement} is installed on {profile.name}, but does not load there: {fault}.{fix}")
    return said


def _wheel(profile: Profile) -> Path | None:
    """Return the runtime's wheel for a profile's CPU; None where it has to be compiled on the board."""
    if (built := built_runtime(profile)) is not None:
        return built
    if profile.architecture is None or not profile.build or missing_compilers(profile):
        return None
    return build_runtime(profile)


def _fetch(profile: Profile, python: str, folder: Path) -> list[Path]:
    """Fetch the wheels that the runtime imports, for the board's Python."""
    words = platform_words(profile, ".".join(python.split(".")[:2]))
    run_tool(pip("download", "-q", "-d", str(folder), *words), doing="fetching the packages of the runtime")
    if "onnxruntime" in profile.runtimes:
        words = graph_words(profile, ".".join(python.split(".")[:2]))
        run_tool(pip("download", "-q", "-d", str(folder), *words), doing="fetching ONNX Runtime")
    return sorted(folder.glob("*.whl"))
