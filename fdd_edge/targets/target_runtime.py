"""A target together with the runtime that decodes one family of models there."""

from __future__ import annotations

from typing import NamedTuple

from fdd_edge.runs.fingerprint import Json
from fdd_edge.targets.profile import Profile, device_facts, resolve_threads, runtime_version

__all__ = ["TargetRuntime"]


class TargetRuntime(NamedTuple):
    """Where and with what models of one family are decoded.

    Attributes:
        profile: The target.
        family: ``gguf`` or ``onnx``.
    """

    profile: Profile
    family: str

    def fingerprint(self) -> dict[str, Json]:
        """Return what results depend on in addition to the artifact and the settings, as JSON values."""
        depends: dict[str, Json] = {"target": self.profile.name, "runtime": runtime_version(self.profile, self.family)}
        return depends if self.profile.transport == "local" else depends | {"device": device_facts(self.profile)}

    def threads(self, requested: int | None) -> int:
        """Return the number of threads to decode with; see ``resolve_threads``."""
        return resolve_threads(self.profile, requested)
