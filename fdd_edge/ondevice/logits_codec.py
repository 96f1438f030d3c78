"""Encode rows of logits as text, which is much shorter than a JSON list of numbers."""

from __future__ import annotations

import base64

import numpy as np
import numpy.typing as npt

__all__ = ["decode_rows", "encode_rows"]


def encode_rows(rows: npt.NDArray[np.float32]) -> str:
    """Encode rows, shape (n, n_vocab), as base64 of little-endian float32."""
    return base64.b64encode(np.ascontiguousarray(rows, "<f4").tobytes()).decode("ascii")


def decode_rows(text: str, n: int) -> npt.NDArray[np.float32]:
    """Decode ``n`` rows, shape (n, n_vocab).

    Raises:
        ValueError: The text does not hold ``n`` rows of the same length.
    """
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32).reshape(n, -1 if n else 0)
