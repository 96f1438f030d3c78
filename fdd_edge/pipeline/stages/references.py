"""The stage that computes the float model's side of the certificates: its outputs for 64 prompts."""

from __future__ import annotations

from fdd_edge.operations.certify import compute_reference, packaged_prompts
from fdd_edge.parity import CERTIFICATE_VERSION
from fdd_edge.pipeline.run import Run
from fdd_edge.runs import ArtifactsLayout, RoundLayout

__all__ = ["make_reference"]

VERSION = CERTIFICATE_VERSION


def make_reference(run: Run, layout: ArtifactsLayout) -> None:
    """Write the outputs of a round's merged student, or of the untuned one."""
    run.stages.ensure(
        layout.reference,
        compute_reference,
        version=VERSION,
        inputs={"merged": layout.merged, "problems": [run.layout.seed_problems, run.layout.valid]},
        is_file=True,
        student=run.student,
        template=run.template,
        trained=isinstance(layout, RoundLayout),
        seed=run.seed,
        threads=run.config.training.threads,
        packaged=packaged_prompts(),
    )
