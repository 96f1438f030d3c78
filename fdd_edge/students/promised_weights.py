"""The tensors that a ``config.json`` promises: those of the model that transformers builds from it, without memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fdd_edge.errors import FddError
from fdd_edge.students.load import is_encoder_decoder

__all__ = ["PromisedWeights", "promised_weights"]

_RECOMPUTED = r"rotary_emb\.inv_freq$"
"""Buffers that older versions of transformers stored, and that no version reads."""


@dataclass(frozen=True)
class PromisedWeights:
    """The tensors of a model, as transformers names and shapes them.

    Attributes:
        shapes: The shape of each tensor, by name.
        copies: Which of them are another one, such as a tied head: name -> name of the one that is stored.
        unread: Patterns of further names that a folder may hold, and that transformers does not read.
    """

    shapes: Mapping[str, tuple[int, ...]]
    copies: Mapping[str, str]
    unread: tuple[str, ...]

    def is_unread(self, name: str) -> bool:
        """Return whether a tensor may be there although the model has none of that name."""
        return any(re.search(pattern, name) for pattern in self.unread)


def promised_weights(folder: Path) -> PromisedWeights:
    """Return the tensors that the ``config.json`` of a Hugging Face folder promises.

    Raises:
        FddError: transformers cannot build a model from it.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    kind = AutoModelForSeq2SeqLM if is_encoder_decoder(folder) else AutoModelForCausalLM
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        with torch.device("meta"):
            model = kind.from_config(config, trust_remote_code=False)
    except Exception as error:  # a stranger's values, of which each key has its own way to fail
        reason = f"{type(error).__name__}: {error}".splitlines()[0].removesuffix(".")
        raise FddError(
            f"{folder / 'config.json'} does not describe a model that transformers can build: {reason}."
        ) from None
    first: dict[int, str] = {}
    shapes, copies = dict[str, tuple[int, ...]](), dict[str, str]()
    for name, tensor in model.state_dict(keep_vars=True).items():
        shapes[name] = tuple(tensor.shape)
        if (original := first.setdefault(id(tensor), name)) != name:
            copies[name] = original
    return PromisedWeights(shapes, copies, (_RECOMPUTED, *(model._keys_to_ignore_on_load_unexpected or ())))
