"""What exactly runs a model: not only which version of a runtime, but which build of it, on which machine."""

from __future__ import annotations

from importlib import metadata

from fdd_edge import __version__
from fdd_edge.ondevice.device_info import cpu_features, cpu_model
from fdd_edge.runs.fingerprint import Json
from fdd_edge.runs.hashing import sha256_of
from fdd_edge.targets import TargetRuntime, packages_for

__all__ = ["build_of"]


def build_of(runtime: TargetRuntime) -> dict[str, Json]:
    """Return what two results on one target have in common if nothing was installed or replaced in between."""
    facts: dict[str, Json] = {"fdd_edge": __version__, "host": runtime.profile.host, "runtime": runtime.fingerprint()}
    if runtime.profile.transport != "local":
        return facts
    return facts | {"installed": _installed(runtime), "cpu": [cpu_model(), list(cpu_features())]}


def _installed(runtime: TargetRuntime) -> str | None:
    """Return the hash of the files of this machine's runtime: it may have been compiled anew in the same version."""
    try:
        files = metadata.distribution(packages_for(runtime.family)[0]).read_text("RECORD")
    except metadata.PackageNotFoundError:
        return None
    return files and sha256_of(files)
