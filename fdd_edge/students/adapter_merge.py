"""Merges a LoRA adapter into its base model, in float32 whatever precision it was trained in."""

from __future__ import annotations

import shutil
from pathlib import Path

from fdd_edge.students.gguf_import import load_model

__all__ = ["merge_adapter"]

TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "chat_template.jinja")


def merge_adapter(base: Path, adapter: Path, out: Path) -> None:
    """Write base and adapter as one merged Hugging Face folder, with the base's tokenizer files."""
    from peft import PeftModel

    merged = PeftModel.from_pretrained(load_model(base), adapter).merge_and_unload(safe_merge=True)
    merged.save_pretrained(out, safe_serialization=True)
    for pattern in TOKENIZER_FILES:
        for path in base.glob(pattern):
            shutil.copy2(path, out / path.name)
