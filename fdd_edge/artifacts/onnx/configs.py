"""Compares the configs next to a graph, which onnxruntime-genai, optimum and transformers read, with the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fdd_edge.artifacts.family_types import WrongKey
from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.runs.fingerprint import Json

__all__ = ["GENAI", "wrong_genai_keys", "wrong_keys"]

GENAI = "genai_config.json"
"""Read by onnxruntime-genai, which runs decoders only."""

_ABOUT_THE_WRITER = {"_name_or_path", "dtype", "torch_dtype", "transformers_version"}
"""Keys of a config that say who wrote it and how, not what the model is."""

_GREEDY = {
    "do_sample": False, "num_beams": 1, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0, "min_length": 0,
}  # fmt: skip
"""Default decoding of other readers, which must be the one that everything here was measured with."""


def wrong_keys(folder: Path, reference: Path, eos_ids: Sequence[int]) -> Iterator[WrongKey]:
    """Yield the keys of an ONNX folder's Hugging Face configs that do not describe its model.

    Args:
        folder: The artifact.
        reference: Hugging Face folder of the float model.
        eos_ids: Ids that end a reply.

    Raises:
        FddError: A config is missing or damaged.
    """
    wanted, found = _read(reference / "config.json"), _read(folder / "config.json")
    for key in sorted((wanted.keys() | found.keys()) - _ABOUT_THE_WRITER):
        if wanted.get(key) != found.get(key):
            yield WrongKey(f"config.json: {key}", wanted.get(key), found.get(key))
    stated = _as_list(_read(folder / "generation_config.json").get("eos_token_id"))
    if stated != list(eos_ids):
        yield WrongKey("generation_config.json: eos_token_id", list(eos_ids), stated)


def wrong_genai_keys(folder: Path, reference: Path, eos_ids: Sequence[int]) -> Iterator[WrongKey]:
    """Yield the keys of a decoder's ``genai_config.json`` that do not describe its model; see ``wrong_keys``."""
    config, genai = _read(reference / "config.json"), _read(folder / GENAI)
    heads = config["num_attention_heads"]
    shape = {
        "hidden_size": config["hidden_size"],
        "num_attention_heads": heads,
        "num_key_value_heads": config.get("num_key_value_heads") or heads,
        "num_hidden_layers": config["num_hidden_layers"],
        "head_size": config.get("head_dim") or config["hidden_size"] // heads,
        "filename": "model.onnx",
    }
    limits = {"vocab_size": config["vocab_size"], "context_length": config["max_position_embeddings"]}
    model = _section(genai, "model")
    sections = (("model.decoder", _section(model, "decoder"), shape), ("model", model, limits))
    for name, section, wanted in (*sections, ("search", _section(genai, "search"), _GREEDY)):
        for key, value in wanted.items():
            if section.get(key) != value:
                yield WrongKey(f"{GENAI}: {name}.{key}", value, section.get(key))
    if (stated := _as_list(model.get("eos_token_id"))) != list(eos_ids):
        yield WrongKey(f"{GENAI}: model.eos_token_id", list(eos_ids), stated)


def _as_list(ids: Json) -> list[Json]:
    return list(ids) if isinstance(ids, list) else [ids]


def _section(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = content.get(name)
    return section if isinstance(section, dict) else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except OSError:
        raise FddError(f"{path} is missing, but readers of the folder need it. Export the model again.") from None
    except ValueError as error:
        raise FddError(f"{path} is damaged ({error}); export the model again.") from None
    if not isinstance(content, dict):
        raise FddError(f"{path} does not hold a JSON object; export the model again.")
    return content
