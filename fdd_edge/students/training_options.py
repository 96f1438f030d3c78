"""The options of LoRA training: the one definition that the config, the command line and the trainer share.

A run config composes these dataclasses. pydantic reads the bounds and descriptions from each field's ``metadata``;
constructing one directly checks nothing. Nothing heavy is imported here: neither torch nor pydantic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import fsum, isclose
from typing import Annotated, ClassVar, Literal, TypeAlias

from fdd_edge.catalog import OnShelf
from fdd_edge.ondevice.options import option

__all__ = ["NO_RECIPE", "LoraOptions", "MixOptions", "ResolvedTraining", "Tracker", "TrainingOptions"]

Tracker: TypeAlias = Literal["tensorboard", "trackio", "wandb"]
"""An experiment tracker, by the name of its package."""

NO_RECIPE = "none"
"""The value of ``quantization_aware`` for plain training."""


@dataclass(frozen=True)
class LoraOptions:
    """The shape of the LoRA adapter, under PEFT's names."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    r: int = option(16, "rank of the adapter", ge=1)
    lora_alpha: int = option(32, "the adapter is scaled by lora_alpha / r", ge=1)
    use_rslora: bool = option(False, "the adapter is scaled by lora_alpha / sqrt(r) instead")
    lora_dropout: float = option(0.0, "dropout on the adapter's input", ge=0, le=1)
    target_modules: tuple[str, ...] = option(
        ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
        "names of the linear layers that get an adapter",
        min_length=1,
    )


@dataclass(frozen=True)
class MixOptions:
    """What share of the tokens that are trained on each kind of problem has, the same every round."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    by: Literal["operations", "source"] = field(
        metadata={"description": "operations: how many a program has; source: the set of data.train it comes from"}
    )
    shares: Mapping[int | str, float] = field(
        metadata={"description": 'such as {1: 0.3, 2: 0.4, "3+": 0.3}, or the name of each set with its share; sum: 1'}
    )

    def __post_init__(self) -> None:
        named = {str(group): share for group, share in self.shares.items()}
        object.__setattr__(self, "shares", named)
        for group, share in named.items():
            if not 0 <= share <= 1:
                raise ValueError(f"the share of {group} is {share:g}; it must be between 0 and 1")
        if self.by == "operations":
            _check_counts(list(named))
        if not isclose(fsum(named.values()), 1, abs_tol=1e-6):
            raise ValueError(f"the shares sum to {fsum(named.values()):g}; make them sum to 1")

    def group_of(self, n_ops: int) -> str:
        """Return the group of a number of operations: the last one is also for more, the first one also for none."""
        groups = list(self.shares)
        return str(groups[min(max(n_ops, 1), len(groups)) - 1])


def _check_counts(groups: list[str]) -> None:
    """Refuse groups by number of operations that leave a number out.

    Raises:
        ValueError: They do.
    """
    *counts, last = groups or [""]
    if not re.fullmatch(r"[0-9]+\+", last):
        raise ValueError(f'the last group must be for N or more operations, such as "{max(1, len(groups))}+"')
    if wrong := [group for n, group in enumerate([*counts, last[:-1]], start=1) if group != str(n)]:
        raise ValueError(
            f'the groups must be 1, 2 and so on without a gap up to the last, such as 1, 2, "3+"; {wrong[0]} is not '
            "the next one"
        )


@dataclass(frozen=True)
class TrainingOptions:
    """One round of training, under the names of Hugging Face's ``TrainingArguments``."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    learning_rate: float = option(1e-3, "peak of the learning rate, which follows a cosine schedule", gt=0)
    num_train_epochs: float = option(1.0, "passes over the training set; ignored if max_tokens is set", gt=0)
    per_device_train_batch_size: int = option(4, "examples per batch, per process", ge=1)
    gradient_accumulation_steps: int = option(1, "batches per optimizer step", ge=1)
    max_length: int = option(512, "maximum tokens per example; longer ones are skipped and counted", ge=1)
    max_tokens: int | None = option(
        None, "train on this many tokens, however many examples there are; replaces num_train_epochs", ge=1
    )
    mix: MixOptions | None = option(
        None, "what share of the tokens each kind of problem has; default: as many as there are"
    )
    eval_steps: int | None = option(None, "steps between two evaluations on valid; default: once per epoch", ge=1)
    early_stopping_patience: int | None = option(
        None, "stop after this many evaluations without improvement; default: never", ge=1
    )
    save_steps: int = option(100, "steps between two checkpoints; an interrupted run resumes from the last one", ge=1)
    quantization_aware: Annotated[str, OnShelf("export/recipes", or_else=NO_RECIPE)] = option(
        NO_RECIPE, "recipe whose rounding is applied to the weights in the forward pass; none for plain training"
    )
    threads: int | None = option(None, "CPU threads; default: every core this process may use", ge=1)
    start_from: Literal["base", "previous"] = option(
        "base", "base trains a new adapter each round; previous continues with the last round's adapter"
    )
    report_to: tuple[Tracker, ...] = option(
        (), "trackers that get the losses and each round's figures: tensorboard, trackio, wandb; default: none"
    )


@dataclass(frozen=True)
class ResolvedTraining:
    """The values of one training that are not options: they follow from the data, the run and the machine.

    Attributes:
        num_train_epochs: Passes over the examples, after ``max_tokens`` has been taken into account.
        seed: Seed of the data order and of a new adapter's weights.
        bf16: Whether the frozen weights and the activations are bfloat16; float32 if not.
        threads: CPU threads of this process.
    """

    num_train_epochs: float
    seed: int
    bf16: bool
    threads: int
