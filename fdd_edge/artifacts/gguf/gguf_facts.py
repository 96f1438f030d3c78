"""What a GGUF file says about itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from fdd_edge.artifacts.gguf.reader import field, open_pieces
from fdd_edge.artifacts.model_facts import ModelFacts, bits_per_weight
from fdd_edge.ondevice.model_files import artifact_files

__all__ = ["describe_gguf"]


def describe_gguf(path: Path) -> ModelFacts:
    """Read the facts of a GGUF file.

    Raises:
        FddError: It is not a GGUF, it is damaged, or a piece of it is missing.
    """
    reader, *others = open_pieces(path)
    tensors = [tensor for piece in (reader, *others) for tensor in piece.tensors]
    parameters = sum(int(t.n_elements) for t in tensors)
    types = Counter(t.tensor_type.name for t in tensors if len(t.shape) > 1)
    size = sum(piece.stat().st_size for piece in artifact_files(path))
    return ModelFacts(
        architecture=field(reader, "general.architecture", "unknown"),
        name=field(reader, "general.name"),
        license=field(reader, "general.license"),
        base=field(reader, "general.base_model.0.name"),
        round=field(reader, "fdd_edge.round"),
        recipe=field(reader, "fdd_edge.recipe"),
        prompt_template=field(reader, "fdd_edge.prompt_template"),
        has_chat_template=field(reader, "tokenizer.chat_template") is not None,
        parameters=parameters,
        bytes=size,
        bits_per_weight=bits_per_weight(size, parameters),
        types=dict(types.most_common()),
    )
