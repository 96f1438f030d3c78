"""The manifest: what every finished stage of a run was made from, and the hash of what it wrote."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from fdd_edge import __version__
from fdd_edge.errors import FddError
from fdd_edge.runs.atomic import write_atomic
from fdd_edge.runs.fingerprint import Json
from fdd_edge.runs.layout import RunLayout

__all__ = ["RUN_FORMAT", "Manifest", "StageEntry"]

RUN_FORMAT = 2
"""Raised when the files or fingerprints of a run change, so that a run of another format is not resumed."""

_FACTS: dict[str, type] = {
    "threads": int,
    "judge": str,
    **dict.fromkeys(("prompt", "student", "datasets", "commits", "parity"), dict),
}
"""The type of each fact that later commands rely on."""
_PACKAGES = ("torch", "transformers", "peft", "gguf", "numpy")


@dataclass(frozen=True)
class StageEntry:
    """A finished stage.

    Attributes:
        fingerprint: Hash of version, options and inputs.
        version: Raised by hand when the stage's code changes meaning.
        options: Plain values the stage was given.
        inputs: sha256 of each input, by name.
        output_sha256: Hash of what it wrote.
        seconds: Time it took.
        pruned: The output was deleted to save space; it still counts as made.
    """

    fingerprint: str
    version: int
    options: dict[str, Json]
    inputs: dict[str, str]
    output_sha256: str
    seconds: float
    pruned: bool = False

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Build an entry from its JSON object, also one of format 1, where options were called params."""
        return cls(**{"options" if key == "params" else key: value for key, value in row.items()})


class Manifest:
    """The stages of a run, by the path of their output inside the run folder.

    Attributes:
        path: The file.
        format: The format of the run that the file describes.
        made_by: The version of fdd-edge that wrote it.
        stages: Every finished stage.
        facts: What later commands and later starts need to know.
    """

    def __init__(self, path: Path, *, packages: Iterable[str] = ()) -> None:
        """Read the manifest, or begin an empty one.

        Args:
            path: The file.
            packages: Further packages whose versions are written: those of the runtimes.

        Raises:
            FddError: The file is damaged.
        """
        self.path = path
        self._packages = (*_PACKAGES, *packages)
        self.format = RUN_FORMAT
        self.made_by = __version__
        self.stages: dict[str, StageEntry] = {}
        self.facts: dict[str, Any] = {}
        if path.is_file():
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                self.format, self.made_by = int(content.get("format", 1)), str(content.get("fdd_edge", "unknown"))
                self.stages = {name: StageEntry.from_row(entry) for name, entry in content["stages"].items()}
                self.facts = dict(content["facts"])
                wrong = [name for name, kind in _FACTS.items() if not isinstance(self.facts.get(name, kind()), kind)]
                if wrong:
                    raise TypeError(f"facts.{wrong[0]}: {self.facts[wrong[0]]!r}")
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise FddError(f"{path} is damaged ({error}). {self._how_to_fix()}") from None

    def _how_to_fix(self) -> str:
        """Return what to do about a damaged file: without one, only a run of this format is made again."""
        if self.format != RUN_FORMAT or RunLayout(self.path.parent).is_format_1():
            return "Restore it from a backup: the run has another format, whose stages this version cannot make."
        return "Restore it; or delete it, and every stage is made again."

    def write(self) -> None:
        """Write the manifest, atomically."""
        content = {
            "fdd_edge": __version__,
            "format": RUN_FORMAT,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "packages": {name: _installed(name) for name in self._packages},
            "facts": self.facts,
            "stages": {name: asdict(entry) for name, entry in self.stages.items()},
        }
        write_atomic(self.path, json.dumps(content, indent=1) + "\n")


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
