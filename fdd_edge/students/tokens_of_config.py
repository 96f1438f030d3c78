"""Tokens and settings of a tokenizer that stand next to its ``tokenizer.json``, where only transformers reads them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.students.tokenizer import load_tokenizer

__all__ = ["check_settings", "has_more_tokens", "tokens_without_row", "write_whole_tokenizer"]

_FLAGS = ("lstrip", "rstrip", "single_word", "normalized", "special")


def check_settings(config: Mapping[str, Any], path: Path) -> None:
    """Refuse a ``tokenizer_config.json`` with a setting that no runtime on a device follows.

    Raises:
        FddError: It has one; names it.
    """
    if config.get("split_special_tokens"):
        raise FddError(
            f"{path} sets split_special_tokens, so that special tokens in a text are read as plain text; no runtime on "
            "a device does that. Set it to false."
        )


def has_more_tokens(config: Mapping[str, Any], added: Mapping[str, Any], tokenizer: Mapping[str, Any]) -> bool:
    """Return whether ``tokenizer.json`` lacks a token, or a flag of one, that transformers adds to it.

    Args:
        config: The content of ``tokenizer_config.json``.
        added: The content of ``added_tokens.json``.
        tokenizer: The content of ``tokenizer.json``.
    """
    found = tokenizer.get("added_tokens")
    if not isinstance(found, list):
        return False
    known = {token.get("content"): token for token in found if isinstance(token, dict)}
    if any(text not in known for text in added):
        return True
    for token in _tokens(config):
        if isinstance(token, str):
            if token not in known:
                return True
        elif (same := known.get(token.get("content"))) is None or any(
            bool(token.get(flag)) != bool(same.get(flag)) for flag in _FLAGS if flag in token
        ):
            return True
    return False


def tokens_without_row(tokenizer: Mapping[str, Any], size: object) -> list[str]:
    """Return the added tokens of a ``tokenizer.json`` whose ids the model has no embedding for.

    Args:
        tokenizer: Its content.
        size: ``vocab_size`` of the model.
    """
    found = tokenizer.get("added_tokens")
    tokens = [token for token in found if isinstance(token, dict)] if isinstance(found, list) else []
    return [str(token.get("content")) for token in tokens if _is_beyond(token.get("id"), size)]


def _is_beyond(token: object, size: object) -> bool:
    return isinstance(token, int) and isinstance(size, int) and token >= size


def _tokens(config: Mapping[str, Any]) -> Iterator[str | Mapping[str, Any]]:
    """Yield the tokens that a ``tokenizer_config.json`` names, as a text or with flags."""
    named: list[object] = [value for key, value in config.items() if key.endswith("_token")]
    for key in ("added_tokens_decoder", "additional_special_tokens", "extra_special_tokens"):
        group = config.get(key)
        named += group.values() if isinstance(group, dict) else group if isinstance(group, list) else ()
    yield from (token for token in named if isinstance(token, str | dict))


def write_whole_tokenizer(folder: Path) -> None:
    """Write ``tokenizer.json`` of a folder with every token that transformers adds to it and the model has a row for.

    The others, such as one that was added for padding or Gemma 3's placeholder for an image, are text: a runtime must
    not read a token that it cannot give to the model.

    Raises:
        FddError: The tokenizer cannot be read.
    """
    spec = parse_json(load_tokenizer(folder).backend_tokenizer.to_str())
    size = parse_json((folder / "config.json").read_text(encoding="utf-8")).get("vocab_size")
    beyond = tokens_without_row(spec, size)
    spec["added_tokens"] = [token for token in spec["added_tokens"] if token["content"] not in beyond]
    _replace(folder / "tokenizer.json", spec)
    if beyond:
        (folder / "added_tokens.json").unlink(missing_ok=True)
        for path in (folder / "tokenizer_config.json", folder / "special_tokens_map.json"):
            if path.is_file():
                _replace(path, _without(parse_json(path.read_text(encoding="utf-8")), beyond))


def _without(config: dict[str, Any], tokens: Collection[str]) -> dict[str, Any]:
    """Return a tokenizer's config that does not add tokens, unless they have a role, such as padding."""
    kept = dict(config)
    for key in ("added_tokens_decoder", "additional_special_tokens", "extra_special_tokens"):
        group = kept.get(key)
        if isinstance(group, dict):
            kept[key] = {name: token for name, token in group.items() if _text(token) not in tokens}
        elif isinstance(group, list):
            kept[key] = [token for token in group if _text(token) not in tokens]
    return kept


def _text(token: object) -> object:
    return token.get("content") if isinstance(token, dict) else token


def _replace(path: Path, content: Mapping[str, Any]) -> None:
    path.unlink(missing_ok=True)  # it may be a link to the user's
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
