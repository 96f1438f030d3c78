"""``fdd-edge train``: one training and its merge, outside a run; several processes may share the training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fdd_edge.artifacts.recipe import GgufRecipe
from fdd_edge.distributed import is_first_process, world_size
from fdd_edge.operations.export import check_disk, count_parameters
from fdd_edge.operations.train import QUANTIZED_COPIES, merge, train
from fdd_edge.records import Problem
from fdd_edge.resolve.prompts import begin_prompt
from fdd_edge.resolve.student import Student
from fdd_edge.runs.atomic import partial_of
from fdd_edge.runs.stage import build_atomic

__all__ = ["tune"]

_PROMPT = "prompt.json"
"""Beside unfinished work: the prompt it was begun with, which a chat template may render otherwise on another day."""


def tune(
    student: Student,
    problems: Sequence[Problem],
    out: Path,
    *,
    prompt: str,
    settings: dict[str, Any],
    valid: Sequence[Problem] = (),
    aware_of: GgufRecipe | None = None,
    made_from: dict[str, Any],
) -> None:
    """Write ``adapter/`` and ``merged/`` to ``out``; an interrupted call, made again, goes on.

    Args:
        student: What is trained.
        problems: What it learns.
        out: A new folder; of several processes the first alone makes it.
        prompt: ``plain``, ``chat`` or a file.
        settings: ``lora``, ``training``, ``dtype`` and ``seed`` of ``stages.training.train``.
        valid: What the validation loss is taken on.
        aware_of: The recipe that quantization-aware training trains for.
        made_from: Whatever else unfinished work must agree in to be gone on with.

    Raises:
        FddError: ``out`` is there already, the disk is too small, or training refuses.
    """
    note = partial_of(out) / _PROMPT
    noted = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else None
    begun = begin_prompt(prompt, student.folder, student.sha256, noted)

    def fit(folder: Path) -> None:
        if not _is_fitted(folder):
            train(student, problems, folder, template=begun.template, valid=valid, aware_of=aware_of, **settings)

    def make(folder: Path) -> None:
        (folder / _PROMPT).write_text(json.dumps(begun._asdict()), encoding="utf-8")
        fit(folder / "adapter")
        merge(student, folder / "adapter", folder / "merged", template=begun.template, aware_of=aware_of)
        (folder / _PROMPT).unlink()

    if not is_first_process():
        fit(partial_of(out) / "adapter")
        return
    check_disk(out, count_parameters(student.folder), copies=1.5 + (QUANTIZED_COPIES if aware_of else 0))
    own = {
        "template": begun.template,
        "settings": settings,
        "aware_of": aware_of and aware_of.type,
        "processes": world_size(),
    }
    build_atomic(out, make, params=made_from | own)


def _is_fitted(folder: Path) -> bool:
    """Say whether a call that was killed while it merged has left the adapter; all processes see the same."""
    from fdd_edge.students.lora_training import wait_for_processes

    wait_for_processes()
    found = (folder / "training.json").is_file()
    wait_for_processes()
    return found
