"""The model file that a user names, and where its certificate may be.

Most names are of a file: what finds a student or a run is imported only for one, so that `solve` begins at once.
"""

from __future__ import annotations

from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.ondevice.families import FAMILIES
from fdd_edge.ondevice.model_files import find_model
from fdd_edge.runs import RoundLayout, RunLayout

__all__ = ["certificate_paths", "find_model_file"]


def find_model_file(name: str) -> Path:
    """Return the model file of a file, ``package:NAME``, an artifact folder, a run or a round.

    For a run, it is the judge's artifact of the best round.

    Raises:
        FddError: There is none.
    """
    if name.startswith("package:"):
        from fdd_edge.students.locate import locate

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
        *names, last = dict.fromkeys(family.model_file for family in FAMILIES.values())
        inside = [folder for folder in (*path.glob("*"), *path.glob("snapshots/*")) if find_model(folder).is_file()]
        hint = " Export it first: fdd-edge export." if (path / "config.json").is_file() else ""
        if inside:
            hint = f" Its subfolder {min(inside)} is one: name that."
        raise FddError(f"{name} is not a model file, a folder with a {', '.join(names)} or {last}, or a run.{hint}")
    from fdd_edge.resolve.model import best_round, check_kept, read_manifest

    round_dir = RoundLayout(path) if run.root != path else best_round(run, name)
    artifact = round_dir.artifact(read_manifest(run).facts.get("judge", ""))
    check_kept(run, artifact, name)
    model = find_model(artifact)
    if not model.is_file():
        raise FddError(f"{model} does not exist; make it with: fdd-edge run CONFIG -o {run.root}")
    return model


def certificate_paths(model: Path) -> list[Path]:
    """Return the files that may hold the certificate of a model file: next to it, or in its run."""
    # A link may point to an artifact, but also into the hub client's cache, where files have neither name nor suffix.
    return [path for file in dict.fromkeys((model.absolute(), model.resolve())) for path in _certificates_of(file)]


def _certificates_of(model: Path) -> list[Path]:
    from fdd_edge.parity.certificate import CERTIFICATE_FILE

    paths = [model.with_name(CERTIFICATE_FILE), model.with_suffix(f".{CERTIFICATE_FILE}")]
    is_artifact = model.name in {family.model_file for family in FAMILIES.values()}
    if is_artifact and len(model.parents) > 2:
        paths.append(RoundLayout(model.parents[2]).parity(model.parent.name))
    return paths
