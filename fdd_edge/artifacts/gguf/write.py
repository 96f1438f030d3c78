"""The float GGUF of a merged student, from which every quantization starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_edge.artifacts.gguf.architectures import Architecture, Config, architecture_of
from fdd_edge.artifacts.gguf.reader import open_gguf
from fdd_edge.artifacts.gguf.vocab_tables import copy_keys
from fdd_edge.artifacts.stored_tensor import Array
from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.safetensors_folder import FolderTensors, open_tensors

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "check_architecture",
    "gguf_tensors",
    "hf_names",
    "row_order",
    "write_float_gguf",
]

_HEAD = "lm_head.weight"

_CHAT_TEMPLATE = "tokenizer.chat_template"


def write_float_gguf(
    folder: Path, vocab: Path, out: Path, *, metadata: Mapping[str, str | int], chat_template: str | None = None
) -> None:
    """Write the float32 GGUF of a Hugging Face folder, one tensor at a time.

    Args:
        folder: ``config.json`` and ``*.safetensors`` of a supported architecture.
        vocab: Vocabulary file, whose ``tokenizer.*`` keys are copied.
        out: The file to write.
        metadata: More keys, such as ``general.license`` or ``fdd_edge.prompt_template``; numbers are uint32.
        chat_template: Stored instead of the vocabulary's.

    Raises:
        FddError: The architecture is not supported, or a tensor has no counterpart in it.
    """
    import gguf
    import numpy as np

    config = _read_config(folder)
    architecture = check_architecture(folder)
    writer = gguf.GGUFWriter(out, architecture.name)
    architecture.add_keys(writer, config)
    copy_keys(open_gguf(vocab), writer, "tokenizer.", leave_out=(_CHAT_TEMPLATE,) if chat_template else ())
    if chat_template:
        writer.add_chat_template(chat_template)
    for key, value in metadata.items():
        if isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_string(key, value)
    added = architecture.added(config)
    with open_tensors(folder) as tensors:
        names = _hf_names(tensors, architecture, config, folder)
        shapes = {name: array.shape for name, array in added.items()}
        shapes |= {name: tensors.shape(hf_name) for name, hf_name in names.items()}
        for name, shape in shapes.items():
            writer.add_tensor_info(name, shape, np.dtype(np.float32), 4 * int(np.prod(shape)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, array in gguf_tensors(folder):
        writer.write_tensor_data(array)
    writer.close()


def gguf_tensors(folder: Path) -> Iterator[tuple[str, Array]]:
    """Yield (name in the GGUF, float32 array) of every tensor of a Hugging Face folder, in llama.cpp's layout.

    Raises:
        FddError: The architecture is not supported, or a tensor has no counterpart in it.
    """
    import numpy as np

    config, architecture = _read_config(folder), check_architecture(folder)
    yield from architecture.added(config).items()
    with open_tensors(folder) as tensors:
        for name, hf_name in _hf_names(tensors, architecture, config, folder).items():
            yield name, np.ascontiguousarray(architecture.transform(name, tensors.load(hf_name), config))


def check_architecture(folder: Path) -> Architecture:
    """Return how a Hugging Face folder is written, from its ``config.json`` alone.

    Raises:
        FddError: It cannot be written; the message says why.
    """
    try:
        return architecture_of(_read_config(folder))
    except FddError as error:
        raise FddError(f"{folder}: {error}") from None


def hf_names(folder: Path) -> dict[str, str]:
    """Return the Hugging Face tensor from which each GGUF tensor of a folder is made.

    Returns:
        GGUF tensor name -> Hugging Face tensor name, in the order they are written. A tied head is not among them.

    Raises:
        FddError: The architecture is not supported, or a tensor has no counterpart in it.
    """
    architecture = check_architecture(folder)
    with open_tensors(folder) as tensors:
        return _hf_names(tensors, architecture, _read_config(folder), folder)


def row_order(folder: Path, name: str, rows: int) -> npt.NDArray[np.int64]:
    """Return which row of the Hugging Face tensor each row of a GGUF matrix holds: int array, shape (rows,)."""
    import numpy as np

    order: npt.NDArray[np.int64] = check_architecture(folder).transform(name, np.arange(rows), _read_config(folder))
    return order


def _is_ignored(name: str, *, tied: bool) -> bool:
    """Return whether a tensor repeats what is known without it."""
    return name.endswith("rotary_emb.inv_freq") or (tied and name == _HEAD)


def _read_config(folder: Path) -> Config:
    config: Config = parse_json((folder / "config.json").read_text(encoding="utf-8"))
    return config


def _hf_names(tensors: FolderTensors, architecture: Architecture, config: Config, folder: Path) -> dict[str, str]:
    """Return GGUF name -> Hugging Face name for every tensor that is written."""
    import gguf

    arch = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}[architecture.name]
    table = gguf.get_tensor_name_map(arch, config["num_hidden_layers"])
    tied = architecture.is_tied(config)
    if not tied and _HEAD not in tensors:
        raise FddError(f"{folder} has no tensor lm_head.weight, although its head is not tied to its embeddings.")
    names: dict[str, str] = {}
    for hf_name in tensors.names:
        if _is_ignored(hf_name, tied=tied):
            continue
        name = table.get_name(hf_name, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise FddError(f"{folder} holds the tensor {hf_name}, which a {architecture.name} GGUF cannot store.")
        names[name] = hf_name
    return names
