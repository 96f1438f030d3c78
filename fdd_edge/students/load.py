"""Loads the model of a Hugging Face folder."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdd_edge.ondevice.json_text import parse_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["GENERATION_CONFIG", "is_encoder_decoder", "load_model", "save_model", "special_ids"]

GENERATION_CONFIG = "generation_config.json"
_IDS = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")


def is_encoder_decoder(folder: Path) -> bool:
    """Return whether the model of a Hugging Face folder is an encoder-decoder."""
    return bool(parse_json((folder / "config.json").read_text(encoding="utf-8")).get("is_encoder_decoder"))


def load_model(folder: Path, dtype: str = "float32") -> PreTrainedModel:
    """Load the language model of a Hugging Face folder; reads safetensors only, and runs no code from the folder.

    Of a generation config only the ids of tokens are read: nothing else of it matters to a model, and transformers
    refuses many of those that are on the hub.
    """
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, GenerationConfig
    from transformers.utils import logging

    logging.disable_progress_bar()  # it is shown for sharded folders only
    kind = AutoModelForSeq2SeqLM if is_encoder_decoder(folder) else AutoModelForCausalLM
    ids = special_ids(folder / "config.json") | special_ids(folder / GENERATION_CONFIG)
    model: PreTrainedModel = kind.from_pretrained(
        folder,
        dtype=dtype,
        use_safetensors=True,
        trust_remote_code=False,
        generation_config=GenerationConfig(**ids),
    )
    return model


def save_model(model: PreTrainedModel, base: Path, out: Path) -> None:
    """Write a model and its config into a folder, with the generation config of its base as it is, if there is one."""
    # transformers would write one of its own, and only if it finds no fault with it.
    vars(model)["can_generate"] = lambda: False
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # about sampling settings in the config
        model.save_pretrained(out, safe_serialization=True)
    if (base / GENERATION_CONFIG).is_file():
        shutil.copyfile(base / GENERATION_CONFIG, out / GENERATION_CONFIG)


def special_ids(config: Path) -> dict[str, int | list[int]]:
    """Return the ids of special tokens that a JSON file says; none if it cannot be read."""
    try:
        found = parse_json(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    given: dict[str, Any] = {key: found[key] for key in _IDS if key in found} if isinstance(found, dict) else {}
    return {key: value for key, value in given.items() if _is_id(value) or _is_list_of_ids(value)}


def _is_list_of_ids(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_id, value))


def _is_id(value: object) -> bool:
    """Return whether a value may be the id of a token; some configs say -1 for none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
