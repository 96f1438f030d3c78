"""The manifest: what every finished stage of a run was made from, and the hash of what it wrote."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from fdd_edge import __version__
from fdd_edge.errors import FddError
from fdd_edge.runs.atomic import write_atomic

__all__ = ["Manifest", "StageEntry"]

_FACTS: dict[str, type] = {
    "threads": int,
    "judge": str,
    **dict.fromkeys(("prompt", "student", "datasets", "commits", "declined", "parity"), dict),
}
"""What kind of value each fact is, where later commands rely on it."""
_PACKAGES = ("torch", "transformers", "peft", "llama-cpp-python", "gguf", "numpy")


@dataclass(frozen=True)
class StageEntry:
    """A finished stage.

    Attributes:
        fingerprint: Hash of version, parameters and inputs.
        version: Raised by hand when the stage's code changes meaning.
        params: Plain values the stage was given.
        inputs: sha256 of each input, by name.
        output_sha256: Hash of what it wrote.
        seconds: Time it took.
        pruned: The output was deleted to save room; it counts as made.
    """

    fingerprint: str
    version: int
    params: dict[str, Any]
    inputs: dict[str, str]
    output_sha256: str
    seconds: float
    pruned: bool = False


class Manifest:
    """The stages of a run, by the path of their output inside the run folder."""

    def __init__(self, path: Path) -> None:
        """Read the manifest, or begin one.

        Raises:
            FddError: The file is damaged.
        """
        self.path = path
        self.stages: dict[str, StageEntry] = {}
        self.facts: dict[str, Any] = {}
        if path.is_file():
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                self.stages = {name: StageEntry(**entry) for name, entry in content["stages"].items()}
                self.facts = dict(content["facts"])
                if odd := [name for name, kind in _FACTS.items() if not isinstance(self.facts.get(name, kind()), kind)]:
                    raise TypeError(f"facts.{odd[0]}: {self.facts[odd[0]]!r}")
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise FddError(
                    f"{path} is damaged ({error}); restore it, or delete it, and every stage is made again."
                ) from None

    def write(self) -> None:
        """Write the manifest whole or not at all."""
        content = {
            "fdd_edge": __version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "packages": {name: _installed(name) for name in _PACKAGES},
            "facts": self.facts,
            "stages": {name: asdict(entry) for name, entry in self.stages.items()},
        }
        write_atomic(self.path, json.dumps(content, indent=1) + "\n")


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
