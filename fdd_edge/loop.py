"""Feedback-driven distillation (arXiv 2411.14698), judged on the device: the rounds, one after the other.

A round trains the student on all data so far, exports it, runs the exported files on the targets, splits
problems into easy and hard by what the judge solved there, and lets the teacher write the next round's problems.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from fdd_edge.artifacts.recipe import FLOAT_RECIPE, load_recipes
from fdd_edge.config import Config, changed_keys, parse_config
from fdd_edge.errors import FddError
from fdd_edge.progress import announce
from fdd_edge.runs import Manifest, RunLayout, Stages, run_lock
from fdd_edge.stages.evaluation import read_evaluation
from fdd_edge.stages.export import check_disk, count_parameters
from fdd_edge.stages.problems import dataset_inputs
from fdd_edge.stages.prompts import student_prompt
from fdd_edge.stages.student import open_student
from fdd_edge.stages.summary import RoundSummary, summarize_round
from fdd_edge.steps import (
    Run,
    dataset_specs,
    evaluate_reported,
    evaluate_untuned,
    evolve_problems,
    export_student,
    gather_data,
    read_problem_sets,
    restore_models,
    split_by_judge,
    train_student,
)
from fdd_edge.targets import load_profile
from fdd_edge.teachers import load_teacher

__all__ = ["run"]

_ROUND_COPIES = 4
"""Disk of a round in float32 copies of the student: merged, float file, quantized files, and one being written."""


def run(
    config: Config,
    source: Mapping[str, Any],
    *,
    on_round: Callable[[RoundSummary], None] = lambda summary: None,
) -> RunLayout:
    """Run a config, or go on where an earlier call stopped.

    Args:
        config: The checked config.
        source: The config as written, stored in the run folder.
        on_round: Called with the figures of every round, those finished earlier too.

    Returns:
        The run folder.

    Raises:
        FddError: The folder is another run's, something of the config is missing, or a stage failed.
    """
    layout = RunLayout(Path(config.output_dir))
    check_before_start(config, layout)
    student = open_student(config.student.model_name_or_path, config.student.revision)
    template = student_prompt(config.student.prompt, student.folder)
    with run_lock(layout.lock):
        manifest = Manifest(layout.manifest)
        layout.write_config(yaml.safe_dump(dict(source), sort_keys=False, allow_unicode=True))
        recipes = load_recipes(config.export.recipes)
        this = Run(config, layout, Stages(layout.root, manifest), manifest, student, template, recipes)
        manifest.facts["student"] = {"name": student.name, "sha256": student.sha256}
        manifest.facts["judge"] = this.judge
        manifest.write()
        read_problem_sets(this)
        parameters = count_parameters(student.folder)
        if config.baseline is not None:
            evaluate_untuned(this)
        for number in range(config.rounds):
            if not layout.round(number).merged.exists():
                check_disk(layout.root, parameters, copies=_ROUND_COPIES)
            on_round(run_round(this, number))
            keep_what_is_needed(this, number)
    return layout


def run_round(this: Run, number: int) -> RoundSummary:
    """Train, export, judge, split and evolve once; return what happened."""
    announce(f"Round {number}")
    place = this.layout.round(number)
    restore_models(this, place)
    gather_data(this, number)
    train_student(this, number)
    export_student(this, place)
    evaluate_reported(this, place)
    split_by_judge(this, number)
    evolve_problems(this, number)
    summary = summarize_round(
        this.layout,
        number,
        recipes=this.recipes,
        targets=this.target_names,
        datasets=list(this.reported),
        declined=this.manifest.facts.get("declined", {}).get(place.root.name, {}),
        shots=0 if this.config.baseline is None else this.config.baseline.shots,
    )
    place.summary.write_text(json.dumps(summary.to_row(), indent=1) + "\n", encoding="utf-8")
    return summary


def check_before_start(config: Config, layout: RunLayout) -> None:
    """Find what would stop the run later: another run's folder, unknown recipes, targets or teachers, missing files.

    Raises:
        FddError: Something was found.
    """
    if layout.is_run():
        source = yaml.safe_load(layout.config.read_text(encoding="utf-8"))
        changed = changed_keys(parse_config(source, str(layout.config)), config)
        if changed:
            raise FddError(
                f"{layout.root} holds a run with other settings ({', '.join(changed)}); "
                "name another output_dir, or set them back."
            )
    elif not layout.is_free():
        raise FddError(f"{layout.root} is not empty and holds no run; name another output_dir.")
    load_recipes(config.export.recipes)
    for target in config.targets:
        load_profile(target)
    for teacher in (*config.teacher.rationale, config.teacher.evolve):
        load_teacher(teacher)
    dataset_inputs(dataset_specs([*config.data.train, *config.data.valid, *config.data.eval]))


def choose_best(this: Run, number: int) -> int:
    """Return the round, up to ``number``, whose judge solves most of ``valid``; of equal ones the earlier."""
    target = load_profile(this.config.feedback.target).name
    folders = [this.layout.round(n).evaluation(target, this.judge, "valid") for n in range(number + 1)]
    solved = [read_evaluation(folder).summary.correct for folder in folders]
    return solved.index(max(solved))


def keep_what_is_needed(this: Run, number: int) -> None:
    """Point ``best`` at the best round, and delete the models of earlier rounds that ``keep`` does not name."""
    best = choose_best(this, number)
    this.layout.link_best(best)
    wanted = {"all": set(range(number)), "best": {best}, "last": set[int](), None: {best}}[this.config.keep]
    for old in set(range(number)) - wanted:
        place = this.layout.round(old)
        for output in (place.merged, *(place.artifact(name) for name in {FLOAT_RECIPE, *this.recipe_names})):
            this.stages.prune(output)
