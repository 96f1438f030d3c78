"""Compares the weights of a file with those of its reference, tensor by tensor, which identifies a wrong layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fdd_edge.parity.certificate import Item
from fdd_edge.parity.item_figures import rounded
from fdd_edge.parity_bounds import Bounds
from fdd_edge.runs.fingerprint import Json

__all__ = ["FileTensor", "compare_tensors", "has_quantized", "has_same_weights", "relative_error"]

_Array = npt.NDArray[np.float32]

_EXACT = {"F32": 1e-5, "F16": 1e-3, "BF16": 1e-2}
"""Largest relative error of a tensor that is not quantized; no recipe can raise it."""
_SAME = 0.5
"""Relative error below which two tensors are the same one at different precision; unrelated ones are at 1.4."""
_SAME_ROWS = 0.05
"""The same for the sorted norms of their rows."""


class FileTensor(Protocol):
    """A tensor of a file."""

    @property
    def type(self) -> str:
        """Name of its number format."""

    @property
    def load(self) -> Callable[[], _Array]:
        """Reads it as float32."""

    @property
    def rounds(self) -> Callable[[_Array], bool]:
        """Returns whether it holds, bit for bit, what its number format makes of some weights."""


def compare_tensors(
    reference: Callable[[], Iterable[tuple[str, _Array]]],
    file: Mapping[str, FileTensor],
    bounds: Bounds,
    *,
    prove: bool = False,
) -> Item:
    """Compare every tensor of a file, dequantized, with the reference's weights.

    Args:
        reference: Yields (name in the file, weights) of the float model; called again to identify a misplaced tensor.
        file: The file's tensors by name.
        bounds: ``tensors`` is used.
        prove: Whether to find out if every tensor is exactly what its number format makes of the reference's weights,
            which no error within a bound could show; the figure ``exact`` says so.
    """
    largest: dict[str, float] = {}
    total, exact = 0, prove
    wrong: list[dict[str, Json]] = []
    seen = set()
    for name, weights in reference():
        seen.add(name)
        total += 1
        tensor = file.get(name)
        if tensor is None:
            wrong.append({"tensor": name, "file": "missing"})
            continue
        values = tensor.load()
        if values.shape != weights.shape:
            wrong.append({"tensor": name, "reference": list(weights.shape), "file": list(values.shape)})
            continue
        error = relative_error(values, weights)
        largest[tensor.type] = max(largest.get(tensor.type, 0.0), error)
        exact = exact and (np.array_equal(values, weights) or tensor.rounds(weights))
        if not error <= min(_EXACT.get(tensor.type, bounds.tensors), bounds.tensors):
            wrong.append({"tensor": name, "type": tensor.type, "relative_error": rounded(error)})
    good = total - len(wrong)
    wrong += [{"tensor": name, "reference": "missing"} for name in file if name not in seen]
    first = wrong[0] if wrong else None
    if first is not None and "relative_error" in first:
        first |= _what_it_holds(reference, str(first["tensor"]), file[str(first["tensor"])].load())
    by_type = ", ".join(f"{kind} {error:.2g}" for kind, error in sorted(largest.items()))
    exact = exact and not wrong
    figures: dict[str, Json] = {"n": total, "wrong": len(wrong)}
    figures["largest_error"] = {kind: rounded(error) for kind, error in sorted(largest.items())}
    if prove:
        figures["exact"] = exact
    summary = (
        f"{good} of {total}{', bit for bit' if exact else ''}; largest error {by_type} (at most {bounds.tensors:g})"
    )
    return Item("tensors", not wrong, summary, figures, first)


def has_quantized(tensors: Item) -> bool:
    """Return whether a file has quantized tensors, by the item that compared them."""
    return not _errors(tensors).keys() <= _EXACT.keys()


def has_same_weights(tensors: Item) -> bool:
    """Return whether the weights of a file are those of the reference, which was trained on their grid."""
    return not any(_errors(tensors).values())


def _errors(tensors: Item) -> Mapping[str, Json]:
    errors = tensors.figures["largest_error"]
    assert isinstance(errors, dict)
    return errors


def relative_error(values: _Array, reference: _Array) -> float:
    """Return the L2 norm of the difference divided by that of the reference."""
    norm = float(np.linalg.norm(reference))
    difference = float(np.linalg.norm(values - reference))
    return difference / norm if norm else 0.0 if difference == 0 else float("inf")


def _what_it_holds(reference: Callable[[], Iterable[tuple[str, _Array]]], name: str, values: _Array) -> dict[str, str]:
    """Return what a wrong tensor holds instead, if it can be recognised: its own rows reordered, or another tensor."""
    nearest, error = name, _SAME
    for other, weights in reference():
        if weights.shape != values.shape:
            continue
        if other == name and weights.ndim > 1 and _same_rows(values, weights):
            return {"holds": "the same rows in another order"}
        if (distance := relative_error(values, weights)) < error:
            nearest, error = other, distance
    return {} if nearest == name else {"holds": nearest}


def _same_rows(values: _Array, weights: _Array) -> bool:
    norms = [np.sort(np.linalg.norm(matrix, axis=-1).ravel()) for matrix in (values, weights)]
    return relative_error(norms[0], norms[1]) < _SAME_ROWS
