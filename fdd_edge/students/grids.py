"""The grids that quantization rounds weights to, in torch, bit for bit as ggml's own reference rounds them.

Source: ``quantize_row_q4_0_ref`` and ``quantize_row_q8_0_ref`` of ggml-quants.c. Weights are held transposed here: a
block is then a column of 32, and every step runs over long rows, six times as fast as over blocks of 32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch

__all__ = ["GRIDS", "Grid"]


class Grid(Protocol):
    """The numbers that a tensor type can hold; a further type is one more class with these two."""

    @property
    def block(self) -> int:
        """Weights that share a scale; the number of input features is a multiple of it."""

    def round_(self, weight: Any) -> Any:
        """Round every weight to the grid, in place.

        Args:
            weight: float32, contiguous, transposed: shape (in features, out features).

        Returns:
            ``weight``: what the quantized file is read back as.
        """


class Q4_0:
    """16 steps of one scale; the weight of largest magnitude sits on the outermost."""

    block = 32

    def round_(self, weight: Any) -> Any:
        """Round every weight to the grid, in place."""
        blocks = weight.view(-1, self.block, weight.shape[1])
        scale = _extreme(blocks).div_(-8)
        blocks.mul_(_reciprocal(scale)).add_(8.5).floor_().clamp_(max=15).sub_(8).mul_(scale.half().float())
        return weight


class Q8_0:
    """255 steps of one scale, symmetric about zero."""

    block = 32

    def round_(self, weight: Any) -> Any:
        """Round every weight to the grid, in place."""
        blocks = weight.view(-1, self.block, weight.shape[1])
        scale = torch.maximum(blocks.amax(1, keepdim=True), blocks.amin(1, keepdim=True).neg_()).div_(127)
        blocks.mul_(_reciprocal(scale))
        # C's roundf takes halves away from zero, torch.round to the even neighbour. Twice what is behind the point is
        # exact, and its whole part is the step to take.
        whole = blocks.trunc()
        whole += blocks.sub_(whole).mul_(2).trunc_()
        torch.mul(whole, scale.half().float(), out=blocks)
        return weight


class _Float:
    """A float type: every weight for itself."""

    block = 1

    def __init__(self, dtype: Any) -> None:
        self._dtype = dtype

    def round_(self, weight: Any) -> Any:
        """Round every weight to the type, in place."""
        return weight.copy_(weight.to(self._dtype))


GRIDS: Mapping[str, Grid] = {
    "Q4_0": Q4_0(),
    "Q8_0": Q8_0(),
    "F16": _Float(torch.float16),
    "BF16": _Float(torch.bfloat16),
    "F32": _Float(torch.float32),
}
"""By ggml's name of the tensor type."""


def _extreme(blocks: Any) -> Any:
    """Return the value of largest magnitude of each block, shape (n, 1, out features); of equal ones the first."""
    low, high = blocks.amin(1, keepdim=True), blocks.amax(1, keepdim=True)
    found = torch.where(high > -low, high, low)
    tied = (high == -low) & (high != 0)
    if bool(tied.any()):
        first = blocks.gather(1, blocks.abs().argmax(1, keepdim=True))
        found = torch.where(tied, first, found)
    return found


def _reciprocal(scale: Any) -> Any:
    """Return 1 / scale, and 0 where a block is all zeros."""
    return torch.where(scale == 0, 0, scale.reciprocal())
