"""The stage that measures the importance matrix of a student, which some recipes need."""

from __future__ import annotations

from fdd_edge.operations.imatrix import measure_imatrix
from fdd_edge.pipeline.run import Run
from fdd_edge.runs import ArtifactsLayout, RoundLayout

__all__ = ["make_imatrix"]

VERSION = 2


def make_imatrix(run: Run, layout: ArtifactsLayout) -> None:
    """Measure the importance of each weight on problems that the student is trained on."""
    run.stages.ensure(
        layout.imatrix,
        measure_imatrix,
        version=VERSION,
        inputs={
            "merged": layout.merged,
            "problems": layout.train if isinstance(layout, RoundLayout) else run.layout.seed_problems,
        },
        is_file=True,
        student=run.student,
        template=run.template,
        seed=run.seed,
    )
