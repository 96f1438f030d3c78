"""The stage that computes the float model's side of a round's certificates: its outputs for a few of 64 prompts."""

from __future__ import annotations

from fdd_edge.operations.certify import packaged_prompts
from fdd_edge.operations.run_certificates import compute_reference
from fdd_edge.parity import CERTIFICATE_VERSION
from fdd_edge.pipeline.run import Run
from fdd_edge.runs import RoundLayout

__all__ = ["make_reference"]

VERSION = CERTIFICATE_VERSION + 1
"""Follows the certificates' own; 1 was added when few prompts began to suffice in a run."""


def make_reference(run: Run, round_dir: RoundLayout) -> None:
    """Write the outputs of a round's merged student."""
    run.stages.ensure(
        round_dir.reference,
        compute_reference,
        version=VERSION,
        inputs={"merged": round_dir.merged, "problems": [run.layout.seed_problems, run.layout.valid]},
        is_file=True,
        student=run.student,
        template=run.template,
        seed=run.seed,
        threads=run.config.training.threads,
        packaged=packaged_prompts(),
    )
