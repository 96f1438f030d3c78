"""What the trainer needs to know about a recipe that it trains for."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["QuantizedWeights"]


class QuantizedWeights(Protocol):
    """The untrained student's matrices as a recipe stores them, by their names in the Hugging Face folder."""

    def type_of(self, name: str) -> str:
        """Return ggml's name of a weight's tensor type."""

    def dequantized(self, name: str) -> npt.NDArray[np.float32]:
        """Return a weight as it is read back from the quantized file, in the weight's shape."""
