"""A tensor of a model file, read only when it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "StoredTensor"]

Array = npt.NDArray[np.float32]


class StoredTensor(NamedTuple):
    """A tensor of a file.

    Attributes:
        type: Name of its number format.
        load: Reads it as a float32 array; matrices have the shape (out features, in features).
        rounds: Returns whether it holds, bit for bit, what its format makes of some weights; False where that is not
            known.
    """

    type: str
    load: Callable[[], Array]
    rounds: Callable[[Array], bool] = lambda weights: False
