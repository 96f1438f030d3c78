"""Loads the model of a Hugging Face folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["is_encoder_decoder", "load_model"]


def is_encoder_decoder(folder: Path) -> bool:
    """Return whether the model of a Hugging Face folder is an encoder-decoder."""
    return bool(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("is_encoder_decoder"))


def load_model(folder: Path, dtype: str = "float32") -> PreTrainedModel:
    """Load the language model of a Hugging Face folder; reads safetensors only, and runs no code from the folder."""
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # it is shown for sharded folders only
    kind = AutoModelForSeq2SeqLM if is_encoder_decoder(folder) else AutoModelForCausalLM
    return kind.from_pretrained(folder, dtype=dtype, use_safetensors=True, trust_remote_code=False)
