"""The stage that trains a round's student: a LoRA adapter."""

from __future__ import annotations

from functools import partial

from fdd_edge.operations.train import TrainingSetup, train
from fdd_edge.pipeline.run import Run
from fdd_edge.pipeline.tracked_rounds import tracking_of
from fdd_edge.runs import RoundLayout

__all__ = ["train_adapter"]

VERSION = 3


def train_adapter(run: Run, round_dir: RoundLayout) -> None:
    """LoRA-tune the student on the round's data, starting from the base or from the adapter of the round before."""
    config, number = run.config, round_dir.number
    continues = config.training.start_from == "previous" and number > 0
    run.stages.ensure(
        round_dir.adapter,
        partial(train, tracking=tracking_of(run, round_dir)),
        version=VERSION,
        inputs={
            "problems": round_dir.train,
            "valid": run.layout.validation,
            "start_from": run.layout.round(number - 1).adapter if continues else None,
        },
        student=run.student.to_train(),
        template=run.template,
        setup=TrainingSetup(
            config.lora,
            config.training,
            config.student.dtype,
            run.seed,
            run.named.qat_recipe,
            weights=config.data.weights,
            round_number=number,
        ),
    )
