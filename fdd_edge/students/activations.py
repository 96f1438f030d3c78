"""The inputs of each matrix of a student, measured on texts: the data behind an importance matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from fdd_edge.students.load import load_model
from fdd_edge.students.tokenizer import Example

if TYPE_CHECKING:
    import torch

__all__ = ["InputSquares", "input_squares"]


class InputSquares(NamedTuple):
    """Squared inputs of the matrices of a model.

    Attributes:
        sums: Name of the weight in the folder -> sum of its squared inputs per column.
        n_inputs: Number of inputs, the same for every weight.
    """

    sums: Mapping[str, npt.NDArray[np.float32]]
    n_inputs: int


def input_squares(
    folder: Path,
    examples: Sequence[Example],
    *,
    threads: int | None = None,
    on_progress: Callable[[int], None] = lambda done: None,
) -> InputSquares:
    """Run a student on prompts and replies, and sum the squared inputs of every linear layer.

    The head is left out, as in llama.cpp's own tool: it is stored with more bits anyway.

    Args:
        folder: Hugging Face folder.
        examples: Encoded texts.
        threads: Number of torch threads; None for torch's default.
        on_progress: Called with the number of texts done so far.
    """
    import torch
    from torch import nn

    if threads is not None:
        torch.set_num_threads(threads)

    model = load_model(folder).eval()
    sums: dict[str, torch.Tensor] = {}

    def add(name: str, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        sums[name] = sums.get(name, 0) + inputs[0].detach().reshape(-1, inputs[0].shape[-1]).square().sum(0)

    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and module is not model.get_output_embeddings():
            module.register_forward_pre_hook(partial(add, f"{name}.weight"))
    with torch.inference_mode():
        for done, example in enumerate(examples, start=1):
            ids = torch.tensor([[*example.prompt_ids, *example.completion_ids]])
            model.model(input_ids=ids, use_cache=False)
            on_progress(done)
    n_inputs = sum(len(example.prompt_ids) + len(example.completion_ids) for example in examples)
    return InputSquares({name: total.numpy() for name, total in sums.items()}, n_inputs)
