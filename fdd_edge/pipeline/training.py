"""Training a round's student, as stages of its folder."""

from __future__ import annotations

from typing import Any

from fdd_edge.operations import problem_sets as problems
from fdd_edge.operations import train as training
from fdd_edge.pipeline.run import Run
from fdd_edge.records import read_problems

__all__ = ["train_student"]


def train_student(this: Run, number: int) -> None:
    """LoRA-tune the student on the round's data, and merge the adapter into it."""
    config, place = this.config, this.layout.round(number)
    this.stages.ensure(
        this.layout.validation,
        lambda out: problems.validation_data(this.layout.valid, out, teachers=config.teacher.rationale),
        version=problems.DATA_VERSION,
        params={"teachers": config.teacher.rationale},
        inputs={"valid": this.layout.valid},
        is_file=True,
    )
    previous = this.layout.round(number - 1).adapter if config.training.start_from == "previous" and number else None
    settings: dict[str, Any] = {
        "template": this.template,
        "lora": config.lora.model_dump(),
        "training": config.training.model_dump(),
        "dtype": config.student.dtype,
        "seed": config.seed,
    }
    aware_of = this.aware_of
    this.stages.ensure(
        place.adapter,
        lambda out: training.train(
            this.student,
            read_problems(place.train),
            out,
            valid=read_problems(this.layout.validation),
            start_from=previous,
            aware_of=aware_of,
            **settings,
        ),
        version=training.TRAIN_VERSION,
        params=settings | {"student": this.student.sha256, "aware_of": aware_of and aware_of.type},
        inputs={"train": place.train, "valid": this.layout.validation} | ({"start_from": previous} if previous else {}),
    )
    this.stages.ensure(
        place.merged,
        lambda out: training.merge(this.student, place.adapter, out, template=this.template, aware_of=aware_of),
        version=training.MERGE_VERSION,
        params={"student": this.student.sha256, "template": this.template, "aware_of": aware_of and aware_of.type},
        inputs={"adapter": place.adapter},
    )
