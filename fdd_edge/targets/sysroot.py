"""The root folder of an emulated target: Python from the distribution's packages, and the runtimes of that CPU.

Packages are fetched by apt with a state of its own, so that the machine's is not touched, and unpacked without running
any of their scripts: no root, no mount, no chroot.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdd_edge.cache import cache_dir
from fdd_edge.errors import FddError
from fdd_edge.ondevice.device_info import ARM_CORES
from fdd_edge.progress import announce
from fdd_edge.targets.local import clean_environment
from fdd_edge.targets.profile import RUNTIME, Profile
from fdd_edge.targets.runner_archive import runner_archive
from fdd_edge.targets.runtime_wheel import (
    build_runtime,
    built_runtime,
    graph_words,
    pip,
    platform_words,
    require_tools,
    run_tool,
    runtime_folder,
)

__all__ = ["Sysroot", "create_sysroot", "emulator", "find_sysroot", "remove_sysroot", "site_folder", "sysroot_folder"]

_PACKAGES = ("python3", "libgomp1", "libstdc++6")
"""Python, and what llama.cpp links to; apt adds what these need."""

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
    """A root folder and what is in it.

    Attributes:
        folder: Holds ``usr``, ``lib`` and so on, of another architecture.
        python: Its interpreter.
        site: Packages for it, the runtime among them.
    """

    folder: Path
    python: Path
    site: Path

    def command(self, profile: Profile, arguments: Sequence[str]) -> list[str]:
        """Return what runs the packed runner on the emulated CPU; ``variables`` must be set."""
        return [emulator(profile), "-L", str(self.folder), str(self.python), str(runner_archive()), *arguments]

    def variables(self, profile: Profile) -> dict[str, str]:
        """Return the environment: the root's Python looks for packages in the root, and the runtime lies beside it."""
        return {"QEMU_CPU": str(profile.cpu), "PYTHONPATH": str(self.site), "PYTHONNOUSERSITE": "1"}

    def ask(self, profile: Profile) -> dict[str, Any]:
        """Return what the runner says of the emulated device."""
        variables = clean_environment(os.environ) | self.variables(profile)
        said = run_tool(self.command(profile, ["info"]), doing=f"asking {profile.name}", variables=variables)
        described: dict[str, Any] = json.loads(said)
        return described


def emulator(profile: Profile) -> str:
    """Return QEMU's program for a profile's architecture.

    Raises:
        FddError: It is not installed.
    """
    names = [f"qemu-{profile.architecture}-static", f"qemu-{profile.architecture}"]
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise FddError(f"There is no {names[0]} on this machine: apt install qemu-user-static")
    return found


def find_sysroot(profile: Profile) -> Sysroot | None:
    """Return the root folder of a profile, or None where it has not been made."""
    folder, site = sysroot_folder(profile), site_folder(profile)
    if not (folder.is_dir() and site.is_dir()):
        return None
    own = _own_folder(profile)
    python = _python_of(own)
    return None if python is None else Sysroot(own, python, site)


def _python_of(folder: Path) -> Path | None:
    """Return a root's interpreter, whose name says its version, or None where it has none."""
    return max((folder / "usr" / "bin").glob("python3.*[0-9]"), default=None)


def create_sysroot(profile: Profile) -> Sysroot:
    """Make the root folder of a profile; what is there already is kept.

    Raises:
        FddError: A tool is missing or failed; says what installs it.
    """
    emulator(profile)
    require_tools(profile)
    _ensure(sysroot_folder(profile), lambda folder: _unpack_python(profile, folder), "Python and its libraries")
    wheel = build_runtime(profile)
    python = _python_of(sysroot_folder(profile))
    assert python is not None
    name = python.name
    _ensure(site_folder(profile), lambda folder: _install(profile, folder, name, wheel), "the runtime's packages")
    _ensure(_own_folder(profile), lambda folder: _link(profile, folder), f"what {profile.cpu} says of itself")
    root = find_sysroot(profile)
    assert root is not None
    return root


def remove_sysroot(profile: Profile) -> int:
    """Delete a profile's runtime and root folder, as far as no other emulated CPU shares them.

    Returns:
        How many bytes that were.
    """
    wheel, site, root, own = built_runtime(profile), site_folder(profile), sysroot_folder(profile), _own_folder(profile)
    # A CPU's own root is named after what it shares.
    others = set(root.parent.glob(f"{root.name}-*")) - {own}
    sharing = set(root.parent.glob(f"{_own_name(root, site)}-*")) - {own}
    folders = [own]
    if not sharing:
        folders += [site, *([wheel.parent] if wheel else [])]
    if not others:
        folders.append(root)
    freed = 0
    for folder in folders:
        freed += sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
        shutil.rmtree(folder, ignore_errors=True)
    return freed


def _own_folder(profile: Profile) -> Path:
    """Return the root of a CPU's own: the shared one by links, and what its kernel would say of the CPU.

    QEMU's user mode shows a process the machine's own /proc/cpuinfo, unless the root folder has one. ONNX Runtime reads
    there which kernels it may use, and dies of a file that is another architecture's.
    """
    shared = sysroot_folder(profile)
    key = hashlib.sha256(" ".join(profile.features).encode()).hexdigest()[:8]
    return shared.with_name(f"{_own_name(shared, site_folder(profile))}-{profile.cpu}-{key}")


def _own_name(shared: Path, site: Path) -> str:
    """Return how the name of a CPU's own root begins: by the root and the packages that it shares with others."""
    return f"{shared.name}-{hashlib.sha256(site.name.encode()).hexdigest()[:8]}"


def _link(profile: Profile, folder: Path) -> None:
    shared = sysroot_folder(profile)
    for path in shared.iterdir():
        # Relative, so that a cache can be moved: all roots lie side by side.
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
    """Make a folder whole or not at all."""
    if folder.is_dir():
        announce(f"{what}: there")
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    announce(f"{what} ...")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as making:
        whole = Path(making) / "whole"
        whole.mkdir()
        make(whole)
        try:
            whole.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            announce(f"{what}: made by another process meanwhile")


def _unpack_python(profile: Profile, folder: Path) -> None:
    """Fetch packages with apt and unpack them."""
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise FddError(
            f"The root folder is made of Debian's packages, and there is no {' and no '.join(missing)} here: make it "
            "on Debian or in a container of it."
        )
    with tempfile.TemporaryDirectory(prefix="fdd-edge-apt-") as name:
        apt = Path(name)
        (apt / "state" / "lists" / "partial").mkdir(parents=True)
        (apt / "cache" / "archives" / "partial").mkdir(parents=True)
        (apt / "state" / "status").touch()
        config = apt / "apt.conf"
        config.write_text(_APT.format(architecture=_DEBIAN[str(profile.architecture)], folder=apt), encoding="utf-8")
        variables = {"APT_CONFIG": str(config)}
        run_tool(["apt-get", "-qq", "update"], doing="asking for the list of packages", variables=variables)
        fetch = ["apt-get", "-qq", "--yes", "--download-only", "install", *_PACKAGES]
        run_tool(fetch, doing="fetching packages", variables=variables)
        for package in sorted((apt / "cache" / "archives").glob("*.deb")):
            run_tool(["dpkg-deb", "-x", str(package), str(folder)], doing=f"unpacking {package.name}")


def _install(profile: Profile, folder: Path, python: str, wheel: Path) -> None:
    """Put the runtime and what it imports into a folder, for another Python and another CPU than this one's."""
    words = platform_words(profile, python.removeprefix("python"))
    run_tool(pip("install", "-q", "--target", str(folder), *words), doing="fetching the packages of the runtime")
    if "onnxruntime" in profile.runtimes:
        words = graph_words(profile, python.removeprefix("python"))
        run_tool(pip("install", "-q", "--target", str(folder), *words), doing="fetching ONNX Runtime")
    own = ["--platform", f"linux_{profile.architecture}", "--only-binary=:all:", "--no-deps", "--no-index"]
    run_tool(pip("install", "-q", "--target", str(folder), *own, str(wheel)), doing="unpacking the runtime")


def sysroot_folder(profile: Profile) -> Path:
    """Return the root of an architecture, which all its CPUs share."""
    key = hashlib.sha256(json.dumps(_PACKAGES).encode()).hexdigest()[:12]
    return cache_dir() / "roots" / f"{profile.architecture}-{key}"


def site_folder(profile: Profile) -> Path:
    """Return the packages of one CPU's build; beside the wheel it was made of, and named after it."""
    built = runtime_folder(profile)
    graphs = f"-onnx-{RUNTIME['onnxruntime']}" if "onnxruntime" in profile.runtimes else ""
    return built.with_name(f"{built.name}-site{graphs}")
