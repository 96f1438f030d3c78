"""Finding the model file a user names: a file, an artifact folder, or a run's best round."""

from __future__ import annotations

from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.resolve.model import best_round, check_kept
from fdd_edge.runs import Manifest, RoundLayout, RunLayout
from fdd_edge.runs.layout import MODEL_FILE, ONNX_FILE, find_model
from fdd_edge.students.locate import locate

__all__ = ["find_artifact"]


def find_artifact(name: str) -> Path:
    """Return the model file behind a file, ``package:NAME``, an artifact folder, a run or a round.

    Of a run, it is the judge's artifact of the best round.

    Raises:
        FddError: There is none.
    """
    if name.startswith("package:"):
        return locate(name).weights
    path = Path(name)
    if path.is_file():
        return path
    if not path.exists():
        raise FddError(f"{name} does not exist.")
    if find_model(path).is_file():
        return find_model(path)
    run = RunLayout(path if RunLayout(path).is_run() else path.resolve().parent)
    if not run.is_run():
        hint = " Export it first: fdd-edge export." if (path / "config.json").is_file() else ""
        raise FddError(f"{name} is no model file, no folder with a {MODEL_FILE} or {ONNX_FILE}, and no run.{hint}")
    place = RoundLayout(path) if run.root != path else best_round(run, name)
    recipe = Manifest(run.manifest).facts.get("judge", "")
    check_kept(run, place.artifact(recipe), name)
    if not place.model(recipe).is_file():
        raise FddError(f"{place.model(recipe)} is not there; make it with: fdd-edge run CONFIG -o {run.root}")
    return place.model(recipe)
