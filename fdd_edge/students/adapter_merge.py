"""Merges a LoRA adapter into its base model, in float32 whatever precision it was trained in."""

from __future__ import annotations

import re
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_edge.errors import FddError
from fdd_edge.progress import announce
from fdd_edge.students.adapter_config import check_ranks, check_type, read_adapter_config, unknown_settings
from fdd_edge.students.adapter_tensors import Shapes, check_complete, read_shapes, resized_rows
from fdd_edge.students.adapter_ties import separate_tied, tie_equal
from fdd_edge.students.load import load_model, save_model

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

__all__ = ["check_adapter", "copy_tokenizer", "merge_adapter"]

TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "chat_template.jinja")

_MISMATCH = re.compile(r"size mismatch for (\S+): .*?torch\.Size\(\[([^]]*)\]\).*?torch\.Size\(\[([^]]*)\]\)")
"""How torch says that a tensor has another shape."""


def check_adapter(adapter: Path) -> Shapes:
    """Return the shapes of an adapter's tensors, if it can be merged into a base that it fits.

    Raises:
        FddError: It cannot be read or merged, or is damaged.
    """
    config = read_adapter_config(adapter)
    check_type(adapter, config)
    shapes = read_shapes(adapter)
    check_ranks(adapter, config, max(max(shape, default=0) for shape in shapes.values()))
    return shapes


def merge_adapter(base: Path, adapter: Path, out: Path) -> None:
    """Write base and adapter as one merged Hugging Face folder, with the base's tokenizer files.

    What is written computes what PEFT computes: where an adapter changes only one of two tied embeddings, they are
    written as two.

    Raises:
        FddError: The adapter is damaged, or is not one of this base; names a tensor.
    """
    shapes = check_adapter(adapter)
    if unknown := unknown_settings(read_adapter_config(adapter)):
        announce(
            f"The adapter {adapter} was saved by another version of PEFT: its setting {unknown[0]} is ignored. If what "
            "it computes depends on it, install that version."
        )
    model = load_model(base)
    base_rows = model.get_input_embeddings().weight.shape[0]
    tied = bool(getattr(model.config, "tie_word_embeddings", False))
    if rows := resized_rows(adapter, shapes, base_rows, tied=tied):
        announce(
            f"The adapter {adapter} was trained with {rows:,} tokens, its base with {base_rows:,}: the merged model "
            f"has {rows:,}."
        )
        model.resize_token_embeddings(rows, mean_resizing=False)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of missing tensors, ties: seen to here
        adapted = _with_adapter(model, base, adapter)
        check_complete(adapted, adapter, base, shapes)
        separated = separate_tied(adapted, adapter)
        try:
            merged = adapted.merge_and_unload(safe_merge=True)
        except (ValueError, RuntimeError, NotImplementedError, TypeError, AttributeError) as error:
            raise FddError(f"The adapter {adapter} cannot be merged into {base}: {_first_line(error)}") from None
    if separated:
        tie_equal(merged)
    save_model(merged, base, out)
    copy_tokenizer(base, out)


def copy_tokenizer(folder: Path, out: Path) -> None:
    """Copy the tokenizer files of a Hugging Face folder into another."""
    for pattern in TOKENIZER_FILES:
        for path in folder.glob(pattern):
            shutil.copy2(path, out / path.name)


def _with_adapter(model: PreTrainedModel, base: Path, adapter: Path) -> PeftModel:
    """Return the base with the adapter in it.

    Raises:
        FddError: The adapter does not fit.
    """
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(model, adapter)
    except KeyError as error:
        name = str(error.args[0]) if error.args else ""
        if not name.startswith("base_model."):
            raise FddError(f"The adapter {adapter} cannot be read: it has no {name}.") from None
        raise FddError(
            f"The adapter {adapter} lacks {name}, although its modules_to_save lists this layer; fetch it again, or "
            "save it again."
        ) from None
    except Exception as error:  # peft has no type of its own, and trusts every setting
        raise FddError(f"The adapter {adapter} does not fit its base {base}: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    """Return the line of an error that says what is wrong: torch's begin with a heading."""
    if found := _MISMATCH.search(str(error)):
        name, stored, wanted = (part.replace(", ", " x ") for part in found.groups())
        return f"size mismatch for {name}: {stored} in its file, {wanted} by its settings and its base."
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[min(1, len(lines) - 1)] if lines else type(error).__name__
