"""The stage that merges a round's adapter into the student it was trained from."""

from __future__ import annotations

from fdd_edge.operations.merge import merge
from fdd_edge.pipeline.run import Run
from fdd_edge.runs import RoundLayout

__all__ = ["merge_adapter"]

VERSION = 4


def merge_adapter(run: Run, round_dir: RoundLayout) -> None:
    """Write the merged student, a Hugging Face folder in float32."""
    run.stages.ensure(
        round_dir.merged,
        merge,
        version=VERSION,
        inputs={"adapter": round_dir.adapter},
        student=run.student,
        template=run.template,
        qat_recipe=run.named.qat_recipe,
    )
