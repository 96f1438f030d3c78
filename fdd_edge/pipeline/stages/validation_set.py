"""The stage that selects the problems on which the validation loss is computed."""

from __future__ import annotations

from fdd_edge.operations.training_data import validation_data
from fdd_edge.pipeline.run import Run

__all__ = ["select_validation"]

VERSION = 6


def select_validation(run: Run) -> None:
    """Write the problems of valid that have a program, or get one."""
    run.stages.ensure(
        run.layout.validation,
        validation_data,
        version=VERSION,
        inputs={"valid": run.layout.valid},
        is_file=True,
        teachers=run.named.solvers,
        style=run.config.teacher.style,
    )
