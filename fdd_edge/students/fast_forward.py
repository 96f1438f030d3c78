"""Makes a PEFT model lean: its slow steps exchanged for those of ``autograd``, its loss taken on completions alone.

The exchange is by instance and by transformers' own attention registry; weights, names and files stay PEFT's.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from fdd_edge.students.fused_ops import CausalAttention, CompletionLoss, LoraLinear, StraightThroughLinear
from fdd_edge.students.grids import Grid

__all__ = ["IGNORED", "lora_layers", "round_merged", "use_fused_ops"]

IGNORED = -100
"""Label of a token that no loss is taken on; torch's own."""

_SHORT = 768
"""Tokens up to which all scores of a layer are held at once; beyond, torch's tiled attention is used."""

_ATTENTION = "fdd_edge_short"


def use_fused_ops(model: Any, *, max_length: int) -> None:
    """Exchange the forward passes of a PEFT model's causal model, its attention and its LoRA layers.

    The model then takes ``input_ids`` and ``labels``, padded on the right, and returns ``{"loss": ...}``.

    Args:
        model: LoRA on a causal language model; dropout is left to PEFT's own, slower layers.
        max_length: Longest text it will see.
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


def lora_layers(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield (name in the base model, layer) of every linear layer that has an adapter."""
    from peft.tuners.lora import Linear

    for name, module in model.get_base_model().named_modules():
        if isinstance(module, Linear):
            yield name, module


def round_merged(layer: Any, grid: Grid, dtype: torch.dtype) -> None:
    """Let a LoRA layer compute with its merged weight rounded to a grid, as the exported file will.

    Args:
        layer: One of ``lora_layers``, its base weight in float32.
        grid: The tensor type's numbers.
        dtype: Of the products.
    """
    weight = layer.base_layer.weight.detach().t().contiguous()
    # The base weight lives on in the transposed copy alone.
    layer.base_layer.weight = nn.Parameter(torch.empty(0, dtype=dtype), requires_grad=False)
    layer.forward = _RoundedForward(layer, weight, grid, dtype)


class _RoundedForward:
    """One layer's forward pass; evaluation, which changes no adapter, rounds once."""

    def __init__(self, layer: Any, weight: Any, grid: Grid, dtype: torch.dtype) -> None:
        self._layer = layer
        self._weight = weight
        self._grid = grid
        self._dtype = dtype
        self._rounded: Any = None

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute the layer."""
        adapter = _adapter(self._layer)
        a, b = self._layer.lora_A[adapter].weight, self._layer.lora_B[adapter].weight
        scale = self._layer.scaling[adapter]
        trains = torch.is_grad_enabled()
        rounded = self._rounded
        if trains or rounded is None:
            with torch.no_grad():
                rounded = self._grid.round_(torch.addmm(self._weight, a.t(), b.t(), alpha=scale)).to(self._dtype)
        # A training pass is followed by an optimizer step, after which this weight is none any more.
        self._rounded = None if trains else rounded
        return StraightThroughLinear.apply(x, rounded, self._layer.base_layer.bias, a, b, scale)


def _adapter(layer: Any) -> str:
    """Return the name of the one active adapter."""
    (name,) = layer.active_adapters
    return str(name)


def _lora_forward(layer: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    adapter, base = _adapter(layer), layer.base_layer
    a, b = layer.lora_A[adapter].weight, layer.lora_B[adapter].weight
    return LoraLinear.apply(x, base.weight, base.bias, a, b, layer.scaling[adapter])


def _completion_forward(
    causal: Any, input_ids: Any, labels: Any, num_items_in_batch: Any = None, **kwargs: Any
) -> dict[str, Any]:
    """Return the loss on the labelled tokens: its mean, or its sum over ``num_items_in_batch``.

    The head of a small model with a large vocabulary costs as much as a third of its layers, and most tokens of a word
    problem are prompt. Padding stands on the right, where causal attention never looks: no mask is needed.
    """
    hidden = causal.model(input_ids=input_ids, use_cache=False).last_hidden_state
    targets = labels[:, 1:]
    wanted = targets != IGNORED
    hidden, targets = hidden[:, :-1][wanted], targets[wanted]
    head = causal.lm_head
    if type(head) is nn.Linear and head.bias is None:
        total = CompletionLoss.apply(hidden, head.weight, targets)
    else:
        total = cross_entropy(head(hidden).float(), targets, reduction="sum")
    return {"loss": total / (len(targets) if num_items_in_batch is None else num_items_in_batch)}


def _short_attention(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, *, scaling: float, **kwargs: Any
) -> tuple[Any, None]:
    """Answer transformers' attention call; it passes no mask to an attention it does not know."""
    mask = _causal_mask(query.shape[2], kwargs.get("sliding_window"))
    return CausalAttention.apply(query, key, value, mask, scaling).transpose(1, 2), None


# One length for a batch, and two windows in a Gemma; a mask of 768 tokens is 2.4 MB.
@functools.lru_cache(maxsize=4)
def _causal_mask(tokens: int, window: int | None) -> Any:
    """Return what is added to scores: 0 where a token may look, minus infinity elsewhere; shape (tokens, tokens)."""
    looks = torch.ones(tokens, tokens, dtype=torch.bool).tril()
    if window is not None:
        looks &= ~torch.ones(tokens, tokens, dtype=torch.bool).tril(-window)
    return torch.zeros(tokens, tokens).masked_fill(~looks, float("-inf"))
