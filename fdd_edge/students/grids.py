"""The grids that quantization rounds weights to, in torch, bit for bit equal to ggml's reference implementation.

Source: ``quantize_row_q4_0_ref`` and ``quantize_row_q8_0_ref`` of ggml-quants.c. Weights are transposed here: a
block is then a column of 32, and every step runs over long rows, which is six times as fast as over blocks of 32.
torch is imported on use, so that asking which types have a grid does not load it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["GRIDS", "Grid"]


class Grid(Protocol):
    """The numbers that a tensor type can represent. To add a type, add a class with these two members."""

    @property
    def block(self) -> int:
        """Number of weights that share a scale; the number of input features is a multiple of it."""

    def round_(self, weight: Tensor) -> Tensor:
        """Round every weight to the grid, in place.

        Args:
            weight: float32, contiguous, transposed: shape (in features, out features).

        Returns:
            ``weight``, which now equals what is read back from the quantized file.
        """


class Q4_0:
    """16 steps per scale; the weight of largest magnitude is on the outermost step."""

    block = 32

    def round_(self, weight: Tensor) -> Tensor:
        """Round every weight to the grid, in place."""
        blocks = weight.view(-1, self.block, weight.shape[1])
        scale = _extreme(blocks).div_(-8)
        blocks.mul_(_reciprocal(scale)).add_(8.5).floor_().clamp_(max=15).sub_(8).mul_(scale.half().float())
        return weight


class Q8_0:
    """255 steps per scale, symmetric about zero."""

    block = 32

    def round_(self, weight: Tensor) -> Tensor:
        """Round every weight to the grid, in place."""
        import torch

        blocks = weight.view(-1, self.block, weight.shape[1])
        scale = torch.maximum(blocks.amax(1, keepdim=True), blocks.amin(1, keepdim=True).neg_()).div_(127)
        blocks.mul_(_reciprocal(scale))
        # C's roundf rounds halves away from zero, torch.round to the even neighbour. Doubling the fraction is exact,
        # and the whole part of the result is the step to add.
        whole = blocks.trunc()
        whole += blocks.sub_(whole).mul_(2).trunc_()
        torch.mul(whole, scale.half().float(), out=blocks)
        return weight


class _Float:
    """A float type, which rounds every weight on its own."""

    block = 1

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype

    def round_(self, weight: Tensor) -> Tensor:
        """Round every weight to the type, in place."""
        import torch

        return weight.copy_(weight.to(getattr(torch, self._dtype)))


GRIDS: Mapping[str, Grid] = {
    "Q4_0": Q4_0(),
    "Q8_0": Q8_0(),
    "F16": _Float("float16"),
    "BF16": _Float("bfloat16"),
    "F32": _Float("float32"),
}
"""Grids by ggml's name of the tensor type."""


def _extreme(blocks: Tensor) -> Tensor:
    """Return the value of largest magnitude of each block, the first one if tied; shape (n, 1, out features)."""
    import torch

    low, high = blocks.amin(1, keepdim=True), blocks.amax(1, keepdim=True)
    found = torch.where(high > -low, high, low)
    tied = (high == -low) & (high != 0)
    if bool(tied.any()):
        first = blocks.gather(1, blocks.abs().argmax(1, keepdim=True))
        found = torch.where(tied, first, found)
    return found


def _reciprocal(scale: Tensor) -> Tensor:
    """Return 1 / scale, or 0 for a block of zeros."""
    import torch

    return torch.where(scale == 0, 0, scale.reciprocal())
