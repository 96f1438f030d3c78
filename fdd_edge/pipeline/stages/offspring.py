"""The stage that turns a split into new problems, written by a teacher."""

from __future__ import annotations

from fdd_edge.feedback import EvolveOptions
from fdd_edge.operations.evolve import evolve
from fdd_edge.pipeline.run import Run
from fdd_edge.pipeline.section_options import take
from fdd_edge.runs import RoundLayout

__all__ = ["evolve_problems"]

VERSION = 4


def evolve_problems(run: Run, round_dir: RoundLayout) -> None:
    """Let the teacher write harder problems from easy ones, and similar problems from hard ones."""
    run.stages.ensure(
        round_dir.offspring,
        evolve,
        version=VERSION,
        inputs={"split": round_dir.split},
        teacher=run.config.teacher.evolve,
        options=take(EvolveOptions, run.config.feedback),
        round_number=round_dir.number,
        seed=run.seed + round_dir.number,
    )
