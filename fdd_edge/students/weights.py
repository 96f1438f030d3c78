"""The safetensors of a Hugging Face folder: one file, or the shards that its index names."""

from __future__ import annotations

import json
from pathlib import Path

from fdd_edge.errors import FddError

__all__ = ["INDEX", "SINGLE", "check_weights", "named_shards"]

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


def check_weights(folder: Path) -> None:
    """Refuse a folder whose weights are not there or not whole, before anything is loaded.

    Raises:
        FddError: A shard is missing, or the weights are no safetensors.
    """
    if not any(folder.glob("*.safetensors")):
        raise FddError(f"{folder} has no *.safetensors; other weight files are not read, because they can hold code.")
    if (folder / SINGLE).is_file() or not (folder / INDEX).is_file():
        return
    for shard in named_shards(folder):
        if not (folder / shard).is_file():
            raise FddError(f"{folder} lacks {shard}, which its {INDEX} names; fetch it, or save the model again.")
