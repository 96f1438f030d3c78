"""Verifies a run: the hashes of its manifest, its artifacts, its certificates, and the figures of its rounds."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.pipeline.findings import Finding
from fdd_edge.pipeline.verified_artifacts import RunArtifacts
from fdd_edge.pipeline.verified_rounds import RunFigures
from fdd_edge.resolve.model import read_manifest
from fdd_edge.runs import RunLayout
from fdd_edge.runs.finish_mark import others_in
from fdd_edge.runs.lock import is_held
from fdd_edge.runs.manifest import RUN_FORMAT
from fdd_edge.runs.stage_hashes import StageHashes

__all__ = ["verified_run"]

_DELETED = "deleted to save space (`keep`)"


def verified_run(run: RunLayout, inside: Path, *, by_link: bool = False) -> Iterator[Finding]:
    """Yield a finding for everything in a run, or in a folder of it.

    Args:
        run: The run.
        inside: The folder, relative to the run; ``.`` for all of it.
        by_link: Whether the folder was named by the link ``best``, which is then verified too.

    Raises:
        FddError: It cannot be verified: a process works on it, another version made it, it holds links, or no stage
            wrote anything in the folder.
    """
    if is_held(run.lock):
        raise FddError(f"A process is working on {run.root}; verify it once that has ended.")
    run.refuse_links()
    name, again = run.manifest.name, shlex.join(["fdd-edge", "run", str(run.root)])
    if not run.manifest.is_file():
        raise FddError(f"{run.manifest} is missing. Restore it from a backup: without it, nothing can be verified.")
    try:
        manifest = read_manifest(run)
    except FddError as error:
        fix = f"Restore {run.manifest} from a backup; without one, every stage is made again by: {again}"
        yield Finding(name, False, str(error).removeprefix(f"{run.manifest} "), fix)
        return
    if manifest.format != RUN_FORMAT:
        raise FddError(f"{run.root} was made by fdd-edge {manifest.made_by}, in another format; verify it with that.")
    part = _Part(run, StageHashes(run, manifest), "" if inside == Path() else inside.as_posix())
    part.refuse_nothing()
    if not manifest.has_hash:
        fix = f"Restore {run.manifest} from a backup; without one, delete it, and every stage is made again by: {again}"
        yield Finding(name, False, "states no hash of its own, so it was changed", fix)
        return
    yield Finding(name, True, "as it was written")
    figures = RunFigures(run, manifest)
    if not part.inside:
        yield figures.config()
    yield from part.hashes()
    yield from part.unstated()
    for layout in (run.untuned, *run.rounds):
        artifacts = RunArtifacts(run, layout, part.stages)
        yield from artifacts.remade(part.covers)
        yield from artifacts.certificates(part.covers)
    yield from figures.summaries(part.covers)
    if by_link or not part.inside:
        yield from figures.best()


@dataclass(frozen=True)
class _Part:
    """What is verified of a run: all of it, or a folder.

    Attributes:
        run: The run.
        stages: What its manifest states.
        inside: The folder; empty for all of it.
    """

    run: RunLayout
    stages: StageHashes
    inside: str

    def covers(self, name: str) -> bool:
        """Return whether an output of the run belongs to it, or it to the output; a certificate to its artifact too."""
        return self._overlaps(name) or name in self._certificates

    def refuse_nothing(self) -> None:
        """Refuse a folder in which no stage wrote anything, and of which nothing could be said.

        Raises:
            FddError: It is one.
        """
        stated = [name for name in self.stages.manifest.stages if self._overlaps(name) and self._reaches_into(name)]
        unstated = [path for path in self._found if self._name(path) not in self.stages.manifest.stages]
        others = [*unstated, *(one.summary for one in self.run.rounds if one.summary.is_file())]
        if not stated and not any(self._overlaps(self._name(path)) for path in others):
            raise FddError(
                f"{self.run.root / self.inside} holds nothing that a finished stage wrote; name the run "
                f"{self.run.root}, or a folder that one wrote."
            )

    def _overlaps(self, name: str) -> bool:
        return not self.inside or f"{name}/".startswith(f"{self.inside}/") or f"{self.inside}/".startswith(f"{name}/")

    def _reaches_into(self, name: str) -> bool:
        """Return whether any file of a stage is in the folder, if that is inside of what the stage wrote."""
        files, rest = self.stages.manifest.stages[name].files, self.inside.removeprefix(f"{name}/")
        if not self.inside.startswith(f"{name}/") or files is None:
            return True
        return any(file.startswith(f"{rest}/") for file in (*files, *others_in(self.run.root / name, files)))

    @cached_property
    def _certificates(self) -> set[str]:
        layouts = [self.run.untuned, *self.run.rounds]
        folders = [(layout, path) for layout in layouts for path in layout.found if path.parent == layout.artifacts]
        return {self._name(layout.parity(path.name)) for layout, path in folders if self._overlaps(self._name(path))}

    @cached_property
    def _found(self) -> list[Path]:
        """The outputs of stages that are here."""
        of_run = [path for path in (self.run.data, self.run.validation) if path.exists()]
        return [*of_run, *(path for layout in (self.run.untuned, *self.run.rounds) for path in layout.found)]

    def hashes(self) -> Iterator[Finding]:
        """Yield a finding for each stage: whether its output is what the manifest says."""
        for name, entry in self.stages.manifest.stages.items():
            if not self.covers(name):
                continue
            if entry.pruned and not self.stages.is_there(name):
                yield self._deleted(name)
            elif (fault := self.stages.fault(name)) is not None:
                if entry.pruned:
                    fault = f"is called deleted in the manifest, but is there, and {fault}"
                yield Finding(name, False, fault, self._fix(name, fault))
            else:
                files = entry.files
                yield Finding(name, True, "as it was written" if files is None else f"files as written: {len(files)}")

    def _deleted(self, name: str) -> Finding:
        output = self.run.root / name
        fault: str | None
        if not any(one.is_model(output) for one in self.run.rounds):
            fault = f"is called {_DELETED.partition(' (')[0]} in the manifest, and a run deletes only models"
        else:
            fault = self.stages.fault_of_origin(name)
        if fault is not None:
            return Finding(name, False, fault, self._fix(name, fault))
        others = others_in(output, self.stages.manifest.stages[name].files or ())
        return Finding(name, None, _DELETED + (f"; {others[0]} in it is not the run's" if others else ""))

    def unstated(self) -> Iterator[Finding]:
        """Yield a finding for each output of a stage that the manifest does not know."""
        for path in self._found:
            name = self._name(path)
            if not self.covers(name) or name in self.stages.manifest.stages:
                continue
            if self.stages.is_unrecorded(path):
                yield Finding(name, None, "was finished by a process that was killed before it could note it")
            else:
                yield Finding(name, False, "is not in the manifest, so no run wrote it", f"Move {path} elsewhere.")

    def _fix(self, name: str, fault: str) -> str:
        output, again = self.run.root / name, shlex.join(["fdd-edge", "run", str(self.run.root)])
        if "also holds" in fault:
            return f"Move that file out of {output}, or delete it."
        if "fingerprint" in fault:
            return f"Restore {self.run.manifest} from a backup; without one, every stage is made again by: {again}"
        return f"Restore {output} from a backup; without one, delete it, and make it again with: {again}"

    def _name(self, path: Path) -> str:
        return path.relative_to(self.run.root).as_posix()
