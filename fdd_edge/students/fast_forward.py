"""Speeds up a PEFT model: its slow steps are replaced by ``fused_ops``, and its loss covers completions only.

Instances are patched, and attention goes through transformers' own registry; weights, names and files stay PEFT's.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from fdd_edge.students.fused_ops import CausalAttention, CompletionLoss, LoraLinear, StraightThroughLinear
from fdd_edge.students.grids import Grid

if TYPE_CHECKING:
    from peft import PeftModel
    from peft.tuners.lora import Linear
    from transformers import PreTrainedModel

__all__ = ["IGNORED", "lora_layers", "round_merged", "use_fused_ops"]

IGNORED = -100
"""Label of a token that is left out of the loss; torch's own value."""

_SHORT = 768
"""Longest text whose attention scores are computed all at once; for longer ones torch's tiled attention is used."""

_ATTENTION = "fdd_edge_short"


def use_fused_ops(model: PeftModel, *, max_length: int) -> None:
    """Replace the forward passes of a PEFT model's causal model, its attention and its LoRA layers.

    The model then takes ``input_ids`` and ``labels``, padded on the right, and returns ``{"loss": ...}``.

    Args:
        model: LoRA on a causal language model; layers with dropout keep PEFT's own, slower forward pass.
        max_length: Length of the longest text it will see, in tokens.
    """
    for _, layer in lora_layers(model):
        if layer.lora_dropout[_adapter(layer)].__class__ is nn.Identity:
            layer.forward = functools.partial(_lora_forward, layer)
    causal = model.get_base_model()
    causal.forward = functools.partial(_completion_forward, causal)
    if max_length <= _SHORT and not getattr(causal.config, "attention_dropout", 0.0):
        from transformers import AttentionInterface

        AttentionInterface.register(_ATTENTION, _short_attention)
        causal.set_attn_implementation(_ATTENTION)


def lora_layers(model: PeftModel) -> Iterator[tuple[str, Linear]]:
    """Yield (name in the base model, layer) of every linear layer that has an adapter."""
    from peft.tuners.lora import Linear

    for name, module in model.get_base_model().named_modules():
        if isinstance(module, Linear):
            yield name, module


def round_merged(layer: Linear, grid: Grid, dtype: torch.dtype) -> None:
    """Make a LoRA layer compute with its merged weight rounded to a grid, as the exported file will.

    Args:
        layer: One of ``lora_layers``, with its base weight in float32.
        grid: The grid of the tensor type.
        dtype: Precision of the matrix products.
    """
    weight = layer.base_layer.weight.detach().t().contiguous()
    # From here on, the base weight only exists as the transposed copy.
    layer.base_layer.weight = nn.Parameter(torch.empty(0, dtype=dtype), requires_grad=False)
    layer.forward = _RoundedForward(layer, weight, grid, dtype)


class _RoundedForward:
    """The forward pass of one layer; during evaluation, when the adapter does not change, it rounds only once."""

    def __init__(self, layer: Linear, weight: torch.Tensor, grid: Grid, dtype: torch.dtype) -> None:
        self._layer = layer
        self._weight = weight
        self._grid = grid
        self._dtype = dtype
        self._rounded: torch.Tensor | None = None
        self._rounded_of: tuple[int, int] | None = None

    def __call__(self, x: torch.Tensor, *args: object, **kwargs: object) -> torch.Tensor:
        """Return the layer's output."""
        adapter = _adapter(self._layer)
        a, b = self._layer.lora_A[adapter].weight, self._layer.lora_B[adapter].weight
        scale = self._layer.scaling[adapter]
        trains = torch.is_grad_enabled()
        # torch counts the changes of a tensor in place, such as loading the best weights, but not those that its fused
        # optimizer makes: after a training pass, the rounded weight is always stale.
        versions = (a._version, b._version)
        rounded = self._rounded
        if trains or rounded is None or versions != self._rounded_of:
            with torch.no_grad():
                rounded = self._grid.round_(torch.addmm(self._weight, a.t(), b.t(), alpha=scale)).to(self._dtype)
        self._rounded, self._rounded_of = (None, None) if trains else (rounded, versions)
        return StraightThroughLinear.apply(x, rounded, self._layer.base_layer.bias, a, b, scale)


def _adapter(layer: Linear) -> str:
    """Return the name of the one active adapter."""
    (name,) = layer.active_adapters
    return str(name)


def _lora_forward(layer: Linear, x: torch.Tensor, *args: object, **kwargs: object) -> torch.Tensor:
    adapter, base = _adapter(layer), layer.base_layer
    a, b = layer.lora_A[adapter].weight, layer.lora_B[adapter].weight
    return LoraLinear.apply(x, base.weight, base.bias, a, b, layer.scaling[adapter])


def _completion_forward(
    causal: PreTrainedModel,
    input_ids: torch.Tensor,
    labels: torch.Tensor,
    num_items_in_batch: torch.Tensor | int | None = None,
    **kwargs: object,
) -> dict[str, torch.Tensor]:
    """Return the loss on the labelled tokens: the mean, or the sum divided by ``num_items_in_batch``.

    The head of a small model with a large vocabulary costs as much as a third of its layers, and most tokens of a word
    problem belong to the prompt. Padding is on the right, where causal attention never looks, so no mask is needed.
    """
    hidden = causal.model(input_ids=input_ids, use_cache=False).last_hidden_state
    targets = labels[:, 1:]
    in_loss = targets != IGNORED
    hidden, targets = hidden[:, :-1][in_loss], targets[in_loss]
    head = causal.lm_head
    if type(head) is nn.Linear and head.bias is None:
        total = CompletionLoss.apply(hidden, head.weight, targets)
    else:
        total = cross_entropy(head(hidden).float(), targets, reduction="sum")
    return {"loss": total / (len(targets) if num_items_in_batch is None else num_items_in_batch)}


def _short_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    sliding_window: int | None = None,
    **kwargs: object,
) -> tuple[torch.Tensor, None]:
    """Implement transformers' attention interface; it passes no mask to an attention that is not its own."""
    mask = _causal_mask(query.shape[2], sliding_window, query.dtype)
    return CausalAttention.apply(query, key, value, mask, scaling).transpose(1, 2), None


# A batch has one length, and a Gemma two windows; a mask for 768 tokens takes 2.4 MB.
@functools.lru_cache(maxsize=4)
def _causal_mask(tokens: int, window: int | None, dtype: torch.dtype) -> torch.Tensor:
    """Return the mask that is added to scores: 0 or minus infinity; shape (tokens, tokens)."""
    visible = torch.ones(tokens, tokens, dtype=torch.bool).tril()
    if window is not None:
        visible &= ~torch.ones(tokens, tokens, dtype=torch.bool).tril(-window)
    return torch.zeros(tokens, tokens, dtype=dtype).masked_fill(~visible, float("-inf"))
