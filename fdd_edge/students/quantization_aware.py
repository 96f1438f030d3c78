"""Training on the weights that the exported file will contain: each matrix is rounded as the recipe rounds it.

A matrix with an adapter is merged and rounded at every step, with a straight-through gradient. The others (embedding,
head, layers without an adapter) do not change, so they are rounded to the recipe's grid once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from fdd_edge.errors import FddError
from fdd_edge.students.fast_forward import lora_layers, round_merged
from fdd_edge.students.grids import GRIDS
from fdd_edge.students.quantized_weights import QuantizedWeights

if TYPE_CHECKING:
    from peft import PeftModel

__all__ = ["round_weights_as_recipe"]


def round_weights_as_recipe(model: PeftModel, quantized: QuantizedWeights, dtype: torch.dtype) -> None:
    """Make a PEFT model compute with the weights that its exported file will contain.

    Args:
        model: A float32 PEFT model that uses the fused operations.
        quantized: The student quantized by the recipe.
        dtype: Precision of the matrix products.

    Raises:
        FddError: A trained matrix has a tensor type without a grid.
    """
    causal = model.get_base_model()
    trained = dict(lora_layers(model))
    for name, layer in trained.items():
        kind = quantized.type_of(f"{name}.weight")
        if kind not in GRIDS:
            raise FddError(
                f"training.quantization_aware: the recipe stores {name} as {kind}; training for it is not supported "
                f"yet. Supported: {', '.join(GRIDS)}."
            )
        round_merged(layer, GRIDS[kind], dtype)
    for name, parameter in causal.named_parameters():
        owner = name.rsplit(".", 1)[0]
        if parameter.ndim == 2 and ".lora_" not in name and owner.removesuffix(".base_layer") not in trained:
            parameter.data = torch.from_numpy(quantized.dequantized(name))
    # The adapter stays in float32; everything else is only read.
    for name, parameter in causal.named_parameters():
        if ".lora_" not in name:
            parameter.data = parameter.data.to(dtype)
