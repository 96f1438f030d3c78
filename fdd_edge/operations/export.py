"""Exporting a student by recipe: straight from its folder, or by quantizing the float artifact of the family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from fdd_edge.artifacts.artifact_card import ArtifactCard, read_card, write_card
from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.family import family_for, family_named
from fdd_edge.artifacts.recipe import Recipe, is_float, load_recipe, names_of
from fdd_edge.disk_space import check_disk, check_room, format_bytes
from fdd_edge.errors import FddError, ParityError
from fdd_edge.ondevice.model_files import find_model
from fdd_edge.operations.bundle import write_bundle
from fdd_edge.operations.certify import (
    CERTIFICATE_PROMPTS,
    certify_file,
    failure_message,
    packaged_prompts,
    reference_of,
)
from fdd_edge.operations.imatrix import imatrix_path, measure_on
from fdd_edge.parity import CERTIFICATE_FILE, Certificate
from fdd_edge.progress import announce, warn, working
from fdd_edge.records import Problem, read_problems
from fdd_edge.resolve.model import FloatModel
from fdd_edge.resolve.student import Student
from fdd_edge.runs.atomic import publish, scratch_folder
from fdd_edge.safetensors_folder import count_parameters
from fdd_edge.targets import TargetRuntime, load_profile

__all__ = ["check_recipes", "export_all", "export_from_student", "quantize", "warn_of_rounding"]


def export_from_student(
    out: Path, *, merged: Path | None, student: Student, labels: ArtifactLabels, recipe: Recipe
) -> None:
    """Write an artifact that is made straight from a student: a float artifact, or any ONNX recipe.

    Args:
        out: Folder of the artifact.
        merged: Folder of the merged student; None exports ``student`` itself.
        student: The student, or the one that ``merged`` was trained from.
        labels: What the artifact says about its model.
        recipe: The recipe.

    Raises:
        MissingExtraError: A package that the export needs is not installed.
        FddError: The model is not supported, or the disk is too small.
    """
    if recipe.needs_float_artifact:
        raise ValueError(f"{recipe.name} quantizes a float artifact, see `quantize`")
    exported = student if merged is None else student.at(merged)
    family = family_for(recipe.family, exported.folder)
    announce(f"exporting {recipe.name} ...")
    check_disk(out, count_parameters(exported.folder), copies=recipe.disk_copies)
    out.parent.mkdir(parents=True, exist_ok=True)
    with working(f"exporting {recipe.name}"):
        family.export(exported.folder, exported.vocab, out, recipe, labels)
    write_card(out, recipe.name)


def quantize(
    out: Path, *, float_artifact: Path, imatrix: Path | None, recipe: Recipe, threads: int | None = None
) -> None:
    """Quantize a float artifact; the size of the result is announced, and checked, before it is written.

    Args:
        out: Folder of the artifact.
        float_artifact: Folder of the float artifact of the same family.
        imatrix: The importance matrix, if the recipe uses one: see ``imatrix_path``.
        recipe: The recipe.
        threads: Number of threads, which changes no byte. Default: one per core.

    Raises:
        FddError: The disk is too small, or the file cannot be written.
    """
    quantizer = family_named(recipe.family).quantizer
    if quantizer is None or not recipe.needs_float_artifact:
        raise ValueError(f"{recipe.name} does not quantize a float artifact, see `export_from_student`")
    float_model = find_model(float_artifact)
    prediction = quantizer.predict(float_model, recipe, imatrix)
    announce(
        f"exporting {recipe.name}: {format_bytes(prediction.bytes)}, {prediction.bits_per_weight:.2f} bits per "
        "weight ..."
    )
    check_room(out, prediction.bytes)
    out.mkdir(parents=True, exist_ok=True)
    with working(f"exporting {recipe.name}"):
        quantizer.write(float_model, out / float_model.name, recipe, imatrix, threads)
    write_card(out, recipe.name, prediction.fallbacks)


def export_all(
    model: FloatModel,
    out: Path,
    recipes: Sequence[Recipe],
    *,
    prompts: Sequence[Problem] = (),
    parity: bool = True,
    threads: int | None = None,
    on_certificate: Callable[[Certificate], None] = lambda certificate: None,
) -> list[ArtifactCard]:
    """Export a model by every recipe into ``out``: one folder per recipe, each ready to be copied to a board.

    An artifact whose certificate fails is left out; only its certificate is kept, as ``RECIPE.parity.json``.

    Args:
        model: The model.
        out: Receives one folder per recipe.
        recipes: The recipes.
        prompts: Prompts of the certificates; packaged ones fill them up to 64.
        parity: Whether to make certificates.
        threads: Of both sides of a certificate, and of what quantizes. Default: one per physical core.
        on_certificate: Called with each certificate, in the order of the recipes.

    Returns:
        The card of each artifact.

    Raises:
        FddError: The folder of a recipe already exists, or the disk is too small.
        ParityError: An artifact does not match the model; the others are in place, and the error holds their cards.
    """
    student = model.student
    _check_free(out, recipes)
    check_recipes(student, recipes)
    if model.quantization_aware is not None:
        warn_of_rounding(model.quantization_aware, recipes)
    check_disk(out, count_parameters(student.folder), copies=1 + 0.5 * len(recipes))
    failed: list[Certificate] = []
    with scratch_folder(out) as work:
        _write_artifacts(model, work, recipes, prompts, threads)
        reference = None
        if parity:
            reference = reference_of(student, prompts, template=model.template, trained=model.trained, threads=threads)
        out.mkdir(exist_ok=True)
        for recipe in recipes:
            artifact, certificate = work / recipe.name, None
            if reference is not None:
                runtime = TargetRuntime(load_profile("local"), recipe.family)
                certificate = certify_file(
                    find_model(artifact), student.folder, reference, recipe, runtime=runtime, threads=threads
                )
                on_certificate(certificate)
                if not _keep_certificate(certificate, artifact, out / f"{recipe.name}.{CERTIFICATE_FILE}"):
                    failed.append(certificate)
                    continue
            write_bundle(artifact, model.labels, certificate, measured=model.measured.get(recipe.name, ()))
            publish(artifact, out / recipe.name)
    cards = [read_card(out / recipe.name) for recipe in recipes if (out / recipe.name).is_dir()]
    if failed:
        raise ParityError(failure_message(failed, str(out)), cards)
    return cards


def check_recipes(student: Student, recipes: Sequence[Recipe]) -> None:
    """Refuse recipes by which a student cannot be exported, before anything is made.

    Raises:
        FddError: There is one; the message lists the recipes that fit.
    """
    for recipe in recipes:
        family = family_for(recipe.family, student.folder)
        if not family.makes(recipe):
            fitting = [name for name in names_of(recipe.family) if family.makes(load_recipe(name))]
            raise FddError(
                f"{recipe.name} cannot export {student.name}, which is an encoder-decoder. Choose one of: "
                f"{', '.join(fitting)}."
            )


def warn_of_rounding(trained_for: str, recipes: Sequence[Recipe]) -> None:
    """Warn if a student that is trained for the rounding of one tensor type is also rounded in another way.

    Args:
        trained_for: The tensor type that the student is trained for.
        recipes: The recipes by which it is exported.
    """
    for recipe in recipes:
        if not is_float(recipe) and recipe.grid != trained_for:
            warn(
                f"Warning: {recipe.name} rounds weights that were trained for the rounding of {trained_for} and are on "
                f"its grid already, so it cannot be better than gguf-{trained_for}."
            )


def _write_artifacts(
    model: FloatModel, work: Path, recipes: Sequence[Recipe], prompts: Sequence[Problem], threads: int | None
) -> None:
    """Write every recipe's artifact to a folder of its own, after the float artifacts that are quantized."""
    student = model.student
    float_recipes = {
        recipe.family: load_recipe(family_named(recipe.family).float_recipe)
        for recipe in recipes
        if recipe.needs_float_artifact
    }
    from_student = [*float_recipes.values(), *(recipe for recipe in recipes if not recipe.needs_float_artifact)]
    for recipe in {recipe.name: recipe for recipe in from_student}.values():
        export_from_student(work / recipe.name, merged=None, student=student, labels=model.labels, recipe=recipe)
    measured = work / "measured.gguf"
    if any(recipe.measures_imatrix for recipe in recipes):
        _measure_imatrix(model, measured, prompts, threads)
    for recipe in recipes:
        if recipe.needs_float_artifact:
            quantize(
                work / recipe.name,
                float_artifact=work / float_recipes[recipe.family].name,
                imatrix=imatrix_path(recipe, measured),
                recipe=recipe,
                threads=threads,
            )


def _measure_imatrix(model: FloatModel, out: Path, prompts: Sequence[Problem], threads: int | None) -> None:
    """Measure the importance matrix on what the model's round was trained on, or else on the certificate's prompts."""
    trained_on = model.trained_on
    measure_on(
        model.student,
        read_problems(trained_on.problems) if trained_on else prompts or packaged_prompts()[:CERTIFICATE_PROMPTS],
        out,
        template=model.template,
        seed=trained_on.seed if trained_on else 0,
        source="the run's" if trained_on else "the certificate's",
        threads=threads,
    )


def _keep_certificate(certificate: Certificate, artifact: Path, outside: Path) -> bool:
    """Write a certificate into its artifact if it passed, otherwise next to it; return whether it passed."""
    if certificate.passed:
        certificate.write(artifact / CERTIFICATE_FILE)
        outside.unlink(missing_ok=True)  # of an earlier failure
    else:
        certificate.write(outside)
    return certificate.passed


def _check_free(out: Path, recipes: Sequence[Recipe]) -> None:
    """Refuse a folder that already contains one of the artifacts."""
    if out.exists() and not out.is_dir():
        raise FddError(f"{out} is a file; choose a folder.")
    taken = [recipe.name for recipe in recipes if (out / recipe.name).exists()]
    if taken:
        raise FddError(f"{out / taken[0]} already exists; choose another folder, or delete it.")
