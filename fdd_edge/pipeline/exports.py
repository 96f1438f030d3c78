"""A student's files and their certificates, as stages of its folder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fdd_edge.artifacts.recipe import FLOAT_RECIPE, NO_IMATRIX, OWN_IMATRIX, GgufRecipe, OnnxRecipe, Recipe, load_recipe
from fdd_edge.errors import ParityError
from fdd_edge.operations import certify as parity
from fdd_edge.operations import export, imatrix
from fdd_edge.parity import Certificate
from fdd_edge.pipeline.run import Run
from fdd_edge.progress import announce
from fdd_edge.records import read_problems
from fdd_edge.resolve.student import Student
from fdd_edge.runs import RoundLayout
from fdd_edge.runs.layout import ArtifactsLayout

__all__ = [
    "certify",
    "export_artifacts",
    "export_student",
    "failed_certificates",
    "models",
    "restore_models",
]


def export_student(this: Run, place: RoundLayout) -> None:
    """Write the round's artifacts, and certify all that will be evaluated.

    Raises:
        ParityError: The judge's artifact is not the model it was made from.
    """
    export_artifacts(this, place, place.merged, this.recipes)
    student = this.student._replace(
        name=f"{this.student.name} {place.root.name}",
        folder=place.merged,
        vocabs=tuple(place.merged / vocab.name for vocab in this.student.vocabs),
    )
    certify(this, place, student, this.certified)
    if this.judge in (failed := failed_certificates(this, place)):
        raise ParityError(parity.failure_message([failed[this.judge]], f"{place.root.name}, whose judge it is"))


def restore_models(this: Run, place: RoundLayout) -> None:
    """Have a round's deleted models made again, because something has to be made from them."""
    announce(f"{place.root.name}: making the deleted models again")
    for output in models(this, place):
        this.stages.restore(output)


def models(this: Run, place: RoundLayout) -> list[Path]:
    """Return what ``keep`` deletes of a round, by far its largest files: the merged student, artifacts, reference."""
    artifacts = [place.artifact(name) for name in dict.fromkeys([this.float_recipe, *this.recipe_names])]
    return [place.merged, *artifacts, place.reference]


def export_artifacts(this: Run, place: ArtifactsLayout, folder: Path, recipes: Sequence[Recipe]) -> None:
    """Write the float artifact of a student before or after training, and those of recipes."""
    float_recipe = load_recipe(this.float_recipe)
    ggufs = [r for r in recipes if isinstance(r, GgufRecipe) and r.name != float_recipe.name]
    if isinstance(float_recipe, GgufRecipe):
        _export_float(this, place, folder)
        _quantize(this, place, folder, ggufs)
    graphs = [r for r in (float_recipe, *recipes) if isinstance(r, OnnxRecipe)]
    for recipe in {r.name: r for r in graphs}.values():
        _export_onnx(this, place, folder, recipe)


def _labels(this: Run, place: ArtifactsLayout, folder: Path) -> dict[str, Any]:
    """Return what an artifact says of its model."""
    inside = folder.is_relative_to(this.layout.root)
    return {
        "name": f"{this.student.name} {place.root.name}",
        "template": this.template,
        "license": this.student.license,
        "base": this.student.name if inside else None,
        "round": place.number if isinstance(place, RoundLayout) else None,
        "aware_of": this.aware_of and this.aware_of.type if inside else None,
        "trained": inside,
    }


def _vocab(this: Run, folder: Path) -> Path:
    return folder / this.student.vocab.name if folder.is_relative_to(this.layout.root) else this.student.vocab


def _export_float(this: Run, place: ArtifactsLayout, folder: Path) -> None:
    vocab, labels = _vocab(this, folder), _labels(this, place, folder)
    this.stages.ensure(
        place.artifact(FLOAT_RECIPE),
        lambda out: export.export_float(folder, vocab, out, **labels),
        version=export.EXPORT_VERSION,
        params=labels | {"student": this.student.sha256},
        inputs={"merged": folder} if labels["trained"] else {},
    )


def _export_onnx(this: Run, place: ArtifactsLayout, folder: Path, recipe: OnnxRecipe) -> None:
    vocab, labels = _vocab(this, folder), _labels(this, place, folder)
    this.stages.ensure(
        place.artifact(recipe.name),
        lambda out: export.export_onnx(folder, vocab, out, recipe, **labels),
        version=export.EXPORT_VERSION,
        params=labels | {"student": this.student.sha256, "recipe": recipe.model_dump(exclude={"parity"})},
        inputs={"merged": folder} if labels["trained"] else {},
    )


def _quantize(this: Run, place: ArtifactsLayout, folder: Path, recipes: Sequence[GgufRecipe]) -> None:
    """Quantize the float GGUF by every recipe."""
    if imatrix.wants_own(recipes):
        measure_imatrix(this, place, folder)
    for recipe in recipes:
        inputs = {"float": place.artifact(FLOAT_RECIPE)}
        if recipe.imatrix != NO_IMATRIX:
            inputs["imatrix"] = place.imatrix if recipe.imatrix == OWN_IMATRIX else Path(recipe.imatrix).expanduser()
        this.stages.ensure(
            place.artifact(recipe.name),
            partial(
                export.export_quantized, place.model(FLOAT_RECIPE), recipe=recipe, own_imatrix=inputs.get("imatrix")
            ),
            version=export.EXPORT_VERSION,
            # Its parity bounds do not change the file.
            params={"recipe": recipe.model_dump(exclude={"parity"})},
            inputs=inputs,
        )


def measure_imatrix(this: Run, place: ArtifactsLayout, folder: Path) -> None:
    """Measure what goes into each matrix of a student on problems it is trained on."""
    inside = folder.is_relative_to(this.layout.root)
    asked = place.train if isinstance(place, RoundLayout) else this.layout.seed_problems
    settings: dict[str, Any] = {
        "template": this.template,
        "adds_bos": this.student.adds_bos,
        "seed": this.config.seed,
    }
    this.stages.ensure(
        place.imatrix,
        lambda out: imatrix.measure_imatrix(folder, read_problems(asked), out, **settings),
        version=imatrix.IMATRIX_VERSION,
        params=settings | {"student": this.student.sha256},
        inputs={"problems": asked} | ({"merged": folder} if inside else {}),
        is_file=True,
    )


def certify(this: Run, place: ArtifactsLayout, student: Student, recipes: Sequence[str]) -> None:
    """Hold artifacts against their float model; failed ones are certified as such, and named."""
    this.manifest.facts.setdefault("parity", {})[place.root.name] = "made" if this.parity else "skipped"
    this.manifest.write()
    if not this.parity:
        return
    made_from = {"student": student.folder} if student.folder.is_relative_to(this.layout.root) else {}
    pool = {"seed": this.layout.seed_problems, "valid": this.layout.valid}
    trained = isinstance(place, RoundLayout)
    facts: dict[str, Any] = {"template": this.template, "trained": trained, "seed": this.config.seed}
    this.stages.ensure(
        place.reference,
        lambda out: parity.write_reference(
            student, list(pool.values()), out, threads=this.config.training.threads, **facts
        ),
        version=parity.PARITY_VERSION,
        params=facts | {"student": this.student.sha256, "packaged": parity.packaged_sha256()},
        inputs=made_from | pool,
        is_file=True,
    )
    # A config may hold paths, so the recipes are those that were loaded; the float one need not be among them.
    loaded = {recipe.name: recipe for recipe in (load_recipe(this.float_recipe), *this.recipes)}
    for recipe in (loaded[name] for name in recipes):
        settings: dict[str, Any] = {"target": this.certified_on, "threads": this.threads}
        model = place.model(recipe.name)
        made = this.stages.ensure(
            place.parity(recipe.name),
            partial(parity.write_certificate, model, student.folder, place.reference, recipe, **settings),
            version=parity.PARITY_VERSION,
            params=parity.certificate_params(recipe, **settings) | {"student": this.student.sha256},
            inputs=made_from | {"artifact": place.artifact(recipe.name), "reference": place.reference},
            is_file=True,
        )
        # The others may be damaged: whether they are is found out as each has its turn.
        if made and not (certificate := Certificate.read(place.parity(recipe.name))).passed:
            announce(parity.failure_message([certificate], f"the evaluations of {place.root.name}"))


def failed_certificates(this: Run, place: ArtifactsLayout) -> dict[str, Certificate]:
    """Return the failed certificates of a round, or of the untuned student, by recipe; none where none are made."""
    made = [recipe for recipe in this.certified if this.parity and place.parity(recipe).is_file()]
    certificates = {recipe: Certificate.read(place.parity(recipe)) for recipe in made}
    return {recipe: certificate for recipe, certificate in certificates.items() if not certificate.passed}
