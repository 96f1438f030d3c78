"""The stage that runs an artifact on a target over a set of problems."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fdd_edge.artifacts.recipe import Recipe
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.evaluate import evaluate
from fdd_edge.pipeline.run import Run
from fdd_edge.records import Problem, ProblemSet
from fdd_edge.runs import ArtifactsLayout
from fdd_edge.runs.stage_files import NON_EASY, POOL, SHOWN
from fdd_edge.targets import Profile

__all__ = ["complete"]

VERSION = 4

_PURPOSES = {POOL: "labelling", NON_EASY: "what is lost", SHOWN: "a few questions"}
"""What the run's own sets are for, in the progress line."""


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
    title = f"{recipe.name} on {target.name}, {_PURPOSES.get(dataset, dataset)}"
    run.stages.ensure(
        out,
        partial(evaluate, title=title),
        version=VERSION,
        inputs={"artifact": layout.artifact(recipe.name)},
        problems=ProblemSet(problems),
        runtime=runtime,
        asking=asking.on(runtime),
    )
    return out
