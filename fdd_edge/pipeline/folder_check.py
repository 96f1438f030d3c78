"""May a run begin in a folder, or go on there?"""

from __future__ import annotations

import shlex

from fdd_edge.artifacts.recipe import float_recipe_of, load_recipes
from fdd_edge.config import Config
from fdd_edge.config_file import changed_keys, load_config
from fdd_edge.errors import FddError
from fdd_edge.runs import Manifest, RunLayout
from fdd_edge.runs.manifest import RUN_FORMAT

__all__ = ["check_folder"]


def check_folder(config: Config, layout: RunLayout) -> None:
    """Refuse a folder that holds something else, a run with other settings, or one of another format.

    Raises:
        FddError: It does; names the settings.
    """
    if not layout.is_run():
        if not layout.is_free():
            raise FddError(f"{layout.root} {_why_not_free(layout)}")
        return
    layout.refuse_links()
    _check_format(layout)
    if layout.has_work():
        _check_settings(config, layout)


def _check_format(layout: RunLayout) -> None:
    manifest = Manifest(layout.manifest)
    is_old = manifest.format != RUN_FORMAT or (not layout.manifest.exists() and layout.is_format_1())
    if is_old:
        made_by = f"fdd-edge {manifest.made_by}" if layout.manifest.exists() else "an earlier version of fdd-edge"
        raise FddError(
            f"{layout.root} was made by {made_by}, whose runs this version cannot resume; nothing in it was changed. "
            "Choose another run folder, or finish the run with that version; solve, eval, bench and export can still "
            "read it."
        )


def _check_settings(config: Config, layout: RunLayout) -> None:
    try:
        before, _ = load_config(str(layout.config))
    except FddError as error:
        raise FddError(f"{error} Restore the config that the run began with; nothing else is lost.") from None
    if changed := changed_keys(before, config):
        listed = "; ".join(f"{key} is {was!r} there, not {now!r}" for key, (was, now) in changed.items())
        raise FddError(
            f"{layout.root} holds a run with other settings: {listed}. Choose another folder, or use these settings."
        )
    was, now = (float_recipe_of(load_recipes(one.export.recipes)) for one in (before, config))
    if was != now:
        raise FddError(
            f"{layout.root} holds a run without a GGUF: its float model, which finds the lost problems, is {was}. With "
            f"a GGUF it would be {now}, and every label would change. Choose another folder; to get a GGUF of a "
            f"finished round, use: fdd-edge export {shlex.quote(str(layout.root))}"
        )


def _why_not_free(layout: RunLayout) -> str:
    """Return why no run can begin in a folder that holds none, and what to do."""
    if layout.root.is_symlink() and not layout.root.exists():
        return "is a link to a folder that does not exist; create that folder, or choose another run folder."
    if layout.root.is_file():
        return "is a file; choose another run folder."
    if layout.manifest.is_file():
        return f"is a run whose {layout.config.name} is missing; restore the config that the run began with."
    return "is not empty and does not hold a run; choose another run folder."
