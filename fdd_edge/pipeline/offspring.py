"""The stages that turn a split into the next round's problems: a teacher writes new ones, and curation selects."""

from __future__ import annotations

from fdd_edge.feedback import EvolveOptions
from fdd_edge.operations.curate import curate_offspring
from fdd_edge.operations.evolve import evolve
from fdd_edge.pipeline.run import Run
from fdd_edge.pipeline.section_options import take
from fdd_edge.runs import RoundLayout

__all__ = ["curate_problems", "evolve_problems"]

_EVOLVE_VERSION = 4
_CURATION_VERSION = 5


def evolve_problems(run: Run, round_dir: RoundLayout) -> None:
    """Let the teacher write harder problems from easy ones, and similar problems from hard ones."""
    run.stages.ensure(
        round_dir.offspring,
        evolve,
        version=_EVOLVE_VERSION,
        inputs={"split": round_dir.split},
        teacher=run.config.teacher.evolve,
        options=take(EvolveOptions, run.config.feedback),
        round_number=round_dir.number,
        seed=run.seed + round_dir.number,
    )


def curate_problems(run: Run, round_dir: RoundLayout) -> None:
    """Select which of the new problems the next round trains on; the others keep the reason."""
    reserve = [] if run.reserve is None else [run.reserve]
    run.stages.ensure(
        round_dir.curated,
        curate_offspring,
        version=_CURATION_VERSION,
        inputs={"evolved": round_dir.evolved, "known": [round_dir.train, *reserve], "protected": run.reported},
        max_new=run.config.feedback.max_new,
        seed=run.seed + round_dir.number,
    )
