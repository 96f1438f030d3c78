"""``fdd-edge train``: one training and its merge, outside a run; several processes may share the training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fdd_edge.artifacts.recipe import GgufRecipe
from fdd_edge.disk_space import check_disk
from fdd_edge.distributed import is_first_process, world_size
from fdd_edge.operations.merge import merge
from fdd_edge.operations.quantized_student import QUANTIZED_COPIES
from fdd_edge.operations.train import train_on
from fdd_edge.records import Problem, ProblemSet
from fdd_edge.resolve.prompts import BegunPrompt, begin_prompt
from fdd_edge.resolve.student import Student
from fdd_edge.runs.atomic import partial_of
from fdd_edge.runs.stage import build_atomic
from fdd_edge.runs.stage_files import AdapterFiles, FineTunedFiles
from fdd_edge.safetensors_folder import count_parameters
from fdd_edge.students.training_options import LoraOptions, TrainingOptions

__all__ = ["fine_tune"]

_PROMPT = "prompt.json"
"""Inside unfinished work: the prompt it began with, which a chat template may render differently on another day."""


def fine_tune(
    student: Student,
    problems: Sequence[Problem],
    out: Path,
    *,
    prompt: str,
    lora: LoraOptions,
    training: TrainingOptions,
    dtype: str,
    seed: int,
    valid: Sequence[Problem] = (),
    qat_recipe: GgufRecipe | None = None,
) -> None:
    """Write ``adapter/`` and ``merged/`` to ``out``; the same call resumes an interrupted one.

    Args:
        student: The model to train.
        problems: Training examples.
        out: A new folder; of several processes, the first one makes it.
        prompt: ``plain``, ``chat`` or a file.
        lora: Shape of the adapter.
        training: How it is trained.
        dtype: ``auto``, ``float32`` or ``bfloat16``.
        seed: Order of the data, and the initial adapter.
        valid: Problems for the validation loss.
        qat_recipe: The recipe to train for, in quantization-aware training.

    Raises:
        FddError: ``out`` exists, the disk is too small, or training refuses.
    """
    begun = _begin(student, prompt, out)
    options: dict[str, Any] = {"lora": lora, "training": training, "dtype": dtype, "seed": seed}

    def fit(folder: Path) -> None:
        if not _is_trained(folder):
            train_on(
                problems,
                folder,
                valid=valid,
                student=student,
                template=begun.template,
                qat_recipe=qat_recipe,
                **options,
            )

    def make(folder: Path) -> None:
        (folder / _PROMPT).write_text(json.dumps(begun._asdict()), encoding="utf-8")
        made = FineTunedFiles(folder)
        fit(made.adapter)
        merge(made.merged, adapter=made.adapter, student=student, template=begun.template, qat_recipe=qat_recipe)
        (folder / _PROMPT).unlink()

    if not is_first_process():
        fit(FineTunedFiles(partial_of(out)).adapter)
        return
    check_disk(out, count_parameters(student.folder), copies=1.5 + (QUANTIZED_COPIES if qat_recipe else 0))
    build_atomic(
        out,
        make,
        student=student,
        problems=ProblemSet(problems),
        valid=ProblemSet(valid),
        template=begun.template,
        qat_recipe=qat_recipe,
        processes=world_size(),
        **options,
    )


def _begin(student: Student, prompt: str, out: Path) -> BegunPrompt:
    note = partial_of(out) / _PROMPT
    noted = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else None
    return begin_prompt(prompt, student.folder, student.sha256, noted)


def _is_trained(folder: Path) -> bool:
    """Return whether a call that was killed while merging has left the adapter; all processes see the same answer."""
    from fdd_edge.students.lora_training import wait_for_processes

    wait_for_processes()
    found = AdapterFiles(folder).trace.is_file()
    wait_for_processes()
    return found
