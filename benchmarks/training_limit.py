"""The arithmetic limit of benchmarks/training.py: one training step as nothing but its matrix products.

A step multiplies the tokens of a batch by every matrix of the layers, forward and for the gradient of its input, and
the completion tokens by the head, likewise. Frozen weights have no gradient; the adapter's products are left out. The
number format is the one in which this CPU trains: bfloat16 if it multiplies that in hardware, else float32.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open

from fdd_edge.students.lora_training import cpu_has_bf16

REPEATS = 5
"""The fastest one counts."""


def shapes(student: Path) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Return the shapes of the layers' matrices, and of the head, which may be the embedding."""
    layers: list[tuple[int, int]] = []
    head = (0, 0)
    for path in sorted(student.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is not a dictionary
                shape = tuple(file.get_slice(name).get_shape())
                if len(shape) == 2 and ".layers." in name:
                    layers.append(shape)
                elif len(shape) == 2:
                    head = shape
    return layers, head


def seconds(rows: int, shape: tuple[int, int]) -> float:
    """Return how long the two products of one matrix take."""
    out, width = shape
    kind = torch.bfloat16 if cpu_has_bf16() else torch.float32
    weight = torch.randn(shape).to(kind)
    inputs, grads = torch.randn(rows, width).to(kind), torch.randn(rows, out).to(kind)
    return fastest(lambda: inputs @ weight.t()) + fastest(lambda: grads @ weight)


def fastest(product: Callable[[], object]) -> float:
    """Return the duration of the fastest repeat."""
    product()
    found = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        product()
        found.append(time.perf_counter() - start)
    return min(found)


def main() -> None:
    """Print the seconds of one step as a JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--student", type=Path, required=True, help="Hugging Face folder")
    parser.add_argument("--tokens", type=int, required=True, help="tokens of a step")
    parser.add_argument("--completion", type=int, required=True, help="how many of them are in the loss")
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    layers, head = shapes(options.student)
    each = {shape: seconds(options.tokens, shape) for shape in set(layers)}
    step = sum(each[shape] for shape in layers) + seconds(options.completion, head)
    print(json.dumps({"seconds": step}))


if __name__ == "__main__":
    main()
