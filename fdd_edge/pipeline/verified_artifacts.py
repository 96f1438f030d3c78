"""Verifies the artifacts of a run: each is made again from its float model, and its certificate is of that file."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from fdd_edge import __version__, hub
from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.family import family_named
from fdd_edge.artifacts.recipe import Recipe, recipe_of_stage
from fdd_edge.errors import FddError
from fdd_edge.ondevice.model_files import find_model
from fdd_edge.operations.certificate_check import check_certificate
from fdd_edge.operations.export import export_from_student, quantize
from fdd_edge.operations.imatrix import imatrix_path
from fdd_edge.operations.remake import compare_remade, differences_from_here, how_to_fix
from fdd_edge.parity import Certificate
from fdd_edge.pipeline.findings import Finding
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.runs import ArtifactsLayout, Manifest, RoundLayout, RunLayout
from fdd_edge.runs.manifest import StageEntry
from fdd_edge.runs.stage_hashes import StageHashes

__all__ = ["RunArtifacts"]


class _CannotRemakeError(Exception):
    """An artifact cannot be made again here; the message says why, in words that follow its name."""


@dataclass(frozen=True)
class RunArtifacts:
    """The artifacts of a round, or of the untuned student.

    Attributes:
        run: The run.
        layout: The round.
        stages: What the run's manifest states.
    """

    run: RunLayout
    layout: ArtifactsLayout
    stages: StageHashes

    @property
    def manifest(self) -> Manifest:
        """The run's manifest."""
        return self.stages.manifest

    def remade(self, covers: Callable[[str], bool]) -> Iterator[Finding]:
        """Make each artifact again that is here, and yield whether the bytes are the same."""
        for name, entry in self.manifest.stages.items():
            folder = self.run.root / name
            # Whatever the manifest says: one that it calls deleted may be there.
            if folder.parent == self.layout.artifacts and covers(name) and find_model(folder).is_file():
                yield self._remade(name, folder, entry)

    def certificates(self, covers: Callable[[str], bool]) -> Iterator[Finding]:
        """Yield whether each certificate is of the artifact and the float model that are here."""
        for name in self.manifest.stages:
            path = self.run.root / name
            if path != self.layout.parity(path.stem) or not covers(name):
                continue
            found = check_certificate(
                path, find_model(self.layout.artifact(path.stem)), path.stem, folder_sha256=self._merged_sha256
            )
            again = shlex.join(["fdd-edge", "run", str(self.run.root)])
            fix = f"Restore {path} from a backup; without one, delete it, and make it again with: {again}"
            yield Finding(name, found.holds, found.says, fix if found.holds is False else None)

    @cached_property
    def _merged_sha256(self) -> str | None:
        merged = self.layout.merged
        return None if merged is None else self.stages.sha256_of(merged.relative_to(self.run.root).as_posix())

    def _remade(self, name: str, folder: Path, entry: StageEntry) -> Finding:
        try:
            recipe = recipe_of_stage(entry.options.get("recipe"))
            source, make = self._source(recipe, entry)
            difference = compare_remade(folder, make)
        except (_CannotRemakeError, FddError) as error:
            return Finding(name, None, f"cannot be made again: {error}")
        if difference is None:
            return Finding(name, True, f"made again from {source}, the same bytes")
        reasons = list(self._differences_from_here(recipe))
        says = f"is not what {recipe.name} makes of {source}: {difference}"
        again = f"delete it, and make it again with: fdd-edge run {shlex.quote(str(self.run.root))}"
        return Finding(name, False, says, how_to_fix(f"Do not use {folder}; {again}", reasons))

    def _source(self, recipe: Recipe, entry: StageEntry) -> tuple[str, Callable[[Path], object]]:
        """Return what an artifact was made from, and what makes it again.

        Raises:
            _CannotRemakeError: That is not here any more.
            FddError: It cannot be opened.
        """
        if recipe.needs_float_artifact:
            float_name = family_named(recipe.family).float_recipe
            float_artifact = self.layout.artifact(float_name)
            if not find_model(float_artifact).is_file():
                raise _CannotRemakeError(f"{float_name}, which it was made from, is not here")
            imatrix = imatrix_path(recipe, self.layout.imatrix)
            if imatrix is not None and not imatrix.is_file():
                raise _CannotRemakeError(f"its importance matrix {imatrix} is not here")
            return float_name, partial(quantize, float_artifact=float_artifact, imatrix=imatrix, recipe=recipe)
        labels = _labels(entry.options.get("labels"))
        source, student = self._student(recipe, entry.options.get("student"))
        return source, partial(export_from_student, merged=None, student=student, labels=labels, recipe=recipe)

    def _student(self, recipe: Recipe, stated: Any) -> tuple[str, Student]:
        """Open the float model of the artifacts: the merged student of a round, or the untuned student itself.

        Raises:
            _CannotRemakeError: It is not here, or is another one by now.
            FddError: It cannot be opened.
        """
        families = {recipe.family}
        if isinstance(self.layout, RoundLayout):
            if not self.layout.merged.is_dir():
                raise _CannotRemakeError("the merged student is not here")
            return f"the {self.layout.merged.name} student", open_student(str(self.layout.merged), families=families)
        if not isinstance(stated, dict) or not isinstance(stated.get("name"), str):
            raise _CannotRemakeError("the manifest does not name its float model")
        name, revision = stated["name"], stated.get("revision")
        is_remote = hub.is_hub_id(name) and not Path(name).expanduser().exists()
        if is_remote and hub.find_cached("model", name, revision) is None:
            raise _CannotRemakeError(f"its float model {name} is not on this machine")
        student = open_student(name, revision, families=families)
        if student.sha256 != stated.get("sha256"):
            raise _CannotRemakeError(f"{name} is not the model that it was when the run began")
        return name, student

    def _differences_from_here(self, recipe: Recipe) -> Iterator[str]:
        """Yield why this machine may make other bytes than the one that the run was made on."""
        if self.manifest.made_by != __version__:
            yield f"the run was last written by fdd-edge {self.manifest.made_by}, and this is {__version__}"
        yield from differences_from_here(recipe, self._certificate(recipe), self.manifest.versions)

    def _certificate(self, recipe: Recipe) -> Certificate | None:
        """Return the certificate of an artifact, or of another one of its round."""
        first = self.layout.parity(recipe.name)
        for path in (first, *(path for path in self.layout.found if path.parent == first.parent)):
            try:
                return Certificate.read(path)
            except FddError:
                continue
        return None


def _labels(stated: Any) -> ArtifactLabels:
    """Return the labels of an artifact, from what its stage states.

    Raises:
        _CannotRemakeError: They are not those of this version.
    """
    try:
        return ArtifactLabels(**stated)
    except TypeError:
        raise _CannotRemakeError("the manifest states its labels in another way than this version") from None
