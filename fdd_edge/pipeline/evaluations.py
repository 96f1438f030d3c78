"""The stages that run artifacts on targets: completions of every reported set, of one set, of the untuned student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from fdd_edge.artifacts.recipe import Recipe
from fdd_edge.operations.evaluate import Asking, evaluate
from fdd_edge.pipeline.benchmarks import measure_cost
from fdd_edge.pipeline.certificates import certify_artifacts, failed_certificates
from fdd_edge.pipeline.exports import export_artifacts
from fdd_edge.pipeline.forecasts import announce_eta
from fdd_edge.pipeline.run import Run
from fdd_edge.progress import announce
from fdd_edge.records import Problem, ProblemSet, read_problems
from fdd_edge.resolve.prompts import few_shot_stops, requested_prompt, worked_examples
from fdd_edge.runs import RoundLayout
from fdd_edge.runs.layout import ArtifactsLayout
from fdd_edge.runs.stage_files import VALID
from fdd_edge.targets import Profile, load_profile

__all__ = ["complete", "evaluate_reported", "evaluate_untuned"]

_VERSION = 3


def evaluate_reported(run: Run, round_dir: RoundLayout) -> None:
    """Run every artifact that passed its certificate on every target, over valid and the eval sets.

    A gate on the accuracy that the judge's artifact drops also needs the float artifact's completions of valid.
    """
    failed = failed_certificates(run, round_dir)
    recipes = [recipe for name, recipe in run.evaluated.items() if name not in failed]
    for target in run.named.targets:
        if target.transport != "local":
            announce_eta(run, round_dir, target)
        for recipe in recipes:
            measure_cost(run, round_dir, recipe, target)
            for name, path in run.reported.items():
                complete(run, round_dir, recipe, target, name, read_problems(path), run.greedy())
    float_recipe = run.named.float_recipe
    if run.config.gates.max_drop is not None and float_recipe.name not in failed:
        valid = read_problems(run.layout.valid)
        complete(run, round_dir, float_recipe, load_profile("local"), VALID, valid, run.greedy())


def evaluate_untuned(run: Run) -> None:
    """Evaluate the student before training, with worked examples in its prompt, in the judge's recipe."""
    baseline, layout, judge = run.config.baseline, run.layout.untuned, run.named.judge
    assert baseline is not None
    announce(f"The untuned student, with {baseline.num_fewshot} worked examples in its prompt")
    export_artifacts(run, layout, [judge])
    certify_artifacts(run, layout, [judge])
    if failed_certificates(run, layout):
        return
    asking = replace(
        run.greedy(),
        prompt=requested_prompt(baseline.prompt),
        examples=worked_examples(baseline.num_fewshot),
        stop=few_shot_stops(baseline.num_fewshot, baseline.prompt),
    )
    for name, path in run.reported.items():
        complete(run, layout, judge, run.named.judge_target, name, read_problems(path), asking)


def complete(
    run: Run,
    layout: ArtifactsLayout,
    recipe: Recipe,
    target: Profile,
    dataset: str,
    problems: Sequence[Problem],
    asking: Asking,
) -> Path:
    """Run one artifact on one target over one set; return the evaluation's folder."""
    out, runtime = layout.evaluation(target.name, recipe.name, dataset), run.runtime(target, recipe)
    title = f"{layout.name}: {recipe.name} on {target.name}, {dataset}"
    run.stages.ensure(
        out,
        partial(evaluate, title=title),
        version=_VERSION,
        inputs={"artifact": layout.artifact(recipe.name)},
        problems=ProblemSet(problems),
        runtime=runtime,
        asking=asking.on(runtime),
    )
    return out
