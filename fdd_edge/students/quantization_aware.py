"""Training on the weights that the file will hold: each matrix rounded as the recipe rounds it.

A matrix with an adapter is rounded anew at every step, merged, with a straight-through gradient; the others (embedding,
head, what has no adapter) are put on the recipe's grid once, because they do not change.
"""

from __future__ import annotations

from typing import Any

import torch

from fdd_edge.errors import FddError
from fdd_edge.students.fast_forward import lora_layers, round_merged
from fdd_edge.students.grids import GRIDS
from fdd_edge.students.lora_training import QuantizedWeights

__all__ = ["round_as_file"]


def round_as_file(model: Any, quantized: QuantizedWeights, dtype: torch.dtype) -> None:
    """Let a lean PEFT model in float32 compute with the weights its file will hold, in ``dtype``.

    Raises:
        FddError: A matrix that is trained has a tensor type that cannot be rounded to here.
    """
    causal = model.get_base_model()
    trained = dict(lora_layers(model))
    for name, layer in trained.items():
        kind = quantized.type_of(f"{name}.weight")
        if kind not in GRIDS:
            raise FddError(
                f"training.quantization_aware: the recipe holds {name} as {kind}, which cannot be trained for yet. "
                f"It can for {', '.join(GRIDS)}."
            )
        round_merged(layer, GRIDS[kind], dtype)
    for name, parameter in causal.named_parameters():
        owner = name.rsplit(".", 1)[0]
        if parameter.ndim == 2 and ".lora_" not in name and owner.removesuffix(".base_layer") not in trained:
            parameter.data = torch.from_numpy(quantized.dequantized(name))
    # The adapter stays in float32; everything else is only ever read.
    for name, parameter in causal.named_parameters():
        if ".lora_" not in name:
            parameter.data = parameter.data.to(dtype)
