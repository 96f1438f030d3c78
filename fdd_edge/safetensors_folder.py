"""The safetensors of a Hugging Face folder: a single file, or the shards that its index names.

Every reader of weights goes through this module, so that all of them read the same files: a stale shard or an adapter
next to them is not part of the model. Names and shapes are read without torch; only bfloat16 weights need it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdd_edge.errors import FddError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "INDEX",
    "SINGLE",
    "FolderTensors",
    "check_layers",
    "count_parameters",
    "named_shards",
    "open_tensors",
    "tensor_names",
    "weight_files",
]

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"

_NUMPY_TYPES = ("F64", "F32", "F16")
"""Number formats that numpy has too."""


def named_shards(folder: Path) -> list[str]:
    """Return the files that a folder's index names.

    Raises:
        FddError: The index is damaged, or names files outside the folder or of another kind.
    """
    path = folder / INDEX
    try:
        shards = sorted({str(name) for name in json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise FddError(f"{path} is damaged: it has no weight_map from weights to files.") from None
    strange = [shard for shard in shards if "/" in shard or "\\" in shard or not shard.endswith(".safetensors")]
    if strange:
        raise FddError(f"{path} names {strange[0]!r}, which is not a *.safetensors file next to it.")
    if not shards:
        raise FddError(f"{path} lists no files.")
    return shards


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold a folder's weights, chosen as transformers chooses them.

    Raises:
        FddError: A shard is missing, or the weights are not safetensors.
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


class FolderTensors:
    """The tensors of a folder, held open by ``open_tensors``."""

    def __init__(self, files: ExitStack, paths: list[Path]) -> None:
        """Open the files on a stack that will close them.

        Raises:
            FddError: A file is damaged.
        """
        self._files = files
        self._torch_files: dict[Path, Any] = {}  # safetensors' stub leaves the methods of safe_open untyped
        self._holders: dict[str, tuple[Path, Any]] = {}
        for path in paths:
            file = self._open(path, "numpy")
            self._holders |= dict.fromkeys(file.keys(), (path, file))

    @property
    def names(self) -> list[str]:
        """The names of all tensors, in the order of the files."""
        return list(self._holders)

    def __contains__(self, name: str) -> bool:
        return name in self._holders

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor, from the header of its file."""
        _, file = self._holders[name]
        return tuple(file.get_slice(name).get_shape())

    def dtype(self, name: str) -> str:
        """Return the number format of a tensor in safetensors' terms, such as ``BF16``."""
        _, file = self._holders[name]
        return str(file.get_slice(name).get_dtype())

    def load(self, name: str) -> npt.NDArray[np.float32]:
        """Return a tensor as float32. For number formats that numpy lacks, such as bfloat16, this imports torch."""
        path, file = self._holders[name]
        if file.get_slice(name).get_dtype() in _NUMPY_TYPES:
            array: npt.NDArray[np.float32] = file.get_tensor(name).astype("float32", copy=False)
            return array
        if path not in self._torch_files:
            self._torch_files[path] = self._open(path, "pt")
        converted: npt.NDArray[np.float32] = self._torch_files[path].get_tensor(name).float().numpy()
        return converted

    def _open(self, path: Path, framework: str) -> Any:  # safe_open, whose stub has no types
        from safetensors import SafetensorError, safe_open

        try:
            return self._files.enter_context(safe_open(path, framework=framework))
        except SafetensorError as error:
            raise FddError(f"{path} is damaged or truncated: {error}.") from None


@contextmanager
def open_tensors(folder: Path) -> Iterator[FolderTensors]:
    """Hold the tensors of a Hugging Face folder open.

    Raises:
        FddError: A file is missing or damaged.
    """
    with ExitStack() as files:
        yield FolderTensors(files, weight_files(folder))


def tensor_names(folder: Path) -> list[str]:
    """Return the names of a folder's tensors, sorted."""
    with open_tensors(folder) as tensors:
        return sorted(tensors.names)


def check_layers(folder: Path, config: Mapping[str, Any]) -> None:
    """Compare the number of layers that a config states with those that there are, before anything is made of them.

    Raises:
        FddError: They differ, or a file is missing or damaged.
    """
    names = tensor_names(folder)
    decoder = "num_decoder_layers" if config.get("num_decoder_layers") else "num_layers"
    stated = (("num_hidden_layers", "model.layers."), ("num_layers", "encoder.block."), (decoder, "decoder.block."))
    for key, start in stated:
        found = {name.removeprefix(start).partition(".")[0] for name in names if name.startswith(start)}
        # Tensors of other names are refused later, but nothing of a million layers may be built until then.
        if config.get(key) is not None and (config[key] != len(found) if found else config[key] > len(names)):
            raise FddError(
                f"{folder} holds the tensors of {len(found)} layers, and its config.json says {config[key]}."
            )


def count_parameters(folder: Path) -> int:
    """Return the number of weights of a Hugging Face folder, from the headers of its safetensors.

    Raises:
        FddError: A file is missing or damaged.
    """
    with open_tensors(folder) as tensors:
        return sum(prod(tensors.shape(name)) for name in tensors.names)
