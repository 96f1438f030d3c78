"""The stage that selects which of the new problems the next round trains on."""

from __future__ import annotations

from fdd_edge.operations.curate import curate_offspring
from fdd_edge.pipeline.run import Run
from fdd_edge.runs import RoundLayout

__all__ = ["curate_problems"]

VERSION = 7


def curate_problems(run: Run, round_dir: RoundLayout) -> None:
    """Select problems; the others keep the reason."""
    run.stages.ensure(
        round_dir.curated,
        curate_offspring,
        version=VERSION,
        inputs={"evolved": round_dir.evolved, "known": run.trained_on(round_dir), "protected": run.reported},
        max_new=run.config.feedback.max_new,
        style=run.config.teacher.style,
        seed=run.seed + round_dir.number,
    )
