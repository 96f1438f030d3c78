"""``fdd-edge train``: one training and its merge, outside a run; several processes may share the training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from fdd_edge.disk_space import check_disk
from fdd_edge.distributed import is_first_process, world_size
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.operations.merge import merge
from fdd_edge.operations.quantized_student import QUANTIZED_COPIES
from fdd_edge.operations.train import TrainingSetup, train_on
from fdd_edge.progress import announce
from fdd_edge.records import Problem, ProblemSet
from fdd_edge.resolve.prompts import PinnedPrompt, pin_prompt
from fdd_edge.resolve.student import Student
from fdd_edge.runs.atomic import check_output, delete, partial_of, write_atomic
from fdd_edge.runs.hashing import sha256_of
from fdd_edge.runs.seal import SEAL, is_intact, seal
from fdd_edge.runs.stage import build_atomic
from fdd_edge.runs.stage_files import FineTunedFiles
from fdd_edge.safetensors_folder import count_parameters
from fdd_edge.students.tracking import Tracking, check_trackers

__all__ = ["fine_tune"]

_PROMPT = "prompt.json"
"""Inside unfinished work: the prompt it began with, which a chat template may render differently on another day. It
carries its hash: one flipped bit would be trained on."""

_HASH = "sha256"


def fine_tune(
    problems: Sequence[Problem],
    out: Path,
    student: Student,
    prompt: str,
    setup: TrainingSetup,
    *,
    valid: Sequence[Problem] = (),
) -> None:
    """Write ``adapter/`` and ``merged/`` to ``out``; the same call resumes an interrupted one.

    Args:
        problems: Training examples.
        out: A new folder; of several processes, the first one makes it.
        student: The model to train.
        prompt: ``plain``, ``chat`` or a file.
        setup: How it is trained.
        valid: Problems for the validation loss.

    Raises:
        FddError: ``out`` exists, the disk is too small, or training refuses.
    """
    check_output(out)
    check_trackers(setup.training.report_to)
    pinned = _pin(student, prompt, out)
    template, qat_recipe = pinned.template, setup.qat_recipe
    events = FineTunedFiles(partial_of(out)).tensorboard
    tracking = Tracking(setup.training.report_to, events, out.name)

    def fit(folder: Path) -> None:
        if not _is_trained(folder):
            train_on(problems, folder, student, template, setup, valid=valid, tracking=tracking)
            if is_first_process():
                seal(folder)

    def make(folder: Path) -> None:
        write_atomic(folder / _PROMPT, json.dumps(pinned._asdict() | {_HASH: _hash(pinned)}))
        made = FineTunedFiles(folder)
        try:
            fit(made.adapter)
        except Exception:
            if not any(path.is_file() for path in made.adapter.rglob("*")):
                (folder / _PROMPT).unlink()  # nothing was trained that the next call could go on with
            raise
        merge(made.merged, adapter=made.adapter, student=student, template=template, qat_recipe=qat_recipe)
        (folder / _PROMPT).unlink()
        (made.adapter / SEAL).unlink()

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
        template=template,
        setup=setup,
        processes=world_size(),
    )


def _pin(student: Student, prompt: str, out: Path) -> PinnedPrompt:
    """Return the prompt, the same in all processes: none goes on, and writes, before all have read what is stored."""
    earlier = _read_prompt(partial_of(out) / _PROMPT)
    pinned = pin_prompt(
        prompt, student.folder, student.to_train().sha256, None if earlier is None else earlier._asdict()
    )
    if world_size() > 1:
        _wait_for_processes()
    return pinned


def _read_prompt(stored: Path) -> PinnedPrompt | None:
    """Read the prompt that unfinished work began with; None if it has none, or a damaged one."""
    if not stored.is_file():
        return None
    try:
        row = parse_json(stored.read_text(encoding="utf-8"))
        written = row.pop(_HASH)
        pinned = PinnedPrompt(**row)
        if written == _hash(pinned):
            return pinned
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    if is_first_process():
        announce(
            f"{stored} has been damaged, so it is made again; if the prompt is another one now, so is the training"
        )
    return None


def _hash(pinned: PinnedPrompt) -> str:
    return sha256_of(json.dumps(pinned))


def _is_trained(folder: Path) -> bool:
    """Return whether an earlier call finished the adapter but was killed while merging; the same in all processes."""
    _wait_for_processes()
    found = is_intact(folder)
    _wait_for_processes()
    if is_first_process() and not found and (folder / SEAL).is_file():
        announce(f"{folder} has been damaged, so it is trained again")
        delete(folder)
    return found


def _wait_for_processes() -> None:
    from fdd_edge.students.lora_training import wait_for_processes

    wait_for_processes()
