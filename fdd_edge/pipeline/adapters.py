"""The stages that make a round's student: a LoRA adapter, merged into the student it was trained from."""

from __future__ import annotations

from fdd_edge.operations.merge import merge
from fdd_edge.operations.train import train
from fdd_edge.pipeline.problems import select_validation
from fdd_edge.pipeline.run import Run
from fdd_edge.runs import RoundLayout

__all__ = ["make_student"]

_TRAIN_VERSION = 3
_MERGE_VERSION = 4


def make_student(run: Run, round_dir: RoundLayout) -> None:
    """LoRA-tune the student on the round's data, and merge the adapter into it."""
    config, number = run.config, round_dir.number
    goes_on = config.training.start_from == "previous" and number > 0
    select_validation(run)
    run.stages.ensure(
        round_dir.adapter,
        train,
        version=_TRAIN_VERSION,
        inputs={
            "problems": round_dir.train,
            "valid": run.layout.validation,
            "start_from": run.layout.round(number - 1).adapter if goes_on else None,
        },
        student=run.student,
        template=run.template,
        lora=config.lora,
        training=config.training,
        dtype=config.student.dtype,
        seed=run.seed,
        qat_recipe=run.named.qat_recipe,
    )
    run.stages.ensure(
        round_dir.merged,
        merge,
        version=_MERGE_VERSION,
        inputs={"adapter": round_dir.adapter},
        student=run.student,
        template=run.template,
        qat_recipe=run.named.qat_recipe,
    )
