"""The float model behind a name: a run's best round, or anything that names a student."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from fdd_edge.errors import FddError
from fdd_edge.ondevice.prompt import PLACEHOLDER
from fdd_edge.resolve.prompts import student_prompt
from fdd_edge.resolve.student import MODEL_CARD, Student, open_student
from fdd_edge.runs import Manifest, RoundLayout, RunLayout, Stages

__all__ = ["Source", "TrainedOn", "check_kept", "open_source"]


class TrainedOn(NamedTuple):
    """What a round of a run was trained on: a file of problems, and the seed that draws from them."""

    problems: Path
    seed: int


class Source(NamedTuple):
    """A float model to export.

    Attributes:
        student: Its folder and vocabulary.
        template: The prompt to store: the one it was trained on, or the one that was asked for.
        base: What it was trained from, where this tool trained it.
        round: The round it comes from, where it does.
        trained: Whether ``template`` was chosen for it; else it is a model as it came, asked in plain words.
        trained_on: What an importance matrix is measured on, where it is a run's.
        aware_of: Tensor type whose rounding it was trained for, where it was.
        place: The round's folder, where it is a run's and asked by the round's own prompt.
    """

    student: Student
    template: str
    base: str | None
    round: int | None
    trained: bool
    trained_on: TrainedOn | None = None
    aware_of: str | None = None
    place: RoundLayout | None = None


def open_source(
    name: str, *, revision: str | None = None, prompt: str | None, families: Collection[str] = ("gguf",)
) -> Source:
    """Open a model to export: a run or round (its merged student), or anything that names a student.

    Args:
        name: HF folder or hub id, ``.gguf``, ``package:NAME``, a run, or a round of one.
        revision: Branch, tag or commit of a hub id.
        prompt: Stored in the artifacts; None takes the one the model was trained on, or ``plain``.
        families: Of the artifacts that will be made of it.

    Raises:
        FddError: There is no such model.
    """
    path = Path(name)
    place: RoundLayout | None = None
    if path.is_dir():
        run = RunLayout(path if RunLayout(path).is_run() else path.resolve().parent)
        if run.is_run():
            place = best_round(run, name) if run.root == path else RoundLayout(path.resolve())
            merged = place.merged
            check_kept(run, merged, name)
            if not merged.is_dir():
                raise FddError(f"{name} has no merged student yet; let the run finish a round.")
            path = merged
    student = open_student(str(path) if path.is_dir() else name, revision, families=families)
    card = _read_model_card(student.folder / MODEL_CARD)
    template = card.get("prompt_template") if prompt is None else None
    trained = template is not None or prompt is not None
    if template is None:
        template = student_prompt(prompt or "plain", student.folder)
    student = student._replace(license=student.license or card.get("license"))
    aware_of = card.get("quantization_aware")
    if place is None:
        return Source(student, template, card.get("base"), None, trained, aware_of=aware_of)
    # As the loop names it, and by the loop's draw: whoever exports a round again gets the same file.
    student = student._replace(name=f"{card.get('base', student.name)} {place.root.name}")
    trained_on = TrainedOn(place.train, _training_seed(place))
    # ParityPrompt by another prompt it is another thing than what the round has measured.
    measured = place if prompt is None else None
    return Source(student, template, card.get("base"), place.number, trained, trained_on, aware_of, measured)


def _training_seed(place: RoundLayout) -> int:
    run = RunLayout(place.root.parent)
    stage = Manifest(run.manifest).stages[place.adapter.relative_to(run.root).as_posix()]
    return int(stage.params["seed"])


def _read_model_card(path: Path) -> dict[str, str]:
    """Return what a merged student says of itself; nothing where it has no card.

    Raises:
        FddError: The file is no such card.
    """
    if not path.is_file():
        return {}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FddError(f"{path} is no JSON ({error}); restore it, or remove it.") from None
    if not isinstance(card, dict):
        raise FddError(f"{path} is no JSON object; restore it, or remove it.")
    known = {
        key: card[key]
        for key in ("prompt_template", "base", "license", "quantization_aware")
        if card.get(key) is not None
    }
    wrong = [key for key, value in known.items() if not isinstance(value, str)]
    if wrong:
        raise FddError(f"{path}: {wrong[0]} must be a text, not {known[wrong[0]]!r}; restore the file, or remove it.")
    if PLACEHOLDER not in known.get("prompt_template", PLACEHOLDER):
        raise FddError(f"{path}: prompt_template does not hold {PLACEHOLDER}; restore the file, or remove it.")
    return known


def best_round(run: RunLayout, name: str) -> RoundLayout:
    """Return the best round of a run.

    Raises:
        FddError: It has none.
    """
    if not run.best.exists():
        why = "its gates held every round back" if run.round(0).summary.is_file() else "no round is finished"
        raise FddError(f"{name} has no best round, because {why}; name a round, such as {run.newest.root}.")
    return RoundLayout(run.best.resolve())


def check_kept(run: RunLayout, output: Path, name: str) -> None:
    """Say so where a round's model was made and deleted again."""
    output = output.resolve()
    root = run.root.resolve()
    if output.is_relative_to(root) and Stages(root, Manifest(run.manifest)).is_pruned(output):
        raise FddError(f"The model of {name} was deleted, as `keep` of its config says; name a round that is kept.")
