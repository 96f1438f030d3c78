"""LoRA training on completions only, by ``transformers.Trainer``; ``accelerate launch`` scales it out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from fdd_edge.students.gguf_import import load_model
from fdd_edge.students.tokenizer import Example

__all__ = [
    "LoraSettings",
    "QuantizedWeights",
    "TrainSettings",
    "TrainingTrace",
    "cpu_has_bf16",
    "train_adapter",
    "wait_for_processes",
]

_CHECKPOINTS = "checkpoints"
"""Inside the adapter's folder while it is trained; gone afterwards."""


@dataclass(frozen=True)
class LoraSettings:
    """The adapter's shape, under PEFT's names."""

    r: int
    lora_alpha: int
    lora_dropout: float
    target_modules: tuple[str, ...]


@dataclass(frozen=True)
class TrainSettings:
    """How the adapter is trained, under the names of ``transformers.TrainingArguments``.

    Attributes:
        eval_steps: Steps between two validation losses; None for one an epoch.
        early_stopping_patience: Stop once so many of them were not the best, and keep the best; None for never.
        save_steps: Steps between two checkpoints.
    """

    learning_rate: float
    num_train_epochs: float
    per_device_train_batch_size: int
    gradient_accumulation_steps: int
    max_length: int
    seed: int
    bf16: bool
    threads: int
    eval_steps: int | None = None
    early_stopping_patience: int | None = None
    save_steps: int = 100


class TrainingTrace(NamedTuple):
    """What training did.

    Attributes:
        steps: Optimizer steps, those before an interruption too.
        losses: Mean loss on completion tokens at every step.
        valid_losses: (step, validation loss), as often as it was taken.
        tokens: Tokens that this call trained on, padding not counted; of an epoch that was cut its share.
        seconds: What this call took.
        best_step: The step whose weights were kept, where that is not the last.
    """

    steps: int
    losses: list[float]
    valid_losses: list[tuple[int, float]]
    tokens: int
    seconds: float
    best_step: int | None


class QuantizedWeights(Protocol):
    """How a recipe holds the matrices of the student before training, by their names in the Hugging Face folder."""

    def type_of(self, name: str) -> str:
        """Return ggml's name of the tensor type of a weight."""

    def dequantized(self, name: str) -> Any:
        """Return a weight as the quantized file is read back: float32 array of the weight's shape."""


def cpu_has_bf16() -> bool:
    """Say whether this CPU multiplies bfloat16 in hardware; elsewhere bf16 is slower than float32."""
    import torch

    from fdd_edge.ondevice.device_info import cpu_features

    # torch answers for x86 alone; the kernel lists ARM's by this name.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() or "bf16" in cpu_features())


def wait_for_processes() -> None:
    """Wait until every process of ``accelerate launch`` has come this far; one alone does not wait."""
    from accelerate import PartialState

    PartialState(cpu=True).wait_for_everyone()


def train_adapter(
    base: Path,
    examples: Sequence[Example],
    out: Path,
    *,
    lora: LoraSettings,
    settings: TrainSettings,
    base_name: str,
    valid: Sequence[Example] = (),
    start_from: Path | None = None,
    quantized: QuantizedWeights | None = None,
    on_step: Callable[[int, int, float | None], None] | None = None,
) -> TrainingTrace:
    """Train a LoRA adapter and write it, in PEFT's format, to ``out``.

    Checkpoints lie in ``out`` meanwhile: an interrupted call, made again, goes on from the last. Of several processes
    (``accelerate launch``) the first alone writes.

    Args:
        base: Hugging Face folder of the student.
        examples: Encoded problems.
        out: Folder for the adapter.
        lora: Shape of the adapter.
        settings: Schedule, batch, seed, precision.
        base_name: What the adapter says it was made for.
        valid: Examples that the validation loss is taken on.
        start_from: An adapter to go on from; a new one is made without it.
        quantized: The recipe's tensor types: the forward pass then sees weights as that recipe rounds them.
        on_step: Called with (step, steps in all, loss or None) as training goes on.

    Raises:
        FddError: A weight that is trained has a tensor type without a grid.
        ValueError: Dropout is asked for together with ``quantized``: a merged weight has no place for it.
    """
    import torch
    from transformers import set_seed

    if quantized is not None and lora.lora_dropout:
        raise ValueError("a merged weight has no place for dropout")
    torch.set_num_threads(settings.threads)
    set_seed(settings.seed)
    model = _with_adapter(base, lora, settings, start_from, quantized)
    trace, is_first = _fit(model, examples, valid, out / _CHECKPOINTS, settings, on_step)
    if is_first:
        # PEFT notes the folder the base lay in, in two files; nothing of a machine's paths belongs in an artifact.
        model.peft_config["default"].base_model_name_or_path = base_name
        # Embeddings are never trained; left to itself PEFT would ask the hub whether the vocabulary has grown.
        model.save_pretrained(out, save_embedding_layers=False)
        (out / "README.md").unlink(missing_ok=True)
        shutil.rmtree(out / _CHECKPOINTS, ignore_errors=True)
    return trace


def _with_adapter(
    base: Path, lora: LoraSettings, settings: TrainSettings, start_from: Path | None, quantized: QuantizedWeights | None
) -> Any:
    """Return the lean PEFT model that is trained."""
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model

    from fdd_edge.students.fast_forward import use_fused_ops
    from fdd_edge.students.quantization_aware import round_as_file

    dtype = torch.bfloat16 if settings.bf16 else torch.float32
    model = load_model(base, "float32" if quantized is not None else str(dtype).removeprefix("torch."))
    if start_from is not None:
        model = PeftModel.from_pretrained(model, start_from, is_trainable=True)
    else:
        config = LoraConfig(
            r=lora.r,
            lora_alpha=lora.lora_alpha,
            lora_dropout=lora.lora_dropout,
            target_modules=list(lora.target_modules),
            task_type="SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM",
        )
        model = get_peft_model(model, config)
    # Each checkpoint looks there for the base's config; by any other name it would ask the hub.
    model.peft_config["default"].base_model_name_or_path = str(base)
    if not model.config.is_encoder_decoder:
        use_fused_ops(model, max_length=settings.max_length)
    if quantized is not None:
        round_as_file(model, quantized, dtype)
    return model


def _fit(
    model: Any,
    examples: Sequence[Example],
    valid: Sequence[Example],
    checkpoints: Path,
    settings: TrainSettings,
    on_step: Callable[[int, int, float | None], None] | None,
) -> tuple[TrainingTrace, bool]:
    """Run the trainer; return its trace, and whether this process is the first."""
    from accelerate import PartialState
    from transformers import EarlyStoppingCallback, PrinterCallback, Trainer

    from fdd_edge.students.batches import LengthGroupedSampler, collate, collate_for_encoder, to_rows

    processes = PartialState(cpu=True)
    batch = settings.per_device_train_batch_size * settings.gradient_accumulation_steps * processes.num_processes

    class LengthGroupedTrainer(Trainer):
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return LengthGroupedSampler([len(row["input_ids"]) for row in rows], batch, settings.seed)

        def floating_point_ops(self, inputs: Any) -> int:
            # Counting them walks over every parameter at every step, and nobody reads the count.
            return 0

    rows = to_rows(examples)
    patience = settings.early_stopping_patience
    trainer = LengthGroupedTrainer(
        model=model,
        args=_arguments(checkpoints, settings, has_valid=bool(valid)),
        train_dataset=rows,
        eval_dataset=to_rows(sorted(valid, key=lambda e: len(e.prompt_ids) + len(e.completion_ids))) or None,
        data_collator=collate_for_encoder if model.config.is_encoder_decoder else collate,
        callbacks=[_reporter(on_step), *([EarlyStoppingCallback(patience)] if patience and valid else [])],
    )
    trainer.remove_callback(PrinterCallback)
    # Whoever comes later must find the checkpoints that the first process has kept.
    processes.wait_for_everyone()
    last = _last_checkpoint(checkpoints)
    before = 0 if last is None else json.loads((last / _STATE).read_text(encoding="utf-8"))["global_step"]
    result = trainer.train(resume_from_checkpoint=None if last is None else str(last))
    # The first process deletes the checkpoints, from which another may still be loading the best weights.
    processes.wait_for_everyone()
    trace = _trace(trainer.state, sum(len(row["input_ids"]) for row in rows), before, result.metrics["train_runtime"])
    return trace, processes.is_main_process


def _arguments(checkpoints: Path, settings: TrainSettings, *, has_valid: bool) -> Any:
    """Return the trainer's arguments."""
    from transformers import TrainingArguments

    stops_early = has_valid and settings.early_stopping_patience is not None
    unit = "epoch" if settings.eval_steps is None else "steps"
    return TrainingArguments(
        output_dir=str(checkpoints),
        learning_rate=settings.learning_rate,
        num_train_epochs=settings.num_train_epochs,
        per_device_train_batch_size=settings.per_device_train_batch_size,
        per_device_eval_batch_size=settings.per_device_train_batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        lr_scheduler_type="cosine",
        warmup_ratio=0.05,
        optim="adamw_torch_fused",
        use_cpu=True,
        seed=settings.seed,
        data_seed=settings.seed,
        logging_steps=1,
        eval_strategy=unit if has_valid else "no",
        eval_steps=settings.eval_steps,
        # The best weights can only be kept if every measured step is saved.
        save_strategy=unit if stops_early else "steps",
        save_steps=(settings.eval_steps or settings.save_steps) if stops_early else settings.save_steps,
        save_total_limit=2,
        load_best_model_at_end=stops_early,
        metric_for_best_model="eval_loss" if stops_early else None,
        greater_is_better=False if stops_early else None,
        prediction_loss_only=True,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
    )


def _reporter(on_step: Callable[[int, int, float | None], None] | None) -> Any:
    """Return the callback that tells of each step."""
    from transformers import TrainerCallback

    class Report(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any], **_: Any) -> None:
            if on_step is not None and state.is_world_process_zero:
                on_step(state.global_step, state.max_steps, logs.get("loss"))

    return Report()


_STATE = "trainer_state.json"
"""What the trainer writes last into a checkpoint."""


def _last_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint that was written whole; a kill may have cut a later one short."""
    whole = []
    for path in folder.glob("checkpoint-*"):
        try:
            json.loads((path / _STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        whole.append(path)
    return max(whole, key=lambda path: int(path.name.split("-")[1]), default=None)


def _trace(state: Any, tokens: int, steps_before: int, seconds: float) -> TrainingTrace:
    """Read the trace from the trainer's own history, which goes on over interruptions."""
    history = state.log_history
    best = state.best_model_checkpoint
    best_step = None if best is None else int(Path(best).name.split("-")[1])
    return TrainingTrace(
        steps=state.global_step,
        losses=[float(entry["loss"]) for entry in history if "loss" in entry],
        valid_losses=[(int(entry["step"]), float(entry["eval_loss"])) for entry in history if "eval_loss" in entry],
        tokens=round(tokens * state.epoch * (1 - steps_before / max(1, state.global_step))),
        seconds=float(seconds),
        best_step=None if best_step == state.global_step else best_step,
    )
