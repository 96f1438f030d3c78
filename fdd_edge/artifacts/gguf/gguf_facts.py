"""What a GGUF file says about itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from fdd_edge.artifacts.gguf.reader import field, open_gguf
from fdd_edge.artifacts.model_facts import ModelFacts, bits_per_weight

__all__ = ["describe_gguf"]


def describe_gguf(path: Path) -> ModelFacts:
    """Read the facts of a GGUF file.

    Raises:
        FddError: It is not a GGUF, or it is damaged.
    """
    reader = open_gguf(path)
    parameters = sum(int(t.n_elements) for t in reader.tensors)
    types = Counter(t.tensor_type.name for t in reader.tensors if len(t.shape) > 1)
    size = path.stat().st_size
    return ModelFacts(
        architecture=field(reader, "general.architecture", "unknown"),
        name=field(reader, "general.name"),
        license=field(reader, "general.license"),
        base=field(reader, "general.base_model.0.name"),
        round=field(reader, "fdd_edge.round"),
        recipe=field(reader, "fdd_edge.recipe"),
        prompt_template=field(reader, "fdd_edge.prompt_template"),
        parameters=parameters,
        bytes=size,
        bits_per_weight=bits_per_weight(size, parameters),
        types=dict(types.most_common()),
    )
