"""The tensors of an adapter, held against its settings and its base before anything is merged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_edge.errors import FddError
from fdd_edge.students.readable_folder import ADAPTER_WEIGHTS

if TYPE_CHECKING:
    from peft import PeftModel

__all__ = ["Shapes", "check_complete", "read_shapes", "resized_rows"]

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of tensors, by their names in the file."""

_INPUT, _OUTPUT = ("embed_tokens", "shared"), "lm_head"
_WHOLE = re.compile(
    r"(?:.*\.)?(?P<layer>embed_tokens|shared|lm_head)"
    r"(?:\.(?:base_layer|original_module|modules_to_save|token_adapter|default))*\.weight"
)
"""Names under which PEFT stores a whole embedding."""

_LOW_RANK = re.compile(
    r"(?:.*\.)?(?:(?:embed_tokens|shared)\.(?P<columns>lora_embedding_A)|lm_head\.lora_B)(?:\.weight)?"
)
"""Names of the halves of an adapter of an embedding that have a row, or a column, for every token."""


def read_shapes(adapter: Path) -> Shapes:
    """Return the shapes of an adapter's tensors, after a look at every value.

    Raises:
        FddError: The file is damaged, or holds a NaN or an infinity, which PEFT would merge or stumble over.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    path = adapter / ADAPTER_WEIGHTS
    shapes: dict[str, tuple[int, ...]] = {}
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is not a mapping
                tensor = file.get_tensor(name)
                if not torch.isfinite(tensor.float()).all():
                    raise FddError(f"{path}: {name} holds a value that is not a number, or infinite; train it again.")
                shapes[name] = tuple(tensor.shape)
    except SafetensorError as error:
        raise FddError(f"{path} is damaged or truncated: {error}. Fetch it again.") from None
    if not shapes:
        raise FddError(f"{path} holds no tensors; save the adapter again.")
    return shapes


def resized_rows(adapter: Path, shapes: Shapes, base_rows: int, *, tied: bool) -> int | None:
    """Return the number of tokens that an adapter was trained with, or None if it is that of its base.

    Args:
        adapter: Its folder.
        shapes: Its tensors.
        base_rows: The number of rows of the base's embeddings.
        tied: Whether the base uses one matrix for its input and its output.

    Raises:
        FddError: It is another number, and the adapter does not hold all the rows.
    """
    whole = {found["layer"]: shape[0] for name, shape in shapes.items() if (found := _WHOLE.fullmatch(name)) and shape}
    rows = {*whole.values()} | {
        shape[-1 if found["columns"] else 0]
        for name, shape in shapes.items()
        if (found := _LOW_RANK.fullmatch(name)) and shape
    }
    if rows <= {base_rows}:
        return None
    has_input, has_output = any(layer in whole for layer in _INPUT), tied or _OUTPUT in whole
    if len(rows) == 1 and has_input and has_output:
        return rows.pop()
    other = max(rows - {base_rows})
    raise FddError(
        f"The adapter {adapter} was trained with {other:,} tokens, its base has {base_rows:,}, and not all rows of the "
        "new embeddings are stored with it. Merge it where it was trained (merge_and_unload of PEFT), and name the "
        "folder of the merged model."
    )


def check_complete(model: PeftModel, adapter: Path, base: Path, shapes: Shapes) -> None:
    """Refuse an adapter that lacks a tensor or has one too many: peft initialises the one and ignores the other.

    Args:
        model: The base with the adapter.
        adapter: The adapter's folder.
        base: The base's folder.
        shapes: The tensors in the adapter's file.

    Raises:
        FddError: It does; names the tensor.
    """
    from peft import get_peft_model_state_dict

    needed = set(get_peft_model_state_dict(model, save_embedding_layers=False))
    if missing := sorted(needed - shapes.keys()):
        raise FddError(f"The adapter {adapter} lacks {missing[0]}; fetch it again, or save it again.")
    # PEFT may store the embeddings of the base as well.
    possible = needed | set(get_peft_model_state_dict(model, save_embedding_layers=True))
    if unknown := sorted(shapes.keys() - possible):
        raise FddError(f"The adapter {adapter} holds {unknown[0]}, which its base {base} has no place for.")
