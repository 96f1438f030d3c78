"""Loads models, and imports the weights of a GGUF file into a Hugging Face folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_edge.errors import FddError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["import_gguf_weights", "is_encoder_decoder", "load_model"]


def import_gguf_weights(path: Path, out: Path) -> None:
    """Write the config and the float32 weights of a GGUF file into a Hugging Face folder.

    The weights stay on the grid they were quantized to: a Q4_1 file gives float32 numbers with 4-bit precision.

    Raises:
        FddError: transformers cannot read this architecture from a GGUF file.
    """
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype="float32")
    except (ValueError, NotImplementedError, KeyError) as error:
        raise FddError(f"{path} cannot be converted to a trainable model: {error}") from error
    model.save_pretrained(out, safe_serialization=True)


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
