"""The sysroot of an emulated target: Python from Debian's packages, and the runtimes compiled for its CPU.

Packages are downloaded by apt with a separate state, so that this machine's is not touched, and unpacked without
running any of their scripts: no root, no mount, no chroot.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fdd_edge.cache import cache_folder
from fdd_edge.errors import FddError
from fdd_edge.ondevice.device_info import ARM_CORES, DeviceInfo
from fdd_edge.ondevice.families import RUNTIMES
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.runtime_versions import RUNTIME_VERSIONS
from fdd_edge.progress import announce
from fdd_edge.runs.atomic import build_once
from fdd_edge.runs.marked_folder import temporary_folder
from fdd_edge.targets.local import clean_environment
from fdd_edge.targets.profile import Profile
from fdd_edge.targets.runner_archive import runner_archive
from fdd_edge.targets.runtime_wheel import (
    build_runtime,
    dependency_arguments,
    find_runtime,
    other_runtimes,
    other_wheel_arguments,
    pip,
    require_tools,
    run_tool,
    runtime_folder,
)
from fdd_edge.targets.trusted_cache import require_trusted

__all__ = ["Sysroot", "create_sysroot", "emulator", "find_sysroot", "remove_sysroot", "site_folder", "sysroot_folder"]

_PACKAGES = ("python3", "libgomp1", "libstdc++6")
"""Python, and the libraries that llama.cpp links to; apt adds their dependencies."""

_DEBIAN = {"aarch64": "arm64", "x86_64": "amd64"}

_APT = """\
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
Dir::State "{folder}/state";
Dir::State::status "{folder}/state/status";
Dir::Cache "{folder}/cache";
"""


@dataclass(frozen=True)
class Sysroot:
    """A sysroot and what is in it.

    Attributes:
        folder: Contains ``usr``, ``lib`` and so on, of another architecture.
        python: Its Python interpreter.
        site: Packages for that Python, including the runtime.
    """

    folder: Path
    python: Path
    site: Path

    def command(self, profile: Profile, arguments: Sequence[str]) -> list[str]:
        """Return the command that runs the packed runner on the emulated CPU, in the environment of ``variables``."""
        return [emulator(profile), "-L", str(self.folder), str(self.python), str(runner_archive()), *arguments]

    def variables(self, profile: Profile) -> dict[str, str]:
        """Return the environment variables that select the CPU and the packages outside the sysroot."""
        return {"QEMU_CPU": str(profile.cpu), "PYTHONPATH": str(self.site), "PYTHONNOUSERSITE": "1"}

    def describe(self, profile: Profile) -> DeviceInfo:
        """Return the runner's description of the emulated device."""
        output = run_tool(
            self.command(profile, ["info"]),
            doing=f"starting {profile.name}",
            variables=self.variables(profile),
            environment=clean_environment(os.environ),
        )
        try:
            return DeviceInfo.from_row(parse_json(output))
        except ValueError as error:
            raise FddError(f"{profile.name} sent a description that is not one: {error}.") from None


def emulator(profile: Profile) -> str:
    """Return the path of QEMU's program for a profile's architecture.

    Raises:
        FddError: It is not installed.
    """
    names = [f"qemu-{profile.architecture}-static", f"qemu-{profile.architecture}"]
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise FddError(f"There is no {names[0]} on this machine. On Debian: apt install qemu-user-static")
    return found


def find_sysroot(profile: Profile) -> Sysroot | None:
    """Return the sysroot of a profile, or None if it has not been created.

    Raises:
        FddError: Somebody else could have put something into it.
    """
    folder, site = sysroot_folder(profile), site_folder(profile)
    if not (folder.is_dir() and site.is_dir()):
        return None
    cpu_folder = _cpu_folder(profile)
    python = _python_of(cpu_folder)
    if python is None:
        return None
    require_trusted(folder, site, cpu_folder)
    return Sysroot(cpu_folder, python, site)


def _python_of(folder: Path) -> Path | None:
    """Return a sysroot's Python, whose name includes its version, or None if it has none."""
    return max((folder / "usr" / "bin").glob("python3.*[0-9]"), default=None)


def create_sysroot(profile: Profile) -> Sysroot:
    """Create the sysroot of a profile; parts that exist are kept.

    Raises:
        FddError: A tool is missing or failed; says how to install it.
    """
    emulator(profile)
    require_tools(profile)
    _ensure(sysroot_folder(profile), lambda folder: _unpack_python(profile, folder), "Python and its libraries")
    wheel = build_runtime(profile)
    python = _python_of(sysroot_folder(profile))
    assert python is not None
    name = python.name
    _ensure(site_folder(profile), lambda folder: _install(profile, folder, name, wheel), "the runtime's packages")
    _ensure(_cpu_folder(profile), lambda folder: _link(profile, folder), f"the sysroot of {profile.cpu}")
    sysroot = find_sysroot(profile)
    assert sysroot is not None
    return sysroot


def remove_sysroot(profile: Profile) -> int:
    """Delete a profile's sysroot and runtime, except what other emulated CPUs share.

    Returns:
        The number of bytes freed.
    """
    wheel, site, shared, cpu_folder = (
        find_runtime(profile),
        site_folder(profile),
        sysroot_folder(profile),
        _cpu_folder(profile),
    )
    # The folder of a CPU is named after what it shares.
    sharing_sysroot = set(shared.parent.glob(f"{shared.name}-*")) - {cpu_folder}
    sharing_runtime = set(shared.parent.glob(f"{_cpu_prefix(shared, site)}-*")) - {cpu_folder}
    folders = [cpu_folder]
    if not sharing_runtime:
        folders += [site, *([wheel.parent] if wheel else [])]
    if not sharing_sysroot:
        folders.append(shared)
    freed = 0
    for folder in folders:
        if folder.is_symlink():
            continue  # somebody moved it elsewhere
        freed += sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
        shutil.rmtree(folder, ignore_errors=True)
    return freed


def _cpu_folder(profile: Profile) -> Path:
    """Return the sysroot of one CPU: links to the shared sysroot, and a /proc/cpuinfo that describes the CPU.

    QEMU's user mode shows a process the /proc/cpuinfo of this machine, unless the sysroot has one. ONNX Runtime reads
    it to choose its kernels, and crashes if it is that of another architecture.
    """
    shared = sysroot_folder(profile)
    key = hashlib.sha256(" ".join(profile.features).encode()).hexdigest()[:8]
    return shared.with_name(f"{_cpu_prefix(shared, site_folder(profile))}-{profile.cpu}-{key}")


def _cpu_prefix(shared: Path, site: Path) -> str:
    """Return how the name of a CPU's sysroot begins: with the sysroot and the packages that it shares with others."""
    return f"{shared.name}-{hashlib.sha256(site.name.encode()).hexdigest()[:8]}"


def _link(profile: Profile, folder: Path) -> None:
    shared = sysroot_folder(profile)
    for path in shared.iterdir():
        # Relative, so that the cache can be moved: all sysroots are in the same folder.
        (folder / path.name).symlink_to(Path("..") / shared.name / path.name)
    (folder / "proc").mkdir()
    part = next((number for number, core in ARM_CORES.items() if core.lower() == profile.cpu), None)
    numbers = {"CPU implementer": "0x41", "CPU architecture": "8", "CPU variant": "0x0", "CPU part": part or "0x0"}
    lines = {"Features": " ".join(profile.features)} | numbers | {"CPU revision": "0"}
    section = "".join(f"{key}\t: {value}\n" for key, value in lines.items())
    cores = os.cpu_count() or 1
    text = "\n".join(f"processor\t: {core}\n{section}" for core in range(cores))
    (folder / "proc" / "cpuinfo").write_text(text, encoding="utf-8")


def _ensure(folder: Path, make: Callable[[Path], None], what: str) -> None:
    """Create a folder atomically, unless it exists."""
    if folder.is_dir():
        announce(f"{what}: already there")
        return
    announce(f"{what} ...")
    build_once(folder, make)


def _unpack_python(profile: Profile, folder: Path) -> None:
    """Download packages with apt and unpack them."""
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise FddError(
            f"The sysroot is made from Debian packages, but this machine has no {' and no '.join(missing)}. Create the "
            "target on Debian, or in a Debian container."
        )
    with temporary_folder("apt") as apt:
        (apt / "state" / "lists" / "partial").mkdir(parents=True)
        (apt / "cache" / "archives" / "partial").mkdir(parents=True)
        (apt / "state" / "status").touch()
        config = apt / "apt.conf"
        config.write_text(_APT.format(architecture=_DEBIAN[str(profile.architecture)], folder=apt), encoding="utf-8")
        variables = {"APT_CONFIG": str(config)}
        run_tool(["apt-get", "-qq", "update"], doing="updating the list of packages", variables=variables)
        download = ["apt-get", "-qq", "--yes", "--download-only", "install", *_PACKAGES]
        run_tool(download, doing="downloading packages", variables=variables)
        for package in sorted((apt / "cache" / "archives").glob("*.deb")):
            run_tool(["dpkg-deb", "-x", str(package), str(folder)], doing=f"unpacking {package.name}")


def _install(profile: Profile, folder: Path, python: str, wheel: Path) -> None:
    """Install the runtime and its dependencies into a folder, for the Python and the CPU of the sysroot."""
    arguments = dependency_arguments(profile, python.removeprefix("python"))
    run_tool(
        pip("install", "-q", "--target", str(folder), *arguments),
        doing="downloading the packages that the runtime needs",
    )
    if others := other_runtimes(profile):
        arguments = other_wheel_arguments(profile, python.removeprefix("python"))
        run_tool(pip("install", "-q", "--target", str(folder), *arguments), doing=f"downloading {' and '.join(others)}")
    own = ["--platform", f"linux_{profile.architecture}", "--only-binary=:all:", "--no-deps", "--no-index"]
    run_tool(pip("install", "-q", "--target", str(folder), *own, str(wheel)), doing="installing the runtime")


def sysroot_folder(profile: Profile) -> Path:
    """Return the sysroot of an architecture, which all its CPUs share."""
    key = hashlib.sha256(json.dumps(_PACKAGES).encode()).hexdigest()[:12]
    return cache_folder("roots") / f"{profile.architecture}-{key}"


def site_folder(profile: Profile) -> Path:
    """Return the packages for one CPU; the folder is next to that of the wheel, and named after it."""
    built = runtime_folder(profile)
    others = [f"-{RUNTIMES[name].recipe_family}-{RUNTIME_VERSIONS[name]}" for name in other_runtimes(profile)]
    return built.with_name(f"{built.name}-site{''.join(others)}")
