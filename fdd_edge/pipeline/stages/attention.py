"""The stage that lets a target choose its attention, once for all rounds: they are compared with one another."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from fdd_edge.artifacts.recipe import Recipe
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.attention_choice import measure_attention, read_attention
from fdd_edge.pipeline.run import Run
from fdd_edge.runs import ArtifactsLayout, PrunedInputError
from fdd_edge.targets import Profile

__all__ = ["choose_attention"]

VERSION = 1


def choose_attention(run: Run, layout: ArtifactsLayout, recipe: Recipe, target: Profile, asking: Asking) -> bool:
    """Return whether a target decodes with flash attention; unless it was measured before, an artifact is used for it.

    Args:
        run: The run.
        layout: Where the artifact is.
        recipe: Its recipe.
        target: The target.
        asking: How it will be asked, with the target's threads.
    """
    out = run.layout.attention(target.name)
    # Which artifact it is measured with is not part of the fingerprint, because the choice is meant for all of them.
    run.stages.ensure(
        out,
        partial(_measure, run, layout.artifact(recipe.name)),
        version=VERSION,
        inputs={},
        is_file=True,
        runtime=run.runtime(target, recipe),
        threads=asking.decoding.threads,
        batch_size=asking.together,
    )
    return read_attention(out)


def _measure(run: Run, artifact: Path, out: Path, **given: Any) -> None:
    if run.stages.is_pruned(artifact):
        raise PrunedInputError(artifact)
    measure_attention(out, artifact=artifact, **given)
