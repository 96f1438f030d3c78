"""The float model behind a name: the best round of a run, or anything that names a student."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.prompt import PLACEHOLDER
from fdd_edge.progress import announce
from fdd_edge.resolve.prompts import student_prompt
from fdd_edge.resolve.student import MODEL_CARD, Student, open_student
from fdd_edge.resolve.student_hash import hash_weights
from fdd_edge.runs import Manifest, RoundLayout, RunLayout, Stages
from fdd_edge.runs.stage_files import NON_EASY, POOL, EvaluationFiles

__all__ = ["FloatModel", "MeasuredSet", "TrainedOn", "best_round", "check_kept", "open_float_model", "read_manifest"]


class TrainedOn(NamedTuple):
    """What a round of a run was trained on: a file of problems, and the seed of its draws."""

    problems: Path
    seed: int


class MeasuredSet(NamedTuple):
    """How many problems of one set an artifact solves on one target.

    Attributes:
        target: Name of the device profile.
        dataset: Name of the set.
        n: Number of completions.
        correct: Number of completions with the gold answer.
        ci95: 95 % interval of the share.
    """

    target: str
    dataset: str
    n: int
    correct: int
    ci95: tuple[float, float]


class FloatModel(NamedTuple):
    """A float model to export.

    Attributes:
        student: Its folder and vocabularies.
        template: The prompt to store: the one it was trained on, or the one that was asked for.
        base: Name of the model it was trained from, if it was trained by this tool.
        round: The round it comes from, if it comes from a run.
        trained: Whether ``template`` was chosen for it; otherwise it is an untrained model with the default prompt.
        trained_on: What its round was trained on.
        quantization_aware: The tensor type whose rounding it was trained for, if any.
        measured: What its round measured, by recipe; empty if it is exported with another prompt.
    """

    student: Student
    template: str
    base: str | None
    round: int | None
    trained: bool
    trained_on: TrainedOn | None = None
    quantization_aware: str | None = None
    measured: Mapping[str, tuple[MeasuredSet, ...]] = {}

    @property
    def labels(self) -> ArtifactLabels:
        """What its artifacts say about it."""
        return ArtifactLabels(
            name=self.student.name,
            prompt_template=self.template,
            license=self.student.license,
            base=self.base,
            round=self.round,
            quantization_aware=self.quantization_aware,
            trained=self.trained,
        )


def open_float_model(
    name: str, *, revision: str | None = None, prompt: str | None, families: Collection[str] = ("gguf",)
) -> FloatModel:
    """Open a model to export: a run or round (its merged student), or anything that names a student.

    Args:
        name: Hugging Face folder or hub id, ``.gguf``, ``package:NAME``, a run, or a round of one.
        revision: Branch, tag or commit of a hub id.
        prompt: Stored in the artifacts. Default: the one the model was trained on, or ``plain``.
        families: Families of the recipes by which it will be exported.

    Raises:
        FddError: There is no such model.
    """
    path = Path(name)
    if not path.exists() and RunLayout(path.parent).is_run():
        raise FddError(f"{path.parent} is a run without {path.name!r}; name one of its rounds.")
    round_dir = _round_named(path, name) if path.is_dir() else None
    if round_dir is not None:
        path = round_dir.merged
    student = open_student(str(path) if path.is_dir() else name, revision, families=families)
    card = _read_model_card(student.folder / MODEL_CARD)
    if card.pop("weights_sha256", None) not in (None, hash_weights(student.files)):
        _announce_stale(path / MODEL_CARD, card, prompt)
    template = card.get("prompt_template") if prompt is None else None
    trained = template is not None or prompt is not None
    if template is None:
        template = student_prompt(prompt or "plain", student.folder)
    student = student._replace(license=student.license or card.get("license"))
    model = FloatModel(
        student, template, card.get("base"), None, trained, quantization_aware=card.get("quantization_aware")
    )
    if round_dir is None:
        return model
    # Named as in the run, and with the run's draws: exporting a round again gives the same files.
    return model._replace(
        student=student._replace(name=f"{card.get('base', student.name)} {round_dir.name}"),
        round=round_dir.number,
        trained_on=TrainedOn(round_dir.train, _seed_of(RunLayout(round_dir.root.parent))),
        # Asked with another prompt, it is not the model that the round has measured.
        measured=_measured(round_dir) if prompt is None else {},
    )


def _round_named(path: Path, name: str) -> RoundLayout | None:
    """Return the round that a folder names: the round itself, or the best one of a run; None if it is neither.

    Raises:
        FddError: It has no merged student.
    """
    run = RunLayout(path if RunLayout(path).is_run() else path.resolve().parent)
    if not run.is_run():
        return None
    round_dir = best_round(run, name) if run.root == path else RoundLayout(path.resolve())
    check_kept(run, round_dir.merged, name)
    if not round_dir.merged.is_dir():
        raise FddError(f"{name} has no merged student yet; let the run finish a round.")
    return round_dir


def read_manifest(run: RunLayout) -> Manifest:
    """Read the manifest of a run.

    Raises:
        FddError: It is missing or damaged.
    """
    if not run.manifest.is_file():
        raise FddError(
            f"{run.manifest} is missing. Restore it, or make every stage of the run again: fdd-edge run {run.root}"
        )
    return Manifest(run.manifest)


def _seed_of(run: RunLayout) -> int:
    """Return the seed of a run, which its manifest states with the data sets that it divided."""
    seed = read_manifest(run).stages[run.data.relative_to(run.root).as_posix()].options["seed"]
    assert isinstance(seed, int)
    return seed


def _measured(round_dir: RoundLayout) -> dict[str, tuple[MeasuredSet, ...]]:
    """Return what a round measured on sets that it was not trained on, by recipe."""
    measured: dict[str, tuple[MeasuredSet, ...]] = {}
    for folder in sorted(path for path in round_dir.evaluations.glob("*/*/*") if path.is_dir()):
        target, recipe, dataset = folder.parts[-3:]
        summary = EvaluationFiles(folder).summary
        # The pool was trained on, and the non-easy problems are those that failed: neither shows what the file can do.
        if dataset in (POOL, NON_EASY) or not summary.is_file():
            continue
        row = parse_json(summary.read_text(encoding="utf-8"))
        low, high = row["ci95"]
        found = MeasuredSet(target, dataset, row["n"], row["correct"], (low, high))
        measured[recipe] = (*measured.get(recipe, ()), found)
    return measured


def _read_model_card(path: Path) -> dict[str, str]:
    """Return what a merged student says about itself; nothing if it has no card.

    Raises:
        FddError: The file is not a valid card.
    """
    if not path.is_file():
        return {}
    try:
        card = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FddError(f"{path} is not valid JSON ({error}); restore it, or delete it.") from None
    if not isinstance(card, dict):
        raise FddError(f"{path} is not a JSON object; restore it, or delete it.")
    known = {
        key: card[key]
        for key in ("prompt_template", "base", "license", "quantization_aware", "weights_sha256")
        if card.get(key) is not None
    }
    wrong = [key for key, value in known.items() if not isinstance(value, str)]
    if wrong:
        raise FddError(f"{path}: {wrong[0]} must be a string, not {known[wrong[0]]!r}; restore the file, or delete it.")
    if PLACEHOLDER not in known.get("prompt_template", PLACEHOLDER):
        raise FddError(f"{path}: prompt_template does not contain {PLACEHOLDER}; restore the file, or delete it.")
    return known


def _announce_stale(path: Path, card: dict[str, str], prompt: str | None) -> None:
    """Say that a model was trained on by another tool since its card was written, and forget what is no longer so."""
    card.pop("quantization_aware", None)
    kept = ""
    if prompt is None and "prompt_template" in card:
        kept = (
            " Its prompt is used all the same; if the model was trained on with another one, choose that with --prompt."
        )
    announce(f"{path} is older than the weights next to it, which another tool has written.{kept}")


def best_round(run: RunLayout, name: str) -> RoundLayout:
    """Return the best round of a run.

    Raises:
        FddError: It has none, or its link leads elsewhere.
    """
    if not run.best.exists():
        why = "none passed its gates" if run.round(0).summary.is_file() else "none has finished"
        raise FddError(f"{name} has no best round, because {why}. Name a round, such as {run.newest.root}.")
    found = run.best.resolve()
    if found not in [round_dir.root.resolve() for round_dir in run.rounds]:
        raise FddError(f"{run.best} does not lead to a round of this run. Name a round, such as {run.newest.root}.")
    return RoundLayout(found)


def check_kept(run: RunLayout, output: Path, name: str) -> None:
    """Refuse a round whose model was deleted to save space.

    Raises:
        FddError: It was.
    """
    output = output.resolve()
    root = run.root.resolve()
    if output.is_relative_to(root) and Stages(root, Manifest(run.manifest)).is_pruned(output):
        raise FddError(
            f"The model of {name} was deleted to save space, as `keep` in its config says. Name a round that was kept."
        )
