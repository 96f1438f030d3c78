"""What a GGUF file says of itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from fdd_edge.artifacts.gguf.reader import field, open_gguf

__all__ = ["GgufFacts", "describe_gguf"]


class GgufFacts(NamedTuple):
    """Facts of a GGUF file.

    Attributes:
        architecture: GGUF's name of it.
        name: ``general.name``, or None.
        license: ``general.license``, or None.
        base: Name of the model it was trained from, or None.
        round: The round it comes from, or None.
        recipe: The recipe it was made by, or None for a file from elsewhere.
        prompt_template: The prompt it was trained on, or None.
        parameters: Number of weights.
        bytes: Size of the file.
        bits_per_weight: 8 * bytes / parameters, metadata included.
        types: Number of matrices of each tensor type, most frequent first.
    """

    architecture: str
    name: str | None
    license: str | None
    base: str | None
    round: int | None
    recipe: str | None
    prompt_template: str | None
    parameters: int
    bytes: int
    bits_per_weight: float
    types: dict[str, int]


def describe_gguf(path: Path) -> GgufFacts:
    """Read the facts of a file.

    Raises:
        FddError: It is no GGUF, or damaged.
    """
    reader = open_gguf(path)
    parameters = sum(int(t.n_elements) for t in reader.tensors)
    types = Counter(t.tensor_type.name for t in reader.tensors if len(t.shape) > 1)
    size = path.stat().st_size
    return GgufFacts(
        architecture=field(reader, "general.architecture", "unknown"),
        name=field(reader, "general.name"),
        license=field(reader, "general.license"),
        base=field(reader, "general.base_model.0.name"),
        round=field(reader, "fdd_edge.round"),
        recipe=field(reader, "fdd_edge.recipe"),
        prompt_template=field(reader, "fdd_edge.prompt_template"),
        parameters=parameters,
        bytes=size,
        bits_per_weight=8 * size / parameters if parameters else 0.0,
        types=dict(types.most_common()),
    )
