"""Holds the index of sharded weights against the shards: transformers believes one or the other, and says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.safetensors_folder import INDEX, SINGLE, weight_files

__all__ = ["check_index"]


def check_index(folder: Path) -> None:
    """Check that every tensor of a sharded folder is in exactly the file that the index names.

    Raises:
        FddError: One is not; names it.
    """
    if (folder / SINGLE).is_file():
        return
    index, holders = folder / INDEX, _holders(folder)
    named: dict[str, Any] = parse_json(index.read_text(encoding="utf-8"))["weight_map"]
    again = "fetch the model again, or save it again"
    for name, shard in named.items():
        found = holders.get(name)
        if not found:
            raise FddError(f"{index} names the tensor {name}, which is in none of its files; {again}.")
        if len(found) > 1:
            raise FddError(f"{folder} holds the tensor {name} twice, in {found[0]} and in {found[1]}; {again}.")
        if found != [shard]:
            raise FddError(f"{index} says that the tensor {name} is in {shard}, and it is in {found[0]}; {again}.")
    if unnamed := [name for name in holders if name not in named]:
        raise FddError(f"{folder} holds the tensor {unnamed[0]}, which its {INDEX} does not name; {again}.")


def _holders(folder: Path) -> dict[str, list[str]]:
    """Return the names of the files that hold each tensor."""
    from safetensors import SafetensorError, safe_open

    found: dict[str, list[str]] = {}
    for path in weight_files(folder):
        file: Any  # safetensors' stub leaves the methods of safe_open untyped
        try:
            with safe_open(path, framework="numpy") as file:
                for name in file.keys():  # noqa: SIM118 - safe_open is no mapping
                    found.setdefault(name, []).append(path.name)
        except SafetensorError as error:
            raise FddError(f"{path} is damaged or truncated: {error}.") from None
    return found
