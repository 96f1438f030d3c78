"""Finds what belongs to a model file: the recipe whose bounds apply to it, and its certificate."""

from __future__ import annotations

from pathlib import Path

from fdd_edge import catalog
from fdd_edge.artifacts.family import family_of
from fdd_edge.artifacts.recipe import Recipe, load_recipe, names_of
from fdd_edge.errors import FddError
from fdd_edge.ondevice.model_files import find_model, hash_model
from fdd_edge.parity import Certificate, certificate_made_here, was_checked_here
from fdd_edge.progress import warn
from fdd_edge.resolve.model_file import certificate_paths

__all__ = ["check_new", "find_bounds", "find_certificate", "passed_here"]


def find_bounds(artifact: Path, recipe: str | None) -> Recipe:
    """Return the recipe whose bounds apply to a model file: the named one, or the one that the file names.

    A file is not trusted: it can only name a packaged recipe, and its matrices must have the types that this recipe
    gives them, so that no file can choose wider bounds than its own.

    Raises:
        FddError: The file names no recipe, none that is packaged, or one that it was not made by.
    """
    family = family_of(artifact)
    if recipe is not None:
        return _check_family(load_recipe(recipe), artifact)
    facts = family.describe(artifact)
    if not facts.types:
        raise FddError(f"{artifact} contains no weights: it is damaged, or not a model.")
    advice = f"Name the recipe whose bounds apply, such as {family.example_recipe}."
    if facts.recipe is None:
        raise FddError(f"{artifact} does not name its recipe. {advice}")
    if facts.recipe not in catalog.names("export/recipes"):
        raise FddError(f"{artifact} names the recipe {facts.recipe!r}, which is not a packaged one. {advice}")
    found = _check_family(load_recipe(facts.recipe), artifact)
    if (mismatch := family.type_mismatch(artifact, facts, found)) is not None:
        raise FddError(
            f"{artifact} names the recipe {found.name}, which gives {mismatch.expected}, but it contains "
            f"{mismatch.found}. {advice}"
        )
    return found


def _check_family(recipe: Recipe, artifact: Path) -> Recipe:
    """Refuse a recipe that makes files of another family.

    Raises:
        FddError: It does; the message lists the recipes that fit.
    """
    family = family_of(artifact).device.recipe_family
    if recipe.family != family:
        raise FddError(
            f"{recipe.name} does not make {artifact.suffix} files. Recipes that do: {', '.join(names_of(family))}."
        )
    return recipe


def check_new(out: Path) -> None:
    """Refuse to overwrite something with a certificate.

    Raises:
        FddError: The file exists, or its folder does not.
    """
    if out.exists():
        raise FddError(f"{out} already exists; choose another file, or delete it.")
    if not out.parent.is_dir():
        raise FddError(f"The folder {out.parent} does not exist; create it, or choose another one.")


def find_certificate(artifact: Path, sha256: str) -> Certificate | None:
    """Return the certificate of exactly this model file, from the files next to it or from its run, or None.

    If one came with the file, one that was made on this machine counts instead, if there is any, whatever the other
    says. Files that are not certificates, or are of another version, are ignored with one line that says so.

    Args:
        artifact: The model file.
        sha256: Its hash.
    """
    found: list[Certificate] = []
    for path in certificate_paths(artifact):
        if not path.is_file():
            continue
        try:
            certificate = Certificate.read(path)
        except FddError as error:
            warn(f"{error} It is ignored.")
            continue
        if certificate.artifact.get("sha256") == sha256:
            found.append(certificate)
    if not found:
        return None
    own = next((certificate for certificate in found if was_checked_here(certificate)), None)
    return own or certificate_made_here(sha256) or found[0]


def passed_here(path: Path, artifact: Path) -> bool:
    """Return whether an artifact of a run passed on this machine: a run may have been made elsewhere.

    Args:
        path: The certificate.
        artifact: Folder of the artifact; if it was deleted to save space, the certificate alone counts.
    """
    try:
        certificate = Certificate.read(path)
    except FddError:
        return False
    model = find_model(artifact)
    is_its_own = not model.is_file() or hash_model(model) == certificate.artifact.get("sha256")
    return certificate.passed and was_checked_here(certificate) and is_its_own
