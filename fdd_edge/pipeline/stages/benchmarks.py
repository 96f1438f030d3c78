"""The stage that measures what an artifact costs on a target."""

from __future__ import annotations

from fdd_edge.artifacts.recipe import Recipe
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.bench import write_measurement
from fdd_edge.pipeline.run import Run
from fdd_edge.runs import ArtifactsLayout
from fdd_edge.targets import Profile

__all__ = ["measure_cost"]

VERSION = 2


def measure_cost(run: Run, layout: ArtifactsLayout, recipe: Recipe, target: Profile, asking: Asking) -> None:
    """Measure what one artifact costs on a target that is asked in some way: load time, speeds, memory."""
    runtime = run.runtime(target, recipe)
    run.stages.ensure(
        layout.bench(target.name, recipe.name),
        write_measurement,
        version=VERSION,
        inputs={"artifact": layout.artifact(recipe.name)},
        is_file=True,
        runtime=runtime,
        threads=asking.decoding.threads,
        flash_attention=bool(asking.decoding.flash_attention),
        budgets=target.budgets,
    )
