"""One run of ``transformers.Trainer``: batches, checkpoints, early stopping; ``accelerate launch`` scales it out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.progress import Advance, announce, progress
from fdd_edge.runs.atomic import delete
from fdd_edge.runs.seal import SEAL, is_intact, seal
from fdd_edge.students.mixture import Mixture
from fdd_edge.students.tokenizer import Example
from fdd_edge.students.trackers import tracker_arguments, tracker_callbacks
from fdd_edge.students.tracking import Tracking, new_id
from fdd_edge.students.training_options import ResolvedTraining, TrainingOptions

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from torch.utils.data import DataLoader, Dataset, Sampler
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

__all__ = ["OnStep", "TrainingTrace", "fit"]

OnStep = Callable[[int, int, float | None], None]
"""Takes (step, total steps, loss or None)."""

_STATE = "trainer_state.json"
_TRACKED_AS = "tracked_as"
"""Inside a checkpoint: the id that trackers know the training by."""

_CHECKPOINT = re.compile(r"checkpoint-[0-9]{1,18}")


class TrainingTrace(NamedTuple):
    """What training did.

    Attributes:
        steps: Optimizer steps, including those before an interruption.
        losses: Mean loss on completion tokens at every step.
        valid_losses: (step, validation loss) for each evaluation.
        tokens: Tokens that this call trained on, without padding; after an interruption, in proportion to its steps.
        seconds: Duration of this call.
        best_step: The step whose weights were kept, if it is not the last one.
        times: How often each example was trained on, before an interruption too.
        tracked_as: The id that trackers know the training by; None if it reports to none.
    """

    steps: int
    losses: list[float]
    valid_losses: list[tuple[int, float]]
    tokens: int
    seconds: float
    best_step: int | None
    times: list[int]
    tracked_as: str | None = None


def fit(
    model: PeftModel,
    examples: Sequence[Example],
    valid: Sequence[Example],
    checkpoints: Path,
    options: TrainingOptions,
    resolved: ResolvedTraining,
    on_step: OnStep | None,
    mixture: Mixture | None = None,
    tracking: Tracking | None = None,
) -> tuple[TrainingTrace, bool]:
    """Train a PEFT model; return the trace, and whether this process is the first.

    Args:
        model: The model; its adapter is changed in place.
        examples: What it learns.
        valid: Examples for the validation loss.
        checkpoints: Folder for checkpoints; if it already has some, training resumes from the newest intact one.
        options: Learning rate, batch size, evaluation and checkpoint intervals.
        resolved: Epochs, seed and precision.
        on_step: Called in the first process after each step.
        mixture: What each epoch is drawn from; None if it has every example once.
        tracking: Where the losses are reported to; None reports nothing.
    """
    from accelerate import PartialState
    from transformers import EarlyStoppingCallback, PrinterCallback, Trainer

    from fdd_edge.students.batches import LengthGroupedSampler, collate, collate_for_encoder, to_rows

    processes = PartialState(cpu=True)
    batch = options.per_device_train_batch_size * options.gradient_accumulation_steps * processes.num_processes

    # A process that starts later must see the checkpoints that the first one kept.
    processes.wait_for_everyone()
    last = _last_checkpoint(checkpoints)
    processes.wait_for_everyone()
    if processes.is_main_process:
        _delete_unused(checkpoints, last)
    tracked_as = _tracked_as(last, tracking)
    if tracking is not None and tracked_as is not None:
        tracking = replace(tracking, id=tracked_as)

    class LengthGroupedTrainer(Trainer):
        def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler:
            return sampler

        def floating_point_ops(self, inputs: dict[str, torch.Tensor]) -> int:
            # Counting them visits every parameter at every step, and nothing reads the count.
            return 0

        def _sorted_checkpoints(self, output_dir: str | None = None, **_: object) -> list[str]:
            # By number. By time, the order of two that were saved within a second is unknown, and that is warned of.
            found: list[str] = super()._sorted_checkpoints(output_dir=output_dir)
            return found

    rows = to_rows(examples)
    sampler = LengthGroupedSampler([len(row["input_ids"]) for row in rows], batch, resolved.seed, mixture)
    patience, validating = options.early_stopping_patience, ExitStack()
    early = [EarlyStoppingCallback(patience)] if patience and valid else []
    trainer = LengthGroupedTrainer(
        model=model,
        args=_arguments(checkpoints, options, resolved, has_valid=bool(valid), tracking=tracking),
        train_dataset=rows,
        eval_dataset=to_rows(sorted(valid, key=lambda e: len(e.prompt_ids) + len(e.completion_ids))) or None,
        data_collator=collate_for_encoder if model.config.is_encoder_decoder else collate,
        callbacks=[_step_callback(on_step, validating, tracked_as), *early, *tracker_callbacks(tracking)],
    )
    trainer.remove_callback(PrinterCallback)
    steps_before = 0 if last is None else parse_json((last / _STATE).read_text(encoding="utf-8"))["global_step"]
    with validating:
        result = trainer.train(resume_from_checkpoint=None if last is None else str(last))
    # The first process deletes the checkpoints; another may still be loading the best weights from them.
    processes.wait_for_everyone()
    times = sampler.times_drawn(trainer.state.global_step)
    tokens = sum(n * len(row["input_ids"]) for n, row in zip(times, rows, strict=True))
    return _trace(
        trainer.state, times, tokens, steps_before, result.metrics["train_runtime"], tracked_as
    ), processes.is_main_process


def _arguments(
    checkpoints: Path,
    options: TrainingOptions,
    resolved: ResolvedTraining,
    *,
    has_valid: bool,
    tracking: Tracking | None,
) -> TrainingArguments:
    """Return the trainer's arguments."""
    from transformers import TrainingArguments

    stops_early = has_valid and options.early_stopping_patience is not None
    unit = "epoch" if options.eval_steps is None else "steps"
    return TrainingArguments(
        output_dir=str(checkpoints),
        learning_rate=options.learning_rate,
        num_train_epochs=resolved.num_train_epochs,
        per_device_train_batch_size=options.per_device_train_batch_size,
        per_device_eval_batch_size=options.per_device_train_batch_size,
        gradient_accumulation_steps=options.gradient_accumulation_steps,
        lr_scheduler_type="cosine",
        warmup_ratio=0.05,
        optim="adamw_torch_fused",
        use_cpu=True,
        seed=resolved.seed,
        data_seed=resolved.seed,
        logging_steps=1,
        eval_strategy=unit if has_valid else "no",
        eval_steps=options.eval_steps,
        # The best weights can only be kept if every evaluated step is also saved.
        save_strategy=unit if stops_early else "steps",
        save_steps=(options.eval_steps or options.save_steps) if stops_early else options.save_steps,
        save_total_limit=2,
        load_best_model_at_end=stops_early,
        metric_for_best_model="eval_loss" if stops_early else None,
        greater_is_better=False if stops_early else None,
        prediction_loss_only=True,
        report_to=[],  # by callbacks that cannot end the training
        **tracker_arguments(tracking),
        disable_tqdm=True,
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
    )


def _step_callback(on_step: OnStep | None, validating: ExitStack, tracked_as: str | None) -> TrainerCallback:
    """Return the trainer callback that calls ``on_step``, shows validation, and completes checkpoints.

    Args:
        on_step: Called after each step.
        validating: Holds the progress of the validation that is under way.
        tracked_as: The id that trackers know the training by; a training that goes on from a checkpoint keeps it.
    """
    from accelerate import PartialState
    from transformers import TrainerCallback
    from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

    class StepCallback(TrainerCallback):
        _advance: Advance | None = None
        _validated = 0

        def on_log(
            self,
            args: TrainingArguments,
            state: TrainerState,
            control: TrainerControl,
            logs: Mapping[str, float],
            **_: object,
        ) -> None:
            if on_step is not None and state.is_world_process_zero:
                on_step(state.global_step, state.max_steps, logs.get("loss"))

        def on_prediction_step(
            self,
            args: TrainingArguments,
            state: TrainerState,
            control: TrainerControl,
            eval_dataloader: DataLoader[Any],
            **_: object,
        ) -> None:
            if self._advance is None:
                self._advance = validating.enter_context(progress("validation loss", len(eval_dataloader), "batches"))
            self._validated += 1
            self._advance(self._validated)

        def on_evaluate(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
        ) -> None:
            validating.close()
            self._advance, self._validated = None, 0

        def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
            # Every process writes its random state into the checkpoint, so all must have written.
            PartialState(cpu=True).wait_for_everyone()
            if state.is_world_process_zero:
                checkpoint = Path(str(args.output_dir)) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
                if tracked_as is not None:
                    (checkpoint / _TRACKED_AS).write_text(tracked_as, encoding="utf-8")
                seal(checkpoint)

    return StepCallback()


def _last_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint that is as it was written, and whose best weights are too; None if there is none.

    A checkpoint without a seal was being written when the process was killed.

    Raises:
        FddError: Something that this tool did not make has the name of a checkpoint, or nearly.
    """
    for path in folder.glob("checkpoint-*"):
        if not _CHECKPOINT.fullmatch(path.name) or not path.is_dir():
            raise FddError(f"{path} is not a checkpoint that fdd-edge made; move it elsewhere.")
    found = sorted(folder.glob("checkpoint-*"), key=_step, reverse=True)
    intact = [path for path in found if is_intact(path)]
    for path in found:
        if (path / SEAL).is_file() and path not in intact:
            announce(f"{path} has been damaged, so training goes on from an earlier step")
    for path in intact:
        best = parse_json((path / _STATE).read_text(encoding="utf-8"))["best_model_checkpoint"]
        if best is None or folder / Path(best).name in intact:
            return path
    return None


def _tracked_as(last: Path | None, tracking: Tracking | None) -> str | None:
    """Return the id of a training that goes on from a checkpoint, or a new one if it reports to a tracker."""
    if last is not None and (last / _TRACKED_AS).is_file():
        return (last / _TRACKED_AS).read_text(encoding="utf-8")
    return new_id() if tracking is not None and tracking.trackers else None


def _delete_unused(folder: Path, last: Path | None) -> None:
    """Delete checkpoints that training does not go on from: the trainer counts them among those that it keeps."""
    for path in folder.glob("checkpoint-*"):
        if last is None or _step(path) > _step(last) or not is_intact(path):
            delete(path)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.split("-")[1])


def _trace(
    state: TrainerState, times: list[int], tokens: int, steps_before: int, seconds: float, tracked_as: str | None
) -> TrainingTrace:
    """Read the trace from the trainer's own history, which survives interruptions."""
    history = state.log_history
    best = state.best_model_checkpoint
    best_step = None if best is None else _step(Path(best))
    return TrainingTrace(
        steps=state.global_step,
        losses=[float(entry["loss"]) for entry in history if "loss" in entry],
        valid_losses=[(int(entry["step"]), float(entry["eval_loss"])) for entry in history if "eval_loss" in entry],
        tokens=round(tokens * (1 - steps_before / max(1, state.global_step))),
        seconds=float(seconds),
        best_step=None if best_step == state.global_step else best_step,
        times=times,
        tracked_as=tracked_as,
    )
