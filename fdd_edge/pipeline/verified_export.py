"""Verifies a folder that ``fdd-edge export`` wrote: its artifacts, what lies next to them, and their certificates."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from fdd_edge.artifacts.artifact_card import CARD_FILE, wrong_key
from fdd_edge.artifacts.facts import ModelFacts, describe_model
from fdd_edge.artifacts.family import family_named
from fdd_edge.artifacts.recipe import Recipe, load_recipe
from fdd_edge.errors import FddError
from fdd_edge.ondevice.model_files import find_model
from fdd_edge.operations.bundle import PROMPT_FILE, RUNNER_FILE
from fdd_edge.operations.certificate_check import check_certificate
from fdd_edge.operations.certificate_lookup import find_bounds
from fdd_edge.operations.export import export_from_student, quantize
from fdd_edge.operations.remake import compare_remade, differences_from_here, how_to_fix
from fdd_edge.parity import CERTIFICATE_FILE, Certificate
from fdd_edge.pipeline.findings import Finding
from fdd_edge.resolve.model import FloatModel, open_float_model
from fdd_edge.runs.hashing import HashCache
from fdd_edge.targets.runner_archive import pack_runner

__all__ = ["verified_export"]


def verified_export(path: Path, artifacts: Sequence[Path], reference: str | None) -> Iterator[Finding]:
    """Yield a finding for everything in exported artifacts that can be compared.

    Args:
        path: The folder that was named.
        artifacts: Folders of artifacts: itself, or folders in it.
        reference: The float model that they were made from.

    Raises:
        FddError: The float model cannot be opened.
    """
    for folder in artifacts:
        yield from _Exported(folder, "" if folder == path else f"{folder.name}/", reference).findings()


@dataclass(frozen=True)
class _Exported:
    """An exported artifact.

    Attributes:
        folder: Its folder.
        prefix: What comes before the names of its files.
        reference: The float model that it was made from, if the caller names it.
    """

    folder: Path
    prefix: str
    reference: str | None

    def findings(self) -> Iterator[Finding]:
        """Yield what was found about its files, its certificate, and its bytes."""
        try:
            facts = describe_model(self._model)
        except FddError as error:
            yield self._finding(self._model.name, False, str(error), "Do not use it; export it again.")
            return
        yield self._card()
        yield self._prompt(facts)
        yield self._runner()
        yield self._certificate(facts)
        yield self._remade()

    @property
    def _model(self) -> Path:
        return find_model(self.folder)

    def _finding(self, name: str, holds: bool | None, says: str, fix: str | None = None) -> Finding:
        return Finding(f"{self.prefix}{name}", holds, says, fix)

    def _card(self) -> Finding:
        if not (self.folder / CARD_FILE).is_file():
            return self._finding(CARD_FILE, None, "is not here, so nothing says how the artifact was made")
        try:
            key = wrong_key(self.folder)
        except (OSError, ValueError) as error:
            return self._finding(CARD_FILE, False, f"cannot be read ({error})", self._export_again)
        if key is None:
            return self._finding(CARD_FILE, True, "says what the model file says")
        return self._finding(
            CARD_FILE, False, f"says something else about {key} than the model file", self._export_again
        )

    def _prompt(self, facts: ModelFacts) -> Finding:
        path = self.folder / PROMPT_FILE
        if not path.is_file():
            return self._finding(PROMPT_FILE, None, "is not here")
        if path.read_bytes() == (facts.prompt_template or "").encode():
            return self._finding(PROMPT_FILE, True, "is the prompt in the model file")
        return self._finding(PROMPT_FILE, False, "is another prompt than the one in the model file", self._export_again)

    def _runner(self) -> Finding:
        path = self.folder / RUNNER_FILE
        if not path.is_file():
            return self._finding(RUNNER_FILE, None, "is not here")
        if path.read_bytes() == pack_runner():
            return self._finding(RUNNER_FILE, True, "is the runner of this version of fdd-edge")
        return self._finding(
            RUNNER_FILE, None, "is not the runner of this version of fdd-edge: of another version, or changed"
        )

    def _certificate(self, facts: ModelFacts) -> Finding:
        path = self.folder / CERTIFICATE_FILE
        if not path.is_file():
            return self._finding(CERTIFICATE_FILE, None, "is not here, so the file was compared with no float model")
        folder_sha256 = None if self._source is None else HashCache().of(self._source.student.folder)
        found = check_certificate(path, self._model, str(facts.recipe), folder_sha256=folder_sha256)
        model = self.reference or "MODEL"
        fix = (
            f"Do not rely on it; compare the file anew: fdd-edge parity {shlex.quote(str(self.folder))} --reference "
            f"{shlex.quote(model)}"
        )
        return self._finding(CERTIFICATE_FILE, found.holds, found.says, fix if found.holds is False else None)

    def _remade(self) -> Finding:
        name = self._model.name
        try:
            recipe = find_bounds(self._model, None)
            found = self._maker(recipe)
            if isinstance(found, str):
                return self._finding(name, None, f"cannot be made again: {found}")
            source, make = found
            difference = compare_remade(self.folder, make)
        except FddError as error:
            return self._finding(name, None, f"cannot be made again: {error}")
        if difference is None:
            return self._finding(name, True, f"made again from {source}, the same bytes")
        reasons = list(differences_from_here(recipe, self._read_certificate(), {}))
        says = f"is not what {recipe.name} makes of {source}: {difference}"
        fix = f"Do not use {self.folder / difference.file}. {self._export_again}"
        return self._finding(difference.file, False, says, how_to_fix(fix, reasons))

    def _maker(self, recipe: Recipe) -> tuple[str, Callable[[Path], object]] | str:
        """Return what the artifact was made from and what makes it again, or why it cannot be."""
        float_name = family_named(recipe.family).float_recipe
        float_artifact = self.folder.resolve().parent / float_name
        if recipe.measures_imatrix:
            return "its importance matrix was not kept"
        if recipe.needs_float_artifact and self._source is None:
            if not find_model(float_artifact).is_file():
                return f"{float_name}, which it was made from, is not next to it; name its float model: --reference"
            imatrix = recipe.imatrix_file
            return float_name, partial(quantize, float_artifact=float_artifact, imatrix=imatrix, recipe=recipe)
        if self._source is None:
            return "its float model is not here; name it: --reference"
        prompt = describe_model(self._model).prompt_template
        return str(self.reference), partial(_export, source=self._source, recipe=recipe, prompt=prompt)

    @cached_property
    def _source(self) -> FloatModel | None:
        if self.reference is None:
            return None
        return open_float_model(self.reference, prompt=None, families={find_bounds(self._model, None).family})

    def _read_certificate(self) -> Certificate | None:
        try:
            return Certificate.read(self.folder / CERTIFICATE_FILE)
        except FddError:
            return None

    @property
    def _export_again(self) -> str:
        return f"Copy {self.folder} again from where it was exported, or export it again."


def _export(out: Path, *, source: FloatModel, recipe: Recipe, prompt: str | None) -> None:
    """Make an artifact as ``fdd-edge export`` does, with the prompt that is stored in it."""
    labels = source.labels
    if prompt not in (None, source.template):
        labels = replace(labels, prompt_template=prompt, trained=True)
    if not recipe.needs_float_artifact:
        export_from_student(out, merged=None, student=source.student, labels=labels, recipe=recipe)
        return
    float_recipe = load_recipe(family_named(recipe.family).float_recipe)
    float_artifact = out.with_name(float_recipe.name)
    export_from_student(float_artifact, merged=None, student=source.student, labels=labels, recipe=float_recipe)
    quantize(out, float_artifact=float_artifact, imatrix=recipe.imatrix_file, recipe=recipe)
