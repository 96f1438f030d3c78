"""LoRA training on completions only."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_edge.students.hf_trainer import OnStep, TrainingTrace, fit
from fdd_edge.students.load import load_model
from fdd_edge.students.mixture import Mixture
from fdd_edge.students.quantized_weights import QuantizedWeights
from fdd_edge.students.tokenizer import Example
from fdd_edge.students.tracking import Tracking
from fdd_edge.students.training_options import LoraOptions, ResolvedTraining, TrainingOptions

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

__all__ = ["TrainingTrace", "adapt", "cpu_has_bf16", "train_adapter", "wait_for_processes"]

_CHECKPOINTS = "checkpoints"
"""Folder inside the adapter's folder; deleted once training is done."""


def cpu_has_bf16() -> bool:
    """Return whether this CPU multiplies bfloat16 in hardware; on other CPUs bf16 is slower than float32."""
    import torch

    from fdd_edge.ondevice.device_info import cpu_features

    # torch only answers for x86; on ARM the kernel lists the feature under this name.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() or "bf16" in cpu_features())


def wait_for_processes() -> None:
    """Wait until every process of ``accelerate launch`` has reached this point; a single process does not wait."""
    from accelerate import PartialState

    PartialState(cpu=True).wait_for_everyone()


def train_adapter(
    base: Path,
    examples: Sequence[Example],
    out: Path,
    *,
    lora: LoraOptions,
    options: TrainingOptions,
    resolved: ResolvedTraining,
    base_name: str,
    valid: Sequence[Example] = (),
    start_from: Path | None = None,
    quantized: QuantizedWeights | None = None,
    on_step: OnStep | None = None,
    mixture: Mixture | None = None,
    tracking: Tracking | None = None,
) -> TrainingTrace:
    """Train a LoRA adapter and write it, in PEFT's format, to ``out``.

    Checkpoints are kept in ``out`` during training: when an interrupted call is repeated, it resumes from the last one.
    With several processes (``accelerate launch``), only the first one writes.

    Args:
        base: Hugging Face folder of the student.
        examples: Encoded problems.
        out: Folder for the adapter.
        lora: Shape of the adapter.
        options: Learning rate, batch size, evaluation and checkpoint intervals.
        resolved: Epochs, seed, precision and threads, which take precedence over the options of the same name.
        base_name: Name of the base model to record in the adapter.
        valid: Examples for the validation loss.
        start_from: An adapter to continue from; without one, a new adapter is made.
        quantized: The student quantized by a recipe: the forward pass then rounds weights as that recipe does.
        on_step: Called with (step, total steps, loss or None) after each logged step.
        mixture: What each epoch is drawn from; None if it has every example once.
        tracking: Where the losses are reported to; None reports nothing.

    Raises:
        FddError: A trained weight has a tensor type without a grid.
        ValueError: Both dropout and ``quantized`` were given: dropout cannot be applied to a merged weight.
    """
    import torch
    from transformers import set_seed

    if quantized is not None and lora.lora_dropout:
        raise ValueError("dropout cannot be applied to a merged weight")
    torch.set_num_threads(resolved.threads)
    set_seed(resolved.seed)
    model = _add_adapter(base, lora, options, resolved, start_from, quantized)
    tracking = None if tracking is None else replace(tracking, student=base_name)
    trace, is_first = fit(model, examples, valid, out / _CHECKPOINTS, options, resolved, on_step, mixture, tracking)
    if is_first:
        # PEFT writes the base model's folder into two files; an artifact should not contain paths of this machine.
        model.peft_config["default"].base_model_name_or_path = base_name
        # Embeddings are never trained; by default PEFT would ask the hub whether the vocabulary has grown.
        model.save_pretrained(out, save_embedding_layers=False)
        (out / "README.md").unlink(missing_ok=True)
        shutil.rmtree(out / _CHECKPOINTS, ignore_errors=True)
    return trace


def _add_adapter(
    base: Path,
    lora: LoraOptions,
    options: TrainingOptions,
    resolved: ResolvedTraining,
    start_from: Path | None,
    quantized: QuantizedWeights | None,
) -> PeftModel:
    """Return the base model with an adapter, as a PEFT model that is ready to be trained."""
    import torch

    dtype = torch.bfloat16 if resolved.bf16 else torch.float32
    model = load_model(base, "float32" if quantized is not None else str(dtype).removeprefix("torch."))
    # Each checkpoint looks for the base's config at this path; given any other name, it would ask the hub.
    return adapt(
        model, lora, str(base), max_length=options.max_length, dtype=dtype, start_from=start_from, quantized=quantized
    )


def adapt(
    model: PreTrainedModel,
    lora: LoraOptions,
    base: str,
    *,
    max_length: int,
    dtype: torch.dtype,
    start_from: Path | None = None,
    quantized: QuantizedWeights | None = None,
) -> PeftModel:
    """Add an adapter to a model, and make it compute as it does in training.

    Args:
        model: The student; in float32 if ``quantized`` is given, else in ``dtype``.
        lora: Shape of the adapter.
        base: What the adapter calls the student.
        max_length: Length of the longest text it will see, in tokens.
        dtype: Precision of the matrix products.
        start_from: An adapter to continue from; without one, a new adapter is made.
        quantized: As for ``train_adapter``.
    """
    from peft import LoraConfig, PeftModel, get_peft_model

    from fdd_edge.students.fast_forward import use_fused_ops
    from fdd_edge.students.quantization_aware import round_weights_as_recipe

    if start_from is not None:
        adapted = PeftModel.from_pretrained(model, start_from, is_trainable=True)
    else:
        config = LoraConfig(
            r=lora.r,
            lora_alpha=lora.lora_alpha,
            use_rslora=lora.use_rslora,
            lora_dropout=lora.lora_dropout,
            target_modules=list(lora.target_modules),
            task_type="SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM",
        )
        adapted = get_peft_model(model, config)
    adapted.peft_config["default"].base_model_name_or_path = base
    if not adapted.config.is_encoder_decoder:
        use_fused_ops(adapted, max_length=max_length)
    if quantized is not None:
        round_weights_as_recipe(adapted, quantized, dtype)
    return adapted
