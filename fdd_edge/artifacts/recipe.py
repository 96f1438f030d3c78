"""A recipe: one YAML file that says how an artifact is made. Adding a quantization means adding a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import yaml
from pydantic import ValidationError

from fdd_edge import catalog
from fdd_edge.artifacts.base_recipe import Recipe
from fdd_edge.artifacts.family import all_families, family_named
from fdd_edge.artifacts.gguf.gguf_recipe import FLOAT_RECIPE, NO_IMATRIX, OWN_IMATRIX, GgufRecipe
from fdd_edge.bounded_yaml import load_yaml
from fdd_edge.errors import FddError
from fdd_edge.parity_bounds import Bounds
from fdd_edge.yaml_errors import faults_of, known_keys, yaml_fault

__all__ = [
    "FLOAT_RECIPE",
    "NO_IMATRIX",
    "OWN_IMATRIX",
    "GgufRecipe",
    "Recipe",
    "families_of",
    "float_recipe_of",
    "is_float",
    "load_gguf_recipe",
    "load_recipe",
    "load_recipes",
    "names_of",
    "recipe_of_stage",
]


def load_recipe(name_or_path: str) -> Recipe:
    """Load a recipe by name or path.

    Raises:
        FddError: There is no such recipe, or the file is not a valid one.
    """
    path = catalog.find("export/recipes", name_or_path)
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise FddError(f"{path} cannot be read as YAML: {yaml_fault(error)}.") from None
    name = content.get("family") if isinstance(content, dict) else None
    known = list(dict.fromkeys(family.device.recipe_family for family in all_families()))
    if name not in known:
        raise FddError(f"{path} is not a valid recipe: family: must be one of {', '.join(known)}, not {name!r}")
    recipe_class = family_named(name).recipe_class
    try:
        return recipe_class.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(faults_of(error, partial(known_keys, recipe_class)))
        raise FddError(f"{path} is not a valid recipe: {faults}") from None


_ANY = Bounds(tensors=1, logits_median=1, logits_p99=1, kl_mean=1, greedy=0, stops=0, clear_lead=0)


def recipe_of_stage(fingerprint: object) -> Recipe:
    """Return the recipe that an artifact of a run was made by, from what its stage states; its bounds are not known.

    Raises:
        FddError: It is not a recipe of this version.
    """
    try:
        content = dict(fingerprint)  # type: ignore[call-overload]  # checked by the class
        recipe_class = family_named(content["family"]).recipe_class
        return recipe_class.model_validate({**content, "description": "", "parity": _ANY})
    except (TypeError, ValueError, KeyError):
        raise FddError(f"{fingerprint!r:.200} is not a recipe of this version of fdd-edge.") from None


def load_gguf_recipe(name_or_path: str, key: str = "") -> GgufRecipe:
    """Load a recipe that must be a GGUF recipe.

    Args:
        name_or_path: The recipe.
        key: The config key that names it, for the message.

    Raises:
        FddError: It is of another family; the message lists the packaged GGUF recipes.
    """
    recipe = load_recipe(name_or_path)
    if isinstance(recipe, GgufRecipe):
        return recipe
    raise FddError(
        f"{f'{key}: ' if key else ''}{recipe.name} makes {recipe.family.upper()} files; choose a GGUF recipe: "
        f"{', '.join(names_of('gguf'))}."
    )


def load_recipes(names: Sequence[str]) -> list[Recipe]:
    """Load recipes in the given order, each once."""
    return [load_recipe(name) for name in dict.fromkeys(names)]


def names_of(recipe_family: str) -> list[str]:
    """Return the names of the packaged recipes of a family."""
    return [name for name in catalog.names("export/recipes") if load_recipe(name).family == recipe_family]


def families_of(names: Iterable[str]) -> set[str]:
    """Return the families of recipes, by their names."""
    return {load_recipe(name).family for name in names}


def float_recipe_of(recipes: Iterable[Recipe]) -> str:
    """Return the name of the recipe of the float artifact that goes with recipes: a GGUF if any of them is one."""
    wanted = {recipe.family for recipe in recipes}
    # The order of the families decides if there are several. Without any recipe, the last one is as good as any.
    float_recipes = {family.device.recipe_family: family.float_recipe for family in all_families()}
    return next((name for family, name in float_recipes.items() if family in wanted), [*float_recipes.values()][-1])


def is_float(recipe: Recipe) -> bool:
    """Return whether a recipe makes the float artifact of its family."""
    return recipe.name == family_named(recipe.family).float_recipe
