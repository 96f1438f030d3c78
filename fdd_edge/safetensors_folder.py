"""The safetensors of a Hugging Face folder: one file, or the shards that its index names.

Every reader asks here, so that all take the same files: a stale shard or an adapter beside them belongs to no model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError

__all__ = ["INDEX", "SINGLE", "named_shards", "open_tensors", "tensor_names", "weight_files"]

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"


def named_shards(folder: Path) -> list[str]:
    """Return the files that a folder's index names.

    Raises:
        FddError: The index is damaged, or names files of other places or kinds.
    """
    path = folder / INDEX
    try:
        shards = sorted({str(name) for name in json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise FddError(f"{path} is damaged: it has no weight_map from weights to files.") from None
    strange = [shard for shard in shards if "/" in shard or "\\" in shard or not shard.endswith(".safetensors")]
    if strange or not shards:
        named = f"{strange[0]!r}, which is no *.safetensors beside it" if strange else "no file"
        raise FddError(f"{path} names {named}.")
    return shards


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold a folder's weights, as transformers chooses them.

    Raises:
        FddError: A shard is missing, or the weights are no safetensors.
    """
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    if not (folder / INDEX).is_file():
        raise FddError(
            f"{folder} has no {SINGLE} and no {INDEX}; other weight files are not read, because they can hold code."
        )
    files = [folder / shard for shard in named_shards(folder)]
    for file in files:
        if not file.is_file():
            raise FddError(f"{folder} lacks {file.name}, which its {INDEX} names; fetch it, or save the model again.")
    return files


def tensor_names(folder: Path) -> list[str]:
    """Return the names of a folder's tensors, sorted."""
    with open_tensors(folder) as tensors:
        return sorted(tensors)


@contextmanager
def open_tensors(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield, for every tensor of a folder, the open safetensors file that holds it."""
    from safetensors import safe_open

    with ExitStack() as files:
        held: dict[str, Any] = {}
        for path in weight_files(folder):
            file = files.enter_context(safe_open(path, framework="pt"))
            held |= dict.fromkeys(file.keys(), file)
        yield held
