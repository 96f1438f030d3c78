"""The manifest: what every finished stage of a run was made from, and the hash of what it wrote."""

from __future__ import annotations

import functools
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
from fdd_edge.runs.manifest_check import check_entry, check_facts, content_hash

__all__ = ["RUN_FORMAT", "Manifest", "StageEntry"]

RUN_FORMAT = 2
"""Raised when the files or fingerprints of a run change, so that a run of another format is not resumed."""

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
        files: The files of a folder: what else is in it is somebody's. None for a file, or if it is not known.
    """

    fingerprint: str
    version: int
    options: dict[str, Json]
    inputs: dict[str, str]
    output_sha256: str
    seconds: float
    pruned: bool = False
    files: list[str] | None = None

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
        versions: Of the packages that were installed where it was written.
        has_hash: Whether the file states the hash of its content, which was then compared.
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
        self.versions: dict[str, str | None] = {}
        self.has_hash = False
        self.stages: dict[str, StageEntry] = {}
        self.facts: dict[str, Any] = {}
        if path.is_file():
            try:
                self._read(json.loads(path.read_text(encoding="utf-8")))
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
                raise FddError(f"{path} is damaged ({error}). {self._how_to_fix()}") from None

    def _read(self, content: Mapping[str, Any]) -> None:
        """Take the content of the file; what it says is used much later, so it is checked here.

        Raises:
            ValueError, KeyError, TypeError, AttributeError, OverflowError: It is not what ``write`` wrote.
        """
        self.format, self.made_by = int(content.get("format", 1)), str(content.get("fdd_edge", "unknown"))
        self.versions = {name: version and str(version) for name, version in content.get("packages", {}).items()}
        # Files of a version that wrote no hash have none; another format may hash something else.
        written = content.get("sha256") if self.format == RUN_FORMAT else None
        if written is not None and written != content_hash(content):
            raise ValueError("it is not as it was written")
        self.has_hash = written is not None
        self.stages = {name: StageEntry.from_row(check_entry(name, entry)) for name, entry in content["stages"].items()}
        self.facts = check_facts(content["facts"])

    def _how_to_fix(self) -> str:
        """Return what to do about a damaged file: without one, only a run of this format is made again."""
        if self.format != RUN_FORMAT or RunLayout(self.path.parent).is_format_1():
            return "Restore it from a backup: the run has another format, whose stages this version cannot make."
        return "Restore it; or delete it, and every stage is made again."

    def write(self) -> None:
        """Write the manifest, atomically."""
        content: dict[str, Any] = {
            "fdd_edge": __version__,
            "format": RUN_FORMAT,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "packages": {name: _installed(name) for name in self._packages},
            "facts": self.facts,
            "stages": {name: asdict(entry) for name, entry in self.stages.items()},
        }
        # Hashed as it will be read: JSON has no tuples, and its keys are texts.
        content = json.loads(json.dumps(content, allow_nan=False))
        write_atomic(self.path, json.dumps(content | {"sha256": content_hash(content)}, indent=1) + "\n")


@functools.cache  # a manifest is written several times
def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
