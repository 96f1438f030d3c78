"""Merges a LoRA adapter into its base model, in float32 whatever precision it was trained in."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_edge.errors import FddError
from fdd_edge.students.load import load_model, save_model
from fdd_edge.students.readable_folder import ADAPTER_WEIGHTS

if TYPE_CHECKING:
    from peft import PeftModel

__all__ = ["copy_tokenizer", "merge_adapter"]

TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "chat_template.jinja")

_EMBEDDINGS = ("embed_tokens", "lm_head", "shared")


def merge_adapter(base: Path, adapter: Path, out: Path) -> None:
    """Write base and adapter as one merged Hugging Face folder, with the base's tokenizer files.

    Raises:
        FddError: The adapter is not one of this base; names a tensor.
    """
    from peft import PeftModel

    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # about missing tensors: checked below
            model = PeftModel.from_pretrained(load_model(base), adapter)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:  # peft has no type of its own
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise FddError(f"The adapter {adapter} does not fit its base {base}: {lines[min(1, len(lines) - 1)]}") from None
    _check_tensors(model, adapter, base)
    merged = model.merge_and_unload(safe_merge=True)
    save_model(merged, base, out)
    copy_tokenizer(base, out)


def copy_tokenizer(folder: Path, out: Path) -> None:
    """Copy the tokenizer files of a Hugging Face folder into another."""
    for pattern in TOKENIZER_FILES:
        for path in folder.glob(pattern):
            shutil.copy2(path, out / path.name)


def _check_tensors(model: PeftModel, adapter: Path, base: Path) -> None:
    """Refuse an adapter that lacks a tensor or has one too many: peft initialises the one and ignores the other.

    Raises:
        FddError: It does; names the tensor.
    """
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    if not (adapter / ADAPTER_WEIGHTS).is_file():
        raise FddError(f"{adapter} has no {ADAPTER_WEIGHTS}; other weight files are not read: they can hold code.")
    with safe_open(adapter / ADAPTER_WEIGHTS, framework="numpy") as file:
        stored = set(file.keys())
    with_embeddings = any(part in name for name in stored for part in _EMBEDDINGS)
    expected = set(get_peft_model_state_dict(model, save_embedding_layers=with_embeddings))
    missing = sorted(name for name in expected - stored if not any(part in name for part in _EMBEDDINGS))
    if missing:
        raise FddError(f"The adapter {adapter} lacks {missing[0]}; fetch it again, or save it again.")
    if unknown := sorted(stored - expected):
        raise FddError(f"The adapter {adapter} holds {unknown[0]}, which its base {base} has no place for.")
