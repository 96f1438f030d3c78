"""The hashes that a manifest states, compared with what is in the run folder now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fdd_edge.runs.fingerprint import fingerprint
from fdd_edge.runs.finish_mark import BEGUN, FINISHED, others_in, read_mark
from fdd_edge.runs.hashing import HashCache
from fdd_edge.runs.layout import RunLayout
from fdd_edge.runs.manifest import Manifest, StageEntry

__all__ = ["StageHashes"]


@dataclass(frozen=True)
class StageHashes:
    """The stages of a run, each compared with its output.

    Attributes:
        layout: The run folder.
        manifest: Its manifest.
    """

    layout: RunLayout
    manifest: Manifest

    def fault(self, name: str) -> str | None:
        """Return what is wrong with the output of a stage, or with what it says it was made from; None if nothing is.

        Args:
            name: The path of the output inside the run. It must be there.
        """
        if (outside := _fault_of_name(name)) is not None:
            return outside
        entry = self.manifest.stages[name]
        return _fault_of_output(self.layout.root / name, entry, self._hashes) or self.fault_of_origin(name)

    def fault_of_origin(self, name: str) -> str | None:
        """Return what is wrong with what a stage says it was made from, whether its output is there or not."""
        entry = self.manifest.stages[name]
        return _fault_of_name(name) or self._fault_of_fingerprint(entry) or self._fault_of_inputs(name, entry)

    def is_there(self, name: str) -> bool:
        """Return whether anything that a stage wrote is there; others' files in its folder do not count."""
        entry, output = self.manifest.stages[name], self.layout.root / name
        if entry.files is None or not output.is_dir():
            return output.exists()
        return any((output / file).exists() for file in entry.files)

    def is_unrecorded(self, output: Path) -> bool:
        """Return whether a process finished an output and was killed before it could note it in the manifest."""
        mark = read_mark(output, FINISHED)
        return mark is not None and mark.is_intact(output, self._hashes)

    def sha256_of(self, name: str) -> str | None:
        """Return the hash of what is there of a stage's own files, or of what it wrote if that was deleted."""
        entry, output = self.manifest.stages.get(name), self.layout.root / name
        if entry is None or not self.is_there(name):
            return None if entry is None else entry.output_sha256
        try:
            return self._hashes.of(output) if entry.files is None else self._hashes.of_files(output, entry.files)
        except FileNotFoundError:
            return None

    @cached_property
    def _hashes(self) -> HashCache:
        return HashCache(ignored=(BEGUN, FINISHED))

    def _fault_of_fingerprint(self, entry: StageEntry) -> str | None:
        if fingerprint(entry.version, entry.options, entry.inputs) != entry.fingerprint:
            return "has a fingerprint that is not that of the options and inputs next to it in the manifest"
        return None

    def _fault_of_inputs(self, name: str, entry: StageEntry) -> str | None:
        """Return which input is not in the run any more; files from outside it cannot be looked for."""
        for key, sha256 in entry.inputs.items():
            # Data sets and an importance matrix of a recipe's own are files outside the run.
            is_outside = name == self.layout.data.name or key == "imatrix"
            if not is_outside and sha256 not in self._known:
                return f"was made from other things: its input {key} is not in the run"
        return None

    @cached_property
    def _known(self) -> frozenset[str]:
        """The hashes of all outputs, as they were made, and of the files in those that are folders."""
        return frozenset(self._all_hashes())

    def _all_hashes(self) -> Iterator[str]:
        for name, entry in self.manifest.stages.items():
            yield entry.output_sha256
            files = [] if entry.pruned else [self.layout.root / name / file for file in entry.files or ()]
            yield from (self._hashes.of(file) for file in files if file.is_file())


def _fault_of_name(name: str) -> str | None:
    return "is not a path inside the run" if name.startswith("/") or ".." in name.split("/") else None


def _fault_of_output(output: Path, entry: StageEntry, hashes: HashCache) -> str | None:
    """Return how an output differs from what the manifest says about it."""
    if not output.exists():
        return "is missing"
    if not output.is_dir():
        if not output.is_file():
            return "is neither a file nor a folder"
        return None if hashes.of(output) == entry.output_sha256 else "is not the file that was written"
    if entry.files is None:
        return None if hashes.of(output) == entry.output_sha256 else "is not what was written"
    if missing := [file for file in entry.files if not (output / file).is_file()]:
        return f"lacks {missing[0]}"
    if hashes.of_files(output, entry.files) != entry.output_sha256:
        return f"is not what was written: {_names(entry.files)} has changed"
    if others := others_in(output, entry.files):
        return f"also holds {others[0]}, which the run did not write"
    return None


def _names(files: list[str]) -> str:
    return files[0] if len(files) == 1 else f"one of {', '.join(files)}"
