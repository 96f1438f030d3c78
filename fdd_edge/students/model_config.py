"""What a student's ``config.json`` must say, checked before its weights are read or fetched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.student_architectures import ARCHITECTURES, ENCODER_DECODER, MODEL_TYPES

__all__ = ["check_config", "check_token_ids", "end_ids"]

_COUNTS = (
    *("hidden_size", "intermediate_size", "max_position_embeddings", "num_attention_heads", "num_hidden_layers"),
    *("vocab_size", "num_key_value_heads", "head_dim", "sliding_window", "sliding_window_pattern"),
    *("d_model", "d_ff", "d_kv", "num_heads", "num_layers", "num_decoder_layers", "n_positions"),
    *("relative_attention_num_buckets", "relative_attention_max_distance"),
)
_FACTORS = ("rms_norm_eps", "rope_theta", "rope_local_base_freq", "layer_norm_epsilon", "query_pre_attn_scalar")
_SWITCHES = ("tie_word_embeddings", "attention_bias", "mlp_bias", "use_sliding_window", "is_encoder_decoder")
_TOO_LARGE = 2**31
"""The runtimes count in signed 32 bits."""

_ENCODER_DECODER_KEYS = ("d_model", "d_kv", "d_ff", "num_layers", "num_heads", "vocab_size")
"""Keys without which transformers would take those of t5-small. A decoder's are checked with its architecture."""


def check_config(config: Mapping[str, Any], path: Path) -> None:
    """Refuse a config that does not describe a student that can be trained and exported.

    Args:
        config: The content of the ``config.json``.
        path: Its folder.

    Raises:
        FddError: The architecture is not supported, or a key is absent or has an impossible value.
    """
    named = _architecture(config, path)
    _check_values(config, path)
    if config.get("model_type") != MODEL_TYPES[named]:
        wanted = f"a {named} has {MODEL_TYPES[named]!r}"
        if config.get("model_type") is None:
            raise FddError(f"{path / 'config.json'} lacks model_type; {wanted}: add it.")
        raise FddError(
            f"{path / 'config.json'} names {named} and the model_type {config['model_type']!r}, and {wanted}: one of "
            "the two is wrong; fetch the config again."
        )
    if named == ENCODER_DECODER:
        _check_encoder_decoder(config, path)
    elif config.get("is_encoder_decoder"):
        raise FddError(f"{path / 'config.json'} says is_encoder_decoder, and a {named} has no encoder; remove the key.")


def check_token_ids(folder: Path) -> None:
    """Refuse ids for which the model has no embedding: of a text, of the end of a reply, of a decoder's start.

    Of both configs of a folder, the ids of the ``generation_config.json`` go first. Added tokens may lack an
    embedding, such as Gemma 3's placeholder for an image: no question contains them.

    Raises:
        FddError: There is one.
    """
    rows = _read(folder / "config.json")["vocab_size"]
    for key in ("eos_token_id", "decoder_start_token_id"):
        file, ids = _token_ids(folder, key)
        if beyond := [token for token in ids if token >= rows]:
            raise FddError(
                f"{folder / file}: {key} names the id {beyond[0]}, and the model has {rows} embeddings; correct the id."
            )
    tokens = _text_tokens(_read(folder / "tokenizer.json"))
    if tokens > rows:
        raise FddError(
            f"{folder} has {rows} embeddings, and its tokenizer {tokens} tokens: a text with one of the others would "
            "fail. Call model.resize_token_embeddings(len(tokenizer)), train these tokens, and save both again."
        )


def end_ids(folder: Path) -> list[int]:
    """Return the ids that end a reply according to the configs of a folder."""
    return _token_ids(folder, "eos_token_id").ids


class _StatedIds(NamedTuple):
    """Ids of special tokens, and the name of the file that counts for them."""

    file: str
    ids: list[int]


def _token_ids(folder: Path, key: str) -> _StatedIds:
    for name in ("generation_config.json", "config.json"):
        found = _read(folder / name).get(key)
        if found is not None:
            ids = found if isinstance(found, list) else [found]
            return _StatedIds(name, [token for token in ids if isinstance(token, int)])
    return _StatedIds("config.json", [])


def _text_tokens(tokenizer: Mapping[str, Any]) -> int:
    """Return how many ids the vocabulary of a ``tokenizer.json`` needs, without its added tokens."""
    model = tokenizer.get("model")
    vocab = model.get("vocab") if isinstance(model, dict) else None
    ids = (
        list(vocab.values()) if isinstance(vocab, dict) else list(range(len(vocab))) if isinstance(vocab, list) else []
    )
    return max((found for found in ids if isinstance(found, int)), default=-1) + 1


def _architecture(config: Mapping[str, Any], path: Path) -> str:
    """Return the name of the model's class.

    Raises:
        FddError: It is not supported.
    """
    named = config.get("architectures")
    supported = ", ".join((*ARCHITECTURES, ENCODER_DECODER))
    if not named:
        raise FddError(
            f"{path / 'config.json'} lacks architectures, so it does not say which model this is; add it, such as "
            f'"architectures": ["LlamaForCausalLM"]. Supported: {supported}.'
        )
    if not isinstance(named, list):
        raise FddError(f"{path / 'config.json'}: architectures must be a list, not {named!r}.")
    if named[0] == "Gemma3ForConditionalGeneration":
        raise FddError(
            f"{path} is a {named[0]}, which also reads images. Only the text model is supported: "
            "use a Gemma3ForCausalLM, such as google/gemma-3-270m-it or google/gemma-3-1b-it."
        )
    if named[0] not in (*ARCHITECTURES, ENCODER_DECODER):
        raise FddError(f"{path} is a {named[0]}, which is not supported yet. Supported: {supported}.")
    return str(named[0])


def _check_values(config: Mapping[str, Any], path: Path) -> None:
    """Refuse a size that no model has: it would fail somewhere else, or ask for terabytes.

    Raises:
        FddError: There is one, or a switch that is neither true nor false.
    """
    for key in (*_COUNTS, *_FACTORS):
        value: Any = config.get(key)
        is_number = isinstance(value, int | float if key in _FACTORS else int) and not isinstance(value, bool)
        # Sizes are often null; a factor that is null would fail in the middle of a computation.
        is_unstated = value is None and (key in _COUNTS or key not in config)
        if not is_unstated and not (is_number and 0 < value < _TOO_LARGE):
            kind = "positive number" if key in _FACTORS else f"whole number from 1 to {_TOO_LARGE - 1:,}"
            raise FddError(f"{path / 'config.json'}: {key} must be a {kind}, not {value!r}.")
    for key in _SWITCHES:
        if not isinstance(config.get(key), bool | None):
            raise FddError(f"{path / 'config.json'}: {key} must be true or false, not {config[key]!r}.")


def _check_encoder_decoder(config: Mapping[str, Any], path: Path) -> None:
    """Refuse the config of an encoder-decoder that leaves out what every reader needs.

    Raises:
        FddError: It does.
    """
    for key in _ENCODER_DECODER_KEYS:
        if config.get(key) is None:
            raise FddError(f"{path / 'config.json'} lacks {key}, and a default could be wrong; add it.")
    if not config.get("is_encoder_decoder"):
        raise FddError(
            f'{path / "config.json"} must say "is_encoder_decoder": true, because a {ENCODER_DECODER} is one; add it.'
        )
    start = config.get("decoder_start_token_id")
    if not isinstance(start, int) or isinstance(start, bool) or start < 0:
        raise FddError(
            f"{path / 'config.json'} must name the id that the decoder starts with, as decoder_start_token_id, not "
            f"{start!r}; for a T5 it is the id of the padding token, usually 0."
        )


def _read(path: Path) -> dict[str, Any]:
    """Return a JSON object, empty if it is missing or damaged: whoever needs it reports that."""
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
