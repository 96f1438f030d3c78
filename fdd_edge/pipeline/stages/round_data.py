"""The stage that collects what a round trains on: the seed problems, or everything so far and what was evolved."""

from __future__ import annotations

from fdd_edge.operations.training_data import extend_training_data, first_training_data
from fdd_edge.pipeline.run import Run
from fdd_edge.runs import RoundLayout
from fdd_edge.runs.stage_files import CuratedFiles

__all__ = ["collect_data"]

VERSION = 7


def collect_data(run: Run, round_dir: RoundLayout) -> None:
    """Write the data a round trains on."""
    if round_dir.number == 0:
        run.stages.ensure(
            round_dir.data,
            first_training_data,
            version=VERSION,
            inputs={"seed_problems": run.layout.seed_problems, "protected": run.reported},
            teachers=run.named.solvers,
            fresh=run.reserve is not None,
            style=run.config.teacher.style,
            seed=run.seed,
        )
        return
    before = run.layout.round(round_dir.number - 1)
    run.stages.ensure(
        round_dir.data,
        extend_training_data,
        version=VERSION,
        inputs={
            "previous": before.train,
            "accepted": before.accepted,
            "rejected": before.turned_down,
            "own": CuratedFiles(before.own_solutions).accepted if run.config.feedback.own_solutions else None,
            "split": before.split,
            "reserve": run.reserve,
        },
    )
