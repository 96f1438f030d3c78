"""The packages of the runtimes for a profile's CPU.

llama-cpp-python is compiled: one wheel, used by the emulated target and by the board. All other runtimes are installed
from their own wheels, which choose their kernels when they run.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from fdd_edge.cache import cache_dir, cache_folder
from fdd_edge.errors import FddError, MissingExtraError
from fdd_edge.ondevice.families import RUNTIMES
from fdd_edge.ondevice.runtime_versions import RUNTIME_VERSIONS
from fdd_edge.progress import announce, working
from fdd_edge.runs.atomic import build_once, delete, scratch_folder, write_shared
from fdd_edge.targets.profile import Profile
from fdd_edge.targets.runner_session import owned
from fdd_edge.targets.trusted_cache import require_trusted

__all__ = [
    "TEXT_ONLY",
    "build_runtime",
    "built_runtime",
    "dependency_arguments",
    "find_runtime",
    "missing_compilers",
    "other_requirements",
    "other_runtimes",
    "other_wheel_arguments",
    "pip",
    "require_tools",
    "run_tool",
    "runtime_folder",
]

_PACKAGE = "llama-cpp-python"

_DEPENDENCIES = ("numpy", "jinja2", "diskcache", "typing-extensions")
"""Packages that the runner and llama-cpp-python import."""

_REQUIREMENT = f"{_PACKAGE}=={RUNTIME_VERSIONS[_PACKAGE]}"
TEXT_ONLY = "-DLLAVA_BUILD=OFF"
"""CMake option that leaves out models of images."""

_LLAMA_ONLY = (
    TEXT_ONLY,
    f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={Path(__file__).with_name('llama_only.cmake')}",
)
"""The same, and what llama.cpp's own programs share; needs a file that only this machine has."""

_LAST_LINES = 3
_FACTS = "build.json"


def built_runtime(profile: Profile) -> Path | None:
    """Return the wheel that was compiled for a profile's CPU, or None if there is none.

    Raises:
        FddError: Somebody else could have put it there.
    """
    wheel = find_runtime(profile)
    if wheel is not None:
        require_trusted(wheel)
    return wheel


def find_runtime(profile: Profile) -> Path | None:
    """Return the wheel that is in the cache for a profile's CPU, whoever made it."""
    return next(iter(sorted(runtime_folder(profile).glob("llama_cpp_python-*.whl"))), None)


def build_runtime(profile: Profile) -> Path:
    """Return the runtime's wheel for a profile's CPU, compiling it if there is none.

    Raises:
        FddError: A compiler is missing, or the compilation failed.
    """
    if (wheel := built_runtime(profile)) is not None:
        return wheel
    require_tools(profile)
    folder = runtime_folder(profile)
    announce(
        f"compiling {_PACKAGE} {RUNTIME_VERSIONS[_PACKAGE]} for {profile.cpu or profile.architecture}: takes 2 to 3 "
        "minutes, once ..."
    )
    _delete_without_wheel(folder)
    build_once(folder, partial(_compile, profile))
    wheel = built_runtime(profile)
    assert wheel is not None
    return wheel


def _delete_without_wheel(folder: Path) -> None:
    """Delete what an earlier version left, which made no wheel.

    Raises:
        FddError: The folder is not of this tool.
    """
    if (
        os.path.lexists(folder)
        and not (folder / _FACTS).is_file()
        and not (folder.is_dir() and not any(folder.iterdir()))
    ):
        raise FddError(f"{folder} is in the way, and fdd-edge did not make it; move it elsewhere.")
    delete(folder)


def _compile(profile: Profile, out: Path) -> None:
    """Compile the wheel into a folder, with a note of how it was built."""
    options = [*_toolchain(profile), *profile.build, *_LLAMA_ONLY]
    with scratch_folder(out) as building:
        run_tool(
            pip("wheel", "-w", str(building), "--no-deps", "--no-cache-dir", "--no-binary", _PACKAGE, _REQUIREMENT),
            doing=f"compiling {_PACKAGE} for {profile.name}",
            variables={"CMAKE_ARGS": shlex.join(options)},
        )
        (built,) = building.glob("*.whl")
        # pip names the wheel after this machine's platform, which the board's pip would not accept.
        rename = ["tags", "--remove", "--platform-tag", f"linux_{profile.architecture}", str(built)]
        run_tool([sys.executable, "-m", "wheel", *rename], doing="renaming the wheel")
        (named,) = building.glob("*.whl")
        shutil.copy2(named, out / named.name)
    facts = {
        "package": _PACKAGE,
        "version": RUNTIME_VERSIONS[_PACKAGE],
        "options": options,
        "compiler": _compiler(profile),
    }
    (out / _FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def require_tools(profile: Profile) -> None:
    """Check that the tools that compile the runtime are installed, before anything slow starts.

    Raises:
        FddError: A compiler or the ``wheel`` package is missing; says how to install it.
    """
    if built_runtime(profile) is not None:
        return
    _toolchain(profile)
    if find_spec("wheel") is None:
        raise MissingExtraError("wheel", "devices")


def run_tool(
    command: Sequence[str],
    *,
    doing: str,
    variables: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a tool and return its output.

    Args:
        command: The tool and its arguments.
        doing: What it does, for messages.
        variables: Added to its environment.
        environment: Its environment; default: this process's, because pip, apt and compilers need the user's.

    Raises:
        FddError: It failed; the message quotes its last lines and names the log file.
    """
    env = dict(os.environ if environment is None else environment) | dict(variables or {})

    # In its own session: whatever it started, such as compilers, ends with it.
    def start() -> subprocess.Popen[bytes]:
        pipe, same = subprocess.PIPE, subprocess.STDOUT
        return subprocess.Popen(command, stdout=pipe, stderr=same, env=env, start_new_session=True)

    with working(doing), owned(start) as tool:
        output = tool.communicate()[0].decode(errors="replace")
    if tool.returncode == 0:
        return output
    last = " | ".join(line.strip() for line in output.strip().splitlines()[-_LAST_LINES:])
    log, kept = cache_dir() / "log.txt", ""
    with suppress(OSError):  # the cache may be somebody else's
        write_shared(log, output.encode())
        kept = f" (full output: {log})"
    raise FddError(f"{Path(command[0]).name} failed while {doing}: {last}{kept}")


def dependency_arguments(profile: Profile, python: str) -> list[str]:
    """Return pip's arguments for the wheels that the runtime imports, for the target's Python."""
    return [*_platform(profile, python), *_DEPENDENCIES]


def _platform(profile: Profile, python: str) -> list[str]:
    machine = profile.architecture
    platforms = [f"manylinux_2_28_{machine}", f"manylinux_2_27_{machine}", f"manylinux2014_{machine}"]
    arguments = [argument for platform in platforms for argument in ("--platform", platform)]
    return [*arguments, "--python-version", python, "--only-binary=:all:"]


def other_runtimes(profile: Profile) -> list[str]:
    """Return the runtimes of a profile that are installed from their own wheels."""
    return [runtime for runtime in profile.runtimes if runtime != _PACKAGE]


def other_requirements(profile: Profile) -> list[str]:
    """Return the packages of ``other_runtimes``, with their versions."""
    packages = dict.fromkeys(package for name in other_runtimes(profile) for package in RUNTIMES[name].packages)
    return [f"{package}=={RUNTIME_VERSIONS[package]}" for package in packages]


def other_wheel_arguments(profile: Profile, python: str) -> list[str]:
    """Return pip's arguments for ``other_requirements``, for the target's Python, without dependencies."""
    return [*_platform(profile, python), "--no-deps", *other_requirements(profile)]


def pip(*arguments: str) -> list[str]:
    """Return the command that runs this environment's pip with some arguments."""
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]


def runtime_folder(profile: Profile) -> Path:
    """Return the folder of the wheel for a profile's CPU; a board and its emulated target share it."""
    built_from = json.dumps([RUNTIME_VERSIONS[_PACKAGE], profile.architecture, profile.build])
    key = hashlib.sha256(built_from.encode()).hexdigest()[:12]
    return cache_folder("runtimes") / f"{profile.architecture}-{key}"


def _compiler(profile: Profile) -> str:
    """Return the C compiler for a profile's architecture."""
    return "cc" if profile.architecture == platform.machine() else f"{profile.architecture}-linux-gnu-gcc"


def missing_compilers(profile: Profile) -> list[str]:
    """Return the Debian packages of the compilers for a profile's architecture that are not installed."""
    compiler = _compiler(profile)
    native = compiler == "cc"
    triple = f"{profile.architecture}-linux-gnu".replace("_", "-")
    packages = {
        compiler: "gcc" if native else f"gcc-{triple}",
        "c++" if native else compiler.replace("-gcc", "-g++"): "g++" if native else f"g++-{triple}",
    }
    return [package for tool, package in packages.items() if shutil.which(tool) is None]


def _toolchain(profile: Profile) -> list[str]:
    """Return the CMake options of a cross compiler; none if this machine has the profile's architecture.

    Raises:
        FddError: The compiler is missing.
    """
    if missing := missing_compilers(profile):
        raise FddError(
            f"There is no compiler for {profile.architecture} on this machine. On Debian: apt install "
            f"{' '.join(missing)}"
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
