"""Device profiles: one YAML file a board or CPU, on the shelf ``devices/profiles`` or anywhere."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from fdd_edge import catalog
from fdd_edge.errors import FddError
from fdd_edge.ondevice.device_info import physical_cores
from fdd_edge.yaml_errors import faults_of, yaml_fault

__all__ = [
    "RUNTIME",
    "Budgets",
    "Profile",
    "device_facts",
    "is_emulated",
    "load_profile",
    "packages_for",
    "resolve_threads",
    "resolve_variables",
    "runtime_version",
]

RUNTIME = {"llama-cpp-python": "0.3.36", "onnxruntime": "1.31.1", "tokenizers": "0.22.2"}
"""What a board is set up with and held to, so that boards of different days answer alike."""

_PACKAGES = {"gguf": ("llama-cpp-python",), "onnx": ("onnxruntime", "tokenizers")}
"""What decodes a family's models; the first is the runtime, whose version rows depend on."""

_TORCH_DEVICES = ("auto", "cpu", "cuda", "gpu", "mps")

_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

# ssh reads what begins with a dash as an option; the rest are the characters of users, names, addresses and ports.
_HOST = r"^[A-Za-z0-9_$][A-Za-z0-9_.:@%{}$\[\]/-]*$"

Megabytes = Annotated[float, Field(gt=0)]


class Budgets(BaseModel):
    """What an artifact may cost on a target; what is not named is not limited."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_size_mb: Megabytes | None = Field(None, description="bytes of the file, in millions")
    max_rss_mb: Megabytes | None = Field(None, description="peak memory of the runner, in millions of bytes")
    min_tokens_per_s: float | None = Field(None, gt=0, description="generated tokens a second, one reply at a time")


class Profile(BaseModel):
    """A target: what it is, and how the runner gets there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=catalog.NAME, description="what it is called in configs, results and folders")
    description: str = Field("", description="one line, shown by `fdd-edge ls`")
    transport: Literal["local", "ssh", "emulated", "pool"] = Field("local", description="how the runner gets there")
    architecture: Literal["x86_64", "aarch64"] | None = Field(None, description="as `uname -m` prints it")
    cpu: str | None = Field(None, pattern=r"^[a-z0-9.-]+$", description="the CPU core; an emulated one, as QEMU has it")
    features: tuple[str, ...] = Field((), description="instruction sets that a runtime may use, as the kernel has them")
    build: tuple[str, ...] = Field((), description="CMake options that compile llama.cpp for this CPU")
    runtimes: tuple[Literal["llama-cpp-python", "onnxruntime"], ...] = Field(
        ("llama-cpp-python", "onnxruntime"), min_length=1, description="what decodes there: GGUF, ONNX"
    )
    threads: int | None = Field(None, ge=1, le=512, description="threads to decode with; goes before decoding.threads")
    processes: int | None = Field(None, ge=1, le=64, description="runners that share the waves; emulated: one a core")
    budgets: Budgets = Field(Budgets(), description="what an artifact may cost there")
    host: str | None = Field(None, pattern=_HOST, description="as in `ssh HOST`: a name of ~/.ssh/config, or user@host")
    ssh_config: str | None = Field(None, description="another file than ~/.ssh/config")
    python: str = Field("python3", description="what starts Python on the board")
    home: str = Field(
        ".cache/fdd-edge", min_length=1, description="the board's folder; from the user's home, or absolute"
    )
    pool: tuple[str, ...] = Field((), description="equal boards that share the waves: names or paths of profiles")
    _given: str = PrivateAttr("")

    @property
    def argument(self) -> str:
        """What names this profile in a command: the path or name it was read by."""
        return shlex.quote(self._given or self.name)

    def lacking(self, found: Iterable[str]) -> list[str]:
        """Return which of its features a device has not; nothing where the device's kernel tells of none."""
        has = set(found)
        return sorted(set(self.features) - has) if has else []

    def mismatch(self, machine: str, features: Iterable[str]) -> str | None:
        """Return what a device is or lacks that this profile says otherwise, and what mends it; None where it fits."""
        if self.architecture not in (None, machine):
            fault, key = f"is a machine of {machine}, and its profile is for {self.architecture}", "architecture"
        elif lacking := self.lacking(features):
            fault, key = f"lacks {' '.join(lacking)}, which its profile says it has", "features"
        else:
            return None
        return f"{fault}: name a profile that fits, or fix {key} in {self.argument}"

    @model_validator(mode="after")
    def _fits_the_transport(self) -> Self:
        needed = {"ssh": ["host", "threads"], "emulated": ["architecture", "cpu"], "pool": ["pool"]}.get(
            self.transport, []
        )
        if missing := [key for key in needed if not getattr(self, key)]:
            raise ValueError(f"transport {self.transport} needs {' and '.join(missing)}")
        if self.transport == "emulated" and self.architecture != "aarch64":
            raise ValueError(f"architecture: aarch64 is what can be emulated, not {self.architecture}")
        if self.pool and self.transport != "pool":
            raise ValueError(f"pool is for transport pool, not {self.transport}")
        if self.processes and self.transport in ("ssh", "pool"):
            raise ValueError(f"processes is for this machine's CPU; transport {self.transport} runs one on each board")
        return self


def load_profile(name_or_path: str) -> Profile:
    """Read a profile by name or path, on top of the one it extends.

    Raises:
        FddError: There is none, or it has faults; every fault is named with its key.
    """
    if name_or_path in _TORCH_DEVICES:
        known = ", ".join(catalog.names("devices/profiles"))
        raise FddError(
            f"A target is a device profile, and {name_or_path!r} is none: this machine's CPU is 'local'. "
            f"Known: {known}."
        )
    path = catalog.find("devices/profiles", name_or_path)
    content = _read(path, ())
    try:
        profile = Profile.model_validate({"name": path.stem} | content)
    except ValidationError as error:
        faults = "; ".join(faults_of(error, _known_keys))
        raise FddError(f"{path} is no device profile: {faults}") from None
    profile = _with_boards(profile, path) if profile.pool else profile
    profile._given = name_or_path
    return profile


def is_emulated(profile: Profile) -> bool:
    """Say whether a target, or a board of a pool, is emulated, so that its speed and memory are not the board's."""
    boards = [load_profile(board) for board in profile.pool] or [profile]
    return any(board.transport == "emulated" for board in boards)


def _with_boards(pool: Profile, path: Path) -> Profile:
    """Return a pool whose boards are paths; it decodes with as many threads as they do."""
    paths = [str(catalog.find("devices/profiles", board, beside=path)) for board in pool.pool]
    boards = [load_profile(board) for board in paths]
    if nested := [board.name for board in boards if board.pool]:
        raise FddError(f"{path}: {', '.join(nested)} is a pool itself; name its boards.")
    threads = {board.name: board.threads for board in boards}
    if pool.threads is None and len(set(threads.values())) > 1:
        said = ", ".join(f"{name} {number or 'one a core'}" for name, number in threads.items())
        raise FddError(f"{path}: the boards of a pool decode with equal threads, not {said}; give the pool its own.")
    return pool.model_copy(update={"pool": tuple(paths), "threads": pool.threads or boards[0].threads})


def _read(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    """Return the keys of a profile; its own name and description are never those of the one it extends."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise FddError(f"{path} cannot be read as YAML: {yaml_fault(error)}.") from None
    if not isinstance(content, dict):
        raise FddError(f"{path} must hold keys and values: {', '.join(Profile.model_fields)}.")
    base = content.pop("extends", None)
    if base is None:
        return content
    if not isinstance(base, str):
        raise FddError(f"{path}: extends must be the name or path of a profile, not {base!r}.")
    found = catalog.find("devices/profiles", base, beside=path)
    if found in (path, *above):
        raise FddError(f"{path}: extends leads back to {found}.")
    inherited = _read(found, (path, *above))
    # A budget of one's own stands beside the inherited ones; `budgets: {}` takes none over.
    if content.get("budgets") and isinstance(content["budgets"], dict):
        content["budgets"] = inherited.get("budgets", {}) | content["budgets"]
    return {key: value for key, value in inherited.items() if key not in ("name", "description")} | content


def _known_keys(location: object) -> list[str]:
    return list(Budgets.model_fields) if location else [*Profile.model_fields, "extends"]


def device_facts(profile: Profile) -> dict[str, Any]:
    """Return what a device is by its profile, as JSON has it: a profile may be edited, and then it is another."""
    facts = ("transport", "architecture", "cpu", "features", "build", "pool")
    return {key: profile.model_dump(mode="json")[key] for key in facts}


def resolve_variables(profile: Profile, variables: Mapping[str, str] = os.environ) -> Profile:
    """Return an ssh profile with the values of ``${ENV}`` in its host and paths.

    Raises:
        FddError: A variable is not set, or the host's holds what is no host.
    """
    given = {key: value for key in ("host", "home", "python", "ssh_config") if (value := getattr(profile, key))}
    for key, value in given.items():
        for name in _ENV.findall(value):
            if not variables.get(name):
                example = "user@host" if key == "host" else "..."
                raise FddError(
                    f"{profile.name} does not know its {key}: export {name}={example}, or write a profile of your own, "
                    f"such as 'extends: {profile.name}' and '{key}: {example}' in my-{profile.name}.yaml."
                )
    told = {key: _ENV.sub(lambda match: variables[match[1]], value) for key, value in given.items()}
    host = told["host"]
    if re.fullmatch(r"[^:/\[\]]+:\d+", host):
        raise FddError(f"{profile.name}: ssh takes a port as in ssh://{host}, or from ~/.ssh/config.")
    if not re.match(_HOST, host) or "$" in host:
        raise FddError(f"{profile.name}: {host!r} is no host; ssh takes user@host or a name of ~/.ssh/config.")
    resolved = profile.model_copy(update=told)
    resolved._given = profile._given
    return resolved


def resolve_threads(profile: Profile, requested: int | None) -> int:
    """Return the threads to decode with: the profile's, else the requested, else one for each physical core."""
    return profile.threads or requested or physical_cores()


def packages_for(family: str) -> tuple[str, ...]:
    """Return the packages that decode models of a family: the runtime first, then what it needs beside it."""
    return _PACKAGES[family]


def runtime_version(profile: Profile, family: str) -> str | None:
    """Return the version of the runtime that decodes a family on a target, or None where it is not installed.

    This machine's is this environment's; every other target is held to ``RUNTIME``.
    """
    if profile.transport != "local":
        return RUNTIME[packages_for(family)[0]]
    try:
        return metadata.version(packages_for(family)[0])
    except metadata.PackageNotFoundError:
        return None
