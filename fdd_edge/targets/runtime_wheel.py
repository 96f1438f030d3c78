"""llama-cpp-python compiled for a profile's CPU: one wheel, for the emulated target and for the board alike."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from fdd_edge.cache import cache_dir
from fdd_edge.errors import FddError, MissingExtraError
from fdd_edge.progress import announce
from fdd_edge.targets.profile import RUNTIME, Profile, packages_for

__all__ = [
    "build_runtime",
    "built_runtime",
    "graph_words",
    "missing_compilers",
    "pip",
    "platform_words",
    "require_tools",
    "run_tool",
    "runtime_folder",
]

_PACKAGE = "llama-cpp-python"

_IMPORTED = ("numpy", "jinja2", "diskcache", "typing-extensions")
"""What the runner and llama-cpp-python import."""

_LAST_LINES = 3


def built_runtime(profile: Profile) -> Path | None:
    """Return the wheel that was compiled for a profile's CPU, or None."""
    return next(iter(sorted(runtime_folder(profile).glob("llama_cpp_python-*.whl"))), None)


def build_runtime(profile: Profile) -> Path:
    """Compile the runtime for a profile's CPU, unless it is there; return the wheel.

    Raises:
        FddError: A compiler is missing, or it failed.
    """
    if (wheel := built_runtime(profile)) is not None:
        return wheel
    require_tools(profile)
    options = [*_toolchain(profile), *profile.build]
    folder = runtime_folder(profile)
    folder.parent.mkdir(parents=True, exist_ok=True)
    announce(
        f"compiling {_PACKAGE} {RUNTIME[_PACKAGE]} for {profile.cpu or profile.architecture}: about 5 minutes, once"
    )
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as building:
        wanted = ["--no-deps", "--no-cache-dir", "--no-binary", _PACKAGE, f"{_PACKAGE}=={RUNTIME[_PACKAGE]}"]
        run_tool(
            pip("wheel", "-w", building, *wanted),
            doing=f"compiling {_PACKAGE} for {profile.name}",
            variables={"CMAKE_ARGS": " ".join(options)},
        )
        (made,) = Path(building).glob("*.whl")
        whole = Path(building) / "whole"
        whole.mkdir()
        # pip names a wheel after the machine it runs on; a board's pip would not take it.
        rename = ["tags", "--remove", "--platform-tag", f"linux_{profile.architecture}", str(made)]
        run_tool([sys.executable, "-m", "wheel", *rename], doing="naming the wheel")
        (named,) = Path(building).glob("*.whl")
        named.rename(whole / named.name)
        facts = {"package": _PACKAGE, "version": RUNTIME[_PACKAGE], "options": options, "compiler": _compiler(profile)}
        (whole / "build.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        whole.rename(folder)
    return folder / named.name


def require_tools(profile: Profile) -> None:
    """Refuse before anything long starts where a tool that compiles the runtime is missing.

    Raises:
        FddError: A compiler or the tool that names wheels is missing; says what installs it.
    """
    if built_runtime(profile) is not None:
        return
    _toolchain(profile)
    if find_spec("wheel") is None:
        raise MissingExtraError("wheel", "devices")


def run_tool(command: Sequence[str], *, doing: str, variables: dict[str, str] | None = None) -> str:
    """Run a tool to its end and return what it printed.

    Raises:
        FddError: It failed; says its last lines and where all of them are.
    """
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env=os.environ | (variables or {}), check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return done.stdout
    log = cache_dir() / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(done.stdout, encoding="utf-8")
    said = " | ".join(line.strip() for line in done.stdout.strip().splitlines()[-_LAST_LINES:])
    raise FddError(f"{Path(command[0]).name} failed while {doing}: {said} (all of it: {log})")


def platform_words(profile: Profile, python: str) -> list[str]:
    """Return pip's words for the wheels that the runtime imports, for another machine's Python."""
    return [*_platform(profile, python), *_IMPORTED]


def _platform(profile: Profile, python: str) -> list[str]:
    machine = profile.architecture
    platforms = [f"manylinux_2_28_{machine}", f"manylinux_2_27_{machine}", f"manylinux2014_{machine}"]
    words = [word for platform in platforms for word in ("--platform", platform)]
    return [*words, "--python-version", python, "--only-binary=:all:"]


def graph_words(profile: Profile, python: str) -> list[str]:
    """Return pip's words for what runs ONNX models, for another machine's Python; without what it only suggests."""
    pinned = [f"{package}=={RUNTIME[package]}" for package in packages_for("onnx")]
    return [*_platform(profile, python), "--no-deps", *pinned]


def pip(*words: str) -> list[str]:
    """Return the command that runs this environment's pip."""
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]


def runtime_folder(profile: Profile) -> Path:
    """Return where the wheel of a CPU lies: a board and its emulation share it."""
    made_by = json.dumps([RUNTIME[_PACKAGE], profile.architecture, profile.build])
    key = hashlib.sha256(made_by.encode()).hexdigest()[:12]
    return cache_dir() / "runtimes" / f"{profile.architecture}-{key}"


def _compiler(profile: Profile) -> str:
    """Return the C compiler for a profile's architecture."""
    return "cc" if profile.architecture == platform.machine() else f"{profile.architecture}-linux-gnu-gcc"


def missing_compilers(profile: Profile) -> list[str]:
    """Return the Debian packages of the compilers for a profile's architecture that are not here."""
    compiler = _compiler(profile)
    native = compiler == "cc"
    triple = f"{profile.architecture}-linux-gnu".replace("_", "-")
    packages = {
        compiler: "gcc" if native else f"gcc-{triple}",
        "c++" if native else compiler.replace("-gcc", "-g++"): "g++" if native else f"g++-{triple}",
    }
    return [package for tool, package in packages.items() if shutil.which(tool) is None]


def _toolchain(profile: Profile) -> list[str]:
    """Return the CMake options of a cross compiler, or none where this machine is of that architecture.

    Raises:
        FddError: There is no compiler.
    """
    if missing := missing_compilers(profile):
        raise FddError(
            f"There is no compiler for {profile.architecture} on this machine: apt install {' '.join(missing)}"
        )
    compiler = _compiler(profile)
    if compiler == "cc":
        return []
    return [
        "-DCMAKE_SYSTEM_NAME=Linux",
        f"-DCMAKE_SYSTEM_PROCESSOR={profile.architecture}",
        f"-DCMAKE_C_COMPILER={compiler}",
        f"-DCMAKE_CXX_COMPILER={compiler.replace('-gcc', '-g++')}",
    ]
