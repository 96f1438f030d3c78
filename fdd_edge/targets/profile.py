"""Device profiles: one YAML file per board or CPU, in ``devices/profiles`` or anywhere else."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from fdd_edge import catalog
from fdd_edge.bounded_yaml import load_yaml
from fdd_edge.errors import FddError
from fdd_edge.ondevice.device_info import physical_cores
from fdd_edge.ondevice.families import FAMILIES, RUNTIMES
from fdd_edge.ondevice.options import option
from fdd_edge.ondevice.runtime_versions import RUNTIME_VERSIONS
from fdd_edge.runs.fingerprint import Json
from fdd_edge.yaml_errors import faults_of, yaml_fault

__all__ = [
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

_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

# No leading dash, which ssh would read as an option; otherwise the characters of users, names, addresses and ports.
_HOST = r"^[A-Za-z0-9_$][A-Za-z0-9_.:@%{}$\[\]/-]*$"


@dataclass(frozen=True)
class Budgets:
    """What an artifact may cost on a target; None sets no limit."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    max_size_mb: float | None = option(None, "largest size of the artifact, in MB (10^6 bytes)", gt=0)
    max_rss_mb: float | None = option(None, "largest peak memory of the runner, in MB (10^6 bytes)", gt=0)
    min_tokens_per_s: float | None = option(None, "lowest speed, in generated tokens per second for one reply", gt=0)


def _known_runtime(name: str) -> str:
    if name not in RUNTIMES:
        raise ValueError(f"must be {' or '.join(map(repr, RUNTIMES))}, not {name!r}")
    return name


class Profile(BaseModel):
    """A target: what the device is, and how it is reached."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=catalog.NAME, description="name of the target in configs, results and folders")
    description: str = Field("", description="one line, shown by `fdd-edge ls`")
    transport: Literal["local", "ssh", "emulated", "pool"] = Field("local", description="how the device is reached")
    architecture: Literal["x86_64", "aarch64"] | None = Field(
        None, description="architecture, as printed by `uname -m`"
    )
    cpu: str | None = Field(
        None, pattern=r"^[a-z0-9.-]+$", description="CPU core; of an emulated target, QEMU's name for it"
    )
    features: tuple[str, ...] = Field((), description="instruction sets that a runtime may use, as named by the kernel")
    build: tuple[str, ...] = Field((), description="CMake options for compiling llama.cpp for this CPU")
    runtimes: tuple[Annotated[str, AfterValidator(_known_runtime)], ...] = Field(
        tuple(RUNTIMES),
        min_length=1,
        description="installed runtimes: "
        + ", ".join(f"{package} for {family.recipe_family.upper()}" for package, family in RUNTIMES.items()),
    )
    threads: int | None = Field(
        None, ge=1, le=512, description="threads to decode with; takes precedence over decoding.threads"
    )
    processes: int | None = Field(
        None, ge=1, le=64, description="runners that share the waves; default: 1, or one per core if emulated"
    )
    budgets: Budgets = Field(Budgets(), description="what an artifact may cost on this target")
    host: str | None = Field(
        None, pattern=_HOST, description="as in `ssh HOST`: user@host, or a name from ~/.ssh/config"
    )
    ssh_config: str | None = Field(None, description="ssh config to use instead of ~/.ssh/config")
    python: str = Field("python3", description="command that starts Python on the board")
    home: str = Field(
        ".cache/fdd-edge", min_length=1, description="folder on the board, absolute or relative to the user's home"
    )
    pool: tuple[str, ...] = Field(
        (), description="identical boards that share the waves, by name or path of their profiles"
    )
    _given: str = PrivateAttr("")

    @property
    def argument(self) -> str:
        """The name or path that this profile was loaded by, quoted for a shell command."""
        return shlex.quote(self._given or self.name)

    def missing_features(self, features: Iterable[str]) -> list[str]:
        """Return which of this profile's features a device lacks; none if the device's kernel reports no features."""
        present = set(features)
        return sorted(set(self.features) - present) if present else []

    def mismatch(self, machine: str, features: Iterable[str]) -> str | None:
        """Return how a device differs from this profile and how to fix it, to follow its name; None if it fits."""
        if self.architecture not in (None, machine):
            difference, key = f"is {machine}, but its profile is for {self.architecture}", "architecture"
        elif missing := self.missing_features(features):
            difference, key = f"lacks {' '.join(missing)}, which its profile lists", "features"
        else:
            return None
        return f"{difference}. Use a profile that fits, or correct {key} in {self.argument}."

    @model_validator(mode="after")
    def _fits_the_transport(self) -> Self:
        needed = {"ssh": ["host", "threads"], "emulated": ["architecture", "cpu"], "pool": ["pool"]}.get(
            self.transport, []
        )
        if missing := [key for key in needed if not getattr(self, key)]:
            hint = "; or extend a shipped profile, such as rpi5 or x86-avx2" if self.transport == "ssh" else ""
            raise ValueError(f"transport {self.transport} needs {' and '.join(missing)}{hint}")
        if self.transport == "emulated" and self.architecture != "aarch64":
            raise ValueError(f"only aarch64 can be emulated, not {self.architecture}")
        if self.pool and self.transport != "pool":
            raise ValueError(f"pool needs transport: pool, not {self.transport}")
        if self.processes and self.transport in ("ssh", "pool"):
            raise ValueError(
                f"processes applies to this machine only; transport {self.transport} runs one runner per board"
            )
        return self


def load_profile(name_or_path: str) -> Profile:
    """Load a profile by name or path, together with the profiles it extends.

    Raises:
        FddError: There is no such profile, or it has errors; all are listed, each with its key.
    """
    path = catalog.find("devices/profiles", name_or_path)
    content = _read(path, ())
    try:
        profile = Profile.model_validate({"name": path.stem} | content)
    except ValidationError as error:
        faults = "; ".join(faults_of(error, _known_keys))
        raise FddError(f"{path} is not a valid device profile: {faults}") from None
    profile = _with_boards(profile, path) if profile.pool else profile
    profile._given = name_or_path
    return profile


def is_emulated(profile: Profile) -> bool:
    """Return whether a target, or any board of a pool, is emulated, so that speed and memory are not the board's."""
    boards = [load_profile(board) for board in profile.pool] or [profile]
    return any(board.transport == "emulated" for board in boards)


def _with_boards(pool: Profile, path: Path) -> Profile:
    """Return a pool with its boards as paths and their number of threads."""
    paths = [str(catalog.find("devices/profiles", board, relative_to=path)) for board in pool.pool]
    boards = [load_profile(board) for board in paths]
    if nested := [board.name for board in boards if board.pool]:
        raise FddError(f"{path}: {', '.join(nested)} is itself a pool. List its boards instead.")
    threads = {board.name: board.threads for board in boards}
    if pool.threads is None and len(set(threads.values())) > 1:
        listed = ", ".join(f"{name} {number or 'one per core'}" for name, number in threads.items())
        raise FddError(f"{path}: the boards of a pool must use the same threads ({listed}). Set threads in the pool.")
    return pool.model_copy(update={"pool": tuple(paths), "threads": pool.threads or boards[0].threads})


def _read(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    """Return the keys of a profile and of those it extends, except the name and description of the latter."""
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise FddError(f"{path} cannot be read as YAML: {yaml_fault(error)}.") from None
    if not isinstance(content, dict):
        raise FddError(f"{path} must contain keys and values. Keys: {', '.join(Profile.model_fields)}.")
    base = content.pop("extends", None)
    if base is None:
        return content
    if not isinstance(base, str):
        raise FddError(f"{path}: extends must be the name or path of a profile, not {base!r}.")
    found = catalog.find("devices/profiles", base, relative_to=path)
    if found in (path, *above):
        raise FddError(f"{path}: extends leads back to {found}.")
    inherited = _read(found, (path, *above))
    # Budgets are merged with the inherited ones; `budgets: {}` removes them.
    if content.get("budgets") and isinstance(content["budgets"], dict):
        content["budgets"] = inherited.get("budgets", {}) | content["budgets"]
    return {key: value for key, value in inherited.items() if key not in ("name", "description")} | content


def _known_keys(location: object) -> list[str]:
    return [f.name for f in fields(Budgets)] if location else [*Profile.model_fields, "extends"]


def device_facts(profile: Profile) -> dict[str, Json]:
    """Return the part of a profile that identifies the device, as JSON; if it is edited, results no longer match."""
    facts = ("transport", "architecture", "cpu", "features", "build", "pool")
    return {key: profile.model_dump(mode="json")[key] for key in facts}


def resolve_variables(profile: Profile, variables: Mapping[str, str] = os.environ) -> Profile:
    """Return an ssh profile with ``${ENV}`` in its host and paths replaced.

    Raises:
        FddError: A variable is not set, or the host's value is not a host.
    """
    given = {key: value for key in ("host", "home", "python", "ssh_config") if (value := getattr(profile, key))}
    for key, value in given.items():
        for name in _ENV.findall(value):
            if not variables.get(name):
                example = "user@host" if key == "host" else "..."
                raise FddError(
                    f"{profile.name} has no {key}. Set {name}={example} in the environment, or write your own profile, "
                    f"such as my-{profile.name}.yaml with 'extends: {profile.name}' and '{key}: {example}'."
                )
    resolved_keys = {key: _ENV.sub(lambda match: variables[match[1]], value) for key, value in given.items()}
    host = resolved_keys["host"]
    if re.fullmatch(r"[^:/\[\]]+:\d+", host):
        raise FddError(
            f"{profile.name}: {host!r} contains a port. Write ssh://{host}, or set the port in ~/.ssh/config."
        )
    if not re.match(_HOST, host) or "$" in host:
        raise FddError(f"{profile.name}: {host!r} is not a valid host. Use user@host, or a name from ~/.ssh/config.")
    resolved = profile.model_copy(update=resolved_keys)
    resolved._given = profile._given
    return resolved


def resolve_threads(profile: Profile, requested: int | None) -> int:
    """Return the number of threads to decode with: the profile's, else the requested, else one per physical core."""
    return profile.threads or requested or physical_cores()


def packages_for(family: str) -> tuple[str, ...]:
    """Return the packages that decode models of a family: the runtime first, then what it needs in addition."""
    return FAMILIES[family].packages


def runtime_version(profile: Profile, family: str) -> str | None:
    """Return the version of the runtime that decodes a family on a target, or None if it is not installed.

    For this machine it is the version in this environment; all other targets must have ``RUNTIME_VERSIONS``.
    """
    if profile.transport != "local":
        return RUNTIME_VERSIONS[packages_for(family)[0]]
    try:
        return metadata.version(packages_for(family)[0])
    except metadata.PackageNotFoundError:
        return None
