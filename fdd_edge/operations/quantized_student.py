"""A student as a recipe would quantize it, for training and merging that see its rounding."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fdd_edge.artifacts.gguf import QuantizedFile, quantize_gguf, write_float_gguf
from fdd_edge.artifacts.recipe import GgufRecipe
from fdd_edge.disk_space import check_disk
from fdd_edge.distributed import local_world_size, rank
from fdd_edge.errors import FddError
from fdd_edge.parity import relative_error
from fdd_edge.resolve.student import Student
from fdd_edge.safetensors_folder import count_parameters, weight_files
from fdd_edge.students.grids import GRIDS
from fdd_edge.students.quantized_weights import QuantizedWeights

__all__ = ["QUANTIZED_COPIES", "quantized_weights", "round_weights"]

QUANTIZED_COPIES = 1.4
"""Disk for it, in float32 copies of the student: its float file, and the quantized one next to it."""


@contextmanager
def quantized_weights(student: Student, recipe: GgufRecipe, out: Path) -> Iterator[QuantizedFile]:
    """Quantize a student by a recipe; yield the tensor types it gives, and the weights as they read back.

    The files stay in ``out`` while they are needed, one copy per process.
    """
    check_disk(out, count_parameters(student.folder), copies=QUANTIZED_COPIES * local_world_size())
    folder = out / f"quantized-{rank()}"
    folder.mkdir(parents=True, exist_ok=True)
    float_file, quantized_file = folder / "float.gguf", folder / "quantized.gguf"
    write_float_gguf(student.folder, student.vocab, float_file, metadata={})
    quantize_gguf(float_file, quantized_file, recipe.type, recipe=recipe.name)
    float_file.unlink()
    yield QuantizedFile(quantized_file, student.folder)
    shutil.rmtree(folder)


def round_weights(folder: Path, quantized: QuantizedWeights, *, most: float) -> None:
    """Put the matrices of a float32 folder onto the grids of its quantized file, in place.

    Matrices that the recipe stores in a type without a grid (a K-quant head) stay as they are: rounding those twice
    would not give the same file.

    Raises:
        FddError: A matrix differs more after reading back than rounding allows. No certificate would notice later,
            because both of its sides are made from this folder.
    """
    from safetensors.numpy import load_file, save_file

    for path in weight_files(folder):
        tensors = load_file(path)
        for name, weight in tensors.items():
            if weight.ndim < 2 or quantized.type_of(name) not in GRIDS:
                continue
            tensors[name] = quantized.dequantized(name)
            if (error := relative_error(tensors[name], weight)) > most:
                raise FddError(f"{name} differs by {error:.2g} after reading back; rounding allows at most {most:g}.")
        save_file(tensors, path, metadata={"format": "pt"})
