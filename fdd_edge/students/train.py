"""LoRA training on completions only, by ``transformers.Trainer``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge.students.base import load_model
from fdd_edge.students.tokenizer import Example

__all__ = ["LoraSettings", "TrainSettings", "TrainingTrace", "cpu_has_bf16", "train_adapter"]

_IGNORED = -100


@dataclass(frozen=True)
class LoraSettings:
    """The adapter's shape, under PEFT's names."""

    r: int
    lora_alpha: int
    lora_dropout: float
    target_modules: tuple[str, ...]


@dataclass(frozen=True)
class TrainSettings:
    """How the adapter is trained, under the names of ``transformers.TrainingArguments``."""

    learning_rate: float
    num_train_epochs: float
    per_device_train_batch_size: int
    gradient_accumulation_steps: int
    seed: int
    bf16: bool
    threads: int


class TrainingTrace(NamedTuple):
    """What training did: the loss at each logged step, and the work done."""

    steps: int
    losses: list[float]
    tokens: int
    seconds: float


def cpu_has_bf16() -> bool:
    """Say whether this CPU multiplies bfloat16 in hardware; elsewhere bf16 is slower than float32."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def train_adapter(
    base: Path,
    examples: Sequence[Example],
    out: Path,
    *,
    lora: LoraSettings,
    settings: TrainSettings,
    base_name: str,
    start_from: Path | None = None,
    on_step: Callable[[int, int, float | None], None] | None = None,
) -> TrainingTrace:
    """Train a LoRA adapter and write it, in PEFT's format, to ``out``.

    Args:
        base: Hugging Face folder of the student.
        examples: Encoded problems.
        out: Folder for the adapter.
        lora: Shape of the adapter.
        settings: Schedule, batch, seed, precision.
        base_name: What the adapter says it was made for.
        start_from: An adapter to go on from; a new one is made without it.
        on_step: Called with (step, steps in all, loss or None) as training goes on.
    """
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import set_seed

    torch.set_num_threads(settings.threads)
    set_seed(settings.seed)
    model = load_model(base, "bfloat16" if settings.bf16 else "float32")
    if start_from is not None:
        model = PeftModel.from_pretrained(model, start_from, is_trainable=True)
    else:
        config = LoraConfig(
            r=lora.r,
            lora_alpha=lora.lora_alpha,
            lora_dropout=lora.lora_dropout,
            target_modules=list(lora.target_modules),
            task_type="CAUSAL_LM",
        )
        model = get_peft_model(model, config)
    trace = _fit(_completion_loss(model), examples, out, settings, on_step)
    # PEFT notes the folder the base lay in, in two files; nothing of a machine's paths belongs in an artifact.
    model.peft_config["default"].base_model_name_or_path = base_name
    # Embeddings are never trained; left to itself PEFT would ask the hub whether the vocabulary has grown.
    model.save_pretrained(out, save_embedding_layers=False)
    (out / "README.md").unlink(missing_ok=True)
    return trace


def _completion_loss(model: Any) -> Any:
    """Wrap a causal model so that the head runs, and the loss is taken, on completion tokens only.

    The head of a small model with a large vocabulary costs as much as a third of its layers, and most
    tokens of a word problem are prompt.
    """
    import torch
    from torch import nn

    class CompletionLoss(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            causal = self.model.get_base_model()
            # Padding stands on the right, where causal attention never looks: no mask, so the fast kernel.
            hidden = causal.model(input_ids=input_ids, use_cache=False).last_hidden_state
            targets = labels[:, 1:]
            wanted = targets != _IGNORED
            logits = causal.lm_head(hidden[:, :-1][wanted])
            return {"loss": nn.functional.cross_entropy(logits.float(), targets[wanted])}

    return CompletionLoss()


def _collate(examples: Sequence[dict[str, list[int]]]) -> dict[str, Any]:
    """Pad a batch on the right."""
    import torch

    width = max(len(e["input_ids"]) for e in examples)
    ids = torch.zeros(len(examples), width, dtype=torch.long)
    labels = torch.full_like(ids, _IGNORED)
    for row, example in enumerate(examples):
        n, prompt = len(example["input_ids"]), example["prompt_length"]
        ids[row, :n] = torch.tensor(example["input_ids"])
        labels[row, prompt:n] = ids[row, prompt:n]
    return {"input_ids": ids, "labels": labels}


def _fit(
    model: Any,
    examples: Sequence[Example],
    out: Path,
    settings: TrainSettings,
    on_step: Callable[[int, int, float | None], None] | None,
) -> TrainingTrace:
    """Run the trainer and return its trace."""
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    losses: list[float] = []

    class Report(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                losses.append(float(logs["loss"]))

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if on_step is not None:
                on_step(state.global_step, state.max_steps, losses[-1] if losses else None)

    rows: list[Any] = [
        {"input_ids": [*e.prompt_ids, *e.completion_ids], "prompt_length": len(e.prompt_ids)} for e in examples
    ]
    arguments = TrainingArguments(
        output_dir=str(out),
        learning_rate=settings.learning_rate,
        num_train_epochs=settings.num_train_epochs,
        per_device_train_batch_size=settings.per_device_train_batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        lr_scheduler_type="cosine",
        warmup_ratio=0.05,
        group_by_length=True,
        bf16=settings.bf16,
        use_cpu=True,
        seed=settings.seed,
        data_seed=settings.seed,
        logging_steps=10,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=_collate, callbacks=[Report()])
    trainer.remove_callback(PrinterCallback)
    result = trainer.train()
    tokens = sum(len(row["input_ids"]) for row in rows) * settings.num_train_epochs
    return TrainingTrace(result.global_step, losses, round(tokens), float(result.metrics["train_runtime"]))
