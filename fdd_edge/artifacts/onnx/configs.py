"""What the configs beside a graph tell onnxruntime-genai, optimum and transformers, held against the model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge.errors import FddError
from fdd_edge.ondevice.model_files import decoder_start

__all__ = ["GENAI", "WrongKey", "wrong_keys"]

GENAI = "genai_config.json"
"""What onnxruntime-genai reads; it runs decoders only."""

_OF_THE_WRITER = {"_name_or_path", "dtype", "torch_dtype", "transformers_version"}
"""Keys of a config that say who wrote it, and how, not what the model is."""

_GREEDY = {
    "do_sample": False, "num_beams": 1, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0, "min_length": 0,
}  # fmt: skip
"""How a reader that is told nothing else decodes: as everything here was measured."""


class WrongKey(NamedTuple):
    """A key that says another thing than it should: ``genai_config.json: model.eos_token_id``."""

    key: str
    reference: Any
    file: Any


def wrong_keys(folder: Path, reference: Path, stops: Sequence[int]) -> Iterator[WrongKey]:
    """Yield the keys of an ONNX folder's configs that do not describe its model.

    Args:
        folder: The artifact.
        reference: Hugging Face folder of the float model.
        stops: Ids that end a reply.

    Raises:
        FddError: A config is missing or damaged.
    """
    wanted, found = _read(reference / "config.json"), _read(folder / "config.json")
    for key in sorted((wanted.keys() | found.keys()) - _OF_THE_WRITER):
        if wanted.get(key) != found.get(key):
            yield WrongKey(f"config.json: {key}", wanted.get(key), found.get(key))
    ends = list(stops)
    if (told := _as_list(_read(folder / "generation_config.json").get("eos_token_id"))) != ends:
        yield WrongKey("generation_config.json: eos_token_id", ends, told)
    if decoder_start(reference) is None:
        yield from _wrong_for_genai(_read(folder / GENAI), wanted, ends)


def _wrong_for_genai(genai: Mapping[str, Any], config: Mapping[str, Any], stops: list[int]) -> Iterator[WrongKey]:
    heads = config["num_attention_heads"]
    shape = {
        "hidden_size": config["hidden_size"],
        "num_attention_heads": heads,
        "num_key_value_heads": config.get("num_key_value_heads") or heads,
        "num_hidden_layers": config["num_hidden_layers"],
        "head_size": config.get("head_dim") or config["hidden_size"] // heads,
        "filename": "model.onnx",
    }
    model = {"vocab_size": config["vocab_size"], "context_length": config["max_position_embeddings"]}
    own = _section(genai, "model")
    sections = (("model.decoder", _section(own, "decoder"), shape), ("model", own, model))
    for name, told, wanted in (*sections, ("search", _section(genai, "search"), _GREEDY)):
        for key, value in wanted.items():
            if told.get(key) != value:
                yield WrongKey(f"{GENAI}: {name}.{key}", value, told.get(key))
    if (told_stops := _as_list(own.get("eos_token_id"))) != stops:
        yield WrongKey(f"{GENAI}: model.eos_token_id", stops, told_stops)


def _as_list(ids: Any) -> list[Any]:
    return list(ids) if isinstance(ids, list) else [ids]


def _section(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = content.get(name)
    return section if isinstance(section, dict) else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise FddError(f"{path} is missing: readers of the folder need it. Export the model again.") from None
    except ValueError as error:
        raise FddError(f"{path} is damaged ({error}); export the model again.") from None
    if not isinstance(content, dict):
        raise FddError(f"{path} holds no JSON object; export the model again.")
    return content
