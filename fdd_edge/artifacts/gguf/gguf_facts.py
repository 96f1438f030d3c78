"""What a GGUF file says about itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_edge.artifacts.gguf.reader import field, open_pieces, stated
from fdd_edge.artifacts.model_facts import ModelFacts, bits_per_weight
from fdd_edge.errors import FddError
from fdd_edge.ondevice.model_files import artifact_files

if TYPE_CHECKING:
    from gguf import GGUFReader

__all__ = ["describe_gguf"]


def describe_gguf(path: Path) -> ModelFacts:
    """Read the facts of a GGUF file.

    Raises:
        FddError: It is not a GGUF, it is damaged, a piece of it is missing, or it says what cannot be true.
    """
    reader, *others = open_pieces(path)
    tensors = [tensor for piece in (reader, *others) for tensor in piece.tensors]
    _check_layers(reader, len(tensors), path)
    parameters = sum(int(t.n_elements) for t in tensors)
    types = Counter(t.tensor_type.name for t in tensors if len(t.shape) > 1)
    size = sum(piece.stat().st_size for piece in artifact_files(path))
    return ModelFacts(
        architecture=stated(reader, "general.architecture", str, "unknown"),
        name=_label(reader, "general.name"),
        license=_label(reader, "general.license"),
        base=_label(reader, "general.base_model.0.name"),
        round=stated(reader, "fdd_edge.round", int),
        recipe=stated(reader, "fdd_edge.recipe", str),
        prompt_template=stated(reader, "fdd_edge.prompt_template", str),
        has_chat_template=field(reader, "tokenizer.chat_template") is not None,
        parameters=parameters,
        bytes=size,
        bits_per_weight=bits_per_weight(size, parameters),
        types=dict(types.most_common()),
    )


def _label(reader: GGUFReader, name: str) -> str | None:
    """Return a text that is only shown; some tools write a list or a number."""
    found = field(reader, name)
    return None if found is None else ", ".join(map(str, found)) if isinstance(found, list) else str(found)


def _check_layers(reader: GGUFReader, n_tensors: int, path: Path) -> None:
    """Refuse more layers than tensors, which every layer has some of: llama.cpp makes room for each, and aborts."""
    key = f"{stated(reader, 'general.architecture', str, 'unknown')}.block_count"
    count = stated(reader, key, int, 0)
    if count > n_tensors:
        raise FddError(f"{path} has {key} {count:,}, but only {n_tensors:,} tensors.")
