"""Tied embeddings of which an adapter changes one: PEFT computes with two matrices, but would merge into both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fdd_edge.errors import FddError

if TYPE_CHECKING:
    from peft import PeftModel
    from torch.nn import Module
    from transformers import PreTrainedModel

__all__ = ["separate_tied", "tie_equal"]


def separate_tied(model: PeftModel, adapter: Path) -> bool:
    """Give every layer a weight of its own where an adapter changes one of several that share it.

    Returns:
        Whether there were any.

    Raises:
        FddError: The model is an encoder-decoder, whose tied layers differ by a factor.
    """
    from torch.nn import Parameter

    owners = _owners(model)
    changed = _changed_layers(model)
    shared = [
        layers
        for layers in owners.values()
        if len(layers) > 1 and any(name.startswith(changed) for name, _, _ in layers)
    ]
    if shared and getattr(model.config, "is_encoder_decoder", False):
        raise FddError(
            f"The adapter {adapter} changes embeddings that several layers of an encoder-decoder share, and this "
            "is not supported yet. Train it without shared, embed_tokens and lm_head."
        )
    for layers in shared:
        for _, layer, key in layers[1:]:
            weight = layer._parameters[key]
            assert weight is not None
            layer._parameters[key] = Parameter(weight.detach().clone(), requires_grad=False)
    return bool(shared)


def tie_equal(model: PreTrainedModel) -> None:
    """Tie the embeddings of a merged model again if its adapter has changed both in the same way."""
    import torch

    inside, outside = model.get_input_embeddings(), model.get_output_embeddings()
    tied = inside.weight.shape == outside.weight.shape and torch.allclose(
        inside.weight, outside.weight, rtol=1e-5, atol=1e-6
    )
    if tied:
        outside.weight = inside.weight
    model.config.tie_word_embeddings = tied


def _owners(model: PeftModel) -> dict[int, list[tuple[str, Module, str]]]:
    """Return the layers that hold each parameter, with their names and the parameter's, by the parameter's id."""
    owners: dict[int, list[tuple[str, Module, str]]] = {}
    for name, layer in model.named_modules():
        for key, parameter in layer._parameters.items():
            if parameter is not None:
                owners.setdefault(id(parameter), []).append((f"{name}.", layer, key))
    return owners


def _changed_layers(model: PeftModel) -> tuple[str, ...]:
    """Return the names of the layers that an adapter changes, each with a dot at its end."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import AuxiliaryTrainingWrapper

    kinds = (BaseTunerLayer, AuxiliaryTrainingWrapper)
    return tuple(f"{name}." for name, layer in model.named_modules() if isinstance(layer, kinds))
