"""Device profiles: one YAML file a board or CPU, on the shelf ``devices/profiles`` or anywhere."""

from __future__ import annotations

from importlib import metadata
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fdd_edge import catalog
from fdd_edge.errors import FddError
from fdd_edge.ondevice.measure import physical_cores
from fdd_edge.validation import faults_of

__all__ = ["Profile", "load_profile", "resolve_threads", "runtime_version"]

_TORCH_DEVICES = ("auto", "cpu", "cuda", "gpu", "mps")


class Profile(BaseModel):
    """A target: what it is, and how the runner gets there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=catalog.NAME, description="what it is called in configs, results and folders")
    description: str = Field("", description="one line, shown by `fdd-edge ls`")
    transport: Literal["local"] = Field("local", description="how the runner gets there")
    threads: int | None = Field(None, ge=1, le=512, description="threads to decode with; goes before decoding.threads")


def load_profile(name_or_path: str) -> Profile:
    """Read a profile by name or path.

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
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise FddError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(content, dict):
        raise FddError(f"{path} must hold keys and values: {', '.join(Profile.model_fields)}.")
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(faults_of(error, lambda location: list(Profile.model_fields)))
        raise FddError(f"{path} is no device profile: {faults}") from None


def resolve_threads(profile: Profile, requested: int | None) -> int:
    """Return the threads to decode with: the profile's, else the requested, else one for each physical core."""
    return profile.threads or requested or physical_cores()


def runtime_version(profile: Profile) -> str | None:
    """Return the version of the runtime that decodes on a target, or None where it is not installed.

    The only transport so far is this machine, so it is this environment's.
    """
    del profile
    try:
        return metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        return None
