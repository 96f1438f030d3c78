"""The stage that runs an artifact on a target over a set of problems."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fdd_edge.artifacts.recipe import Recipe
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.evaluate import evaluate
from fdd_edge.operations.evaluation_facts import EvaluationFacts
from fdd_edge.pipeline.run import Run
from fdd_edge.records import Problem, ProblemSet
from fdd_edge.resolve.dataset import DatasetOptions, FetchedSet, describe_set, format_of
from fdd_edge.runs import ArtifactsLayout
from fdd_edge.runs.stage_files import NON_EASY, POOL, SHOWN, VALID
from fdd_edge.targets import Profile

__all__ = ["complete", "name_set"]

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
    """Run one artifact on one target over one set; return the evaluation's folder.

    Args:
        run: The run.
        layout: Where the artifact is.
        recipe: Its recipe.
        target: The target.
        dataset: Name of the set.
        problems: The set.
        asking: How they are asked, with the attention of the target.
    """
    out, runtime = layout.evaluation(target.name, recipe.name, dataset), run.runtime(target, recipe)
    title = f"{recipe.name} on {target.name}, {_PURPOSES.get(dataset, dataset)}"

    def decode(folder: Path, **given: Any) -> None:
        evaluate(folder, title=title, named=name_set(run, dataset), **given)

    run.stages.ensure(
        out,
        decode,
        version=VERSION,
        inputs={"artifact": layout.artifact(recipe.name)},
        problems=ProblemSet(problems),
        runtime=runtime,
        asking=asking.on(runtime),
    )
    return out


def name_set(run: Run, dataset: str) -> EvaluationFacts:
    """Return what a summary says about a set, as ``fdd-edge eval`` does; of a drawn sample, its name only."""
    found = {fetched.options.label: fetched for fetched in run.sets["eval"]}
    if len(run.sets["valid"]) == 1:
        found[VALID] = run.sets["valid"][0]
    fetched = found.get(dataset)
    if fetched is None and dataset in run.reported:  # joined from several sets, or set apart from those of train
        file = run.reported[dataset]
        fetched = FetchedSet(DatasetOptions(str(file)), (file,))
    about = {} if fetched is None else describe_set(fetched, format_of(fetched))
    return EvaluationFacts(data=about | {"name": dataset})
