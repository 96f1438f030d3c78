"""A Hugging Face folder as every reader should see it, where its files say two things or were saved by transformers 5.

transformers applies an adapter that lies next to complete weights, ``tokenizers`` obeys a stored truncation, and GGUF
files hold one chat template. So such a folder is replaced by one of links, in which each thing is said once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.students.tokens_of_config import (
    check_settings,
    has_more_tokens,
    tokens_without_row,
    write_whole_tokenizer,
)

__all__ = [
    "ADAPTER_CONFIG",
    "ADAPTER_WEIGHTS",
    "Changes",
    "changes_for",
    "has_model_weights",
    "is_adapter",
    "link_folder",
]

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_ADAPTER_FILES = (ADAPTER_CONFIG, ADAPTER_WEIGHTS, "adapter_model.bin")
_MODEL_WEIGHTS = re.compile(r"(?:(?:pytorch_)?model|consolidated)[^/]*\.(?:safetensors|bin)(?:\.index\.json)?")
"""Names of files of which a folder has one if it holds a model: its weights, a shard of them, or their index."""

_TOKENIZER, _TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"
_ADDED_TOKENS, _CONFIG = "added_tokens.json", "config.json"
_GENERATION = "generation_config.json"
_TEMPLATE, _MORE_TEMPLATES = "chat_template.jinja", "additional_chat_templates"
_DEFAULT = "default"


@dataclass(frozen=True)
class Changes:
    """What differs between a folder and its readable version.

    Attributes:
        left_out: Files that it lacks.
        written: Files with other content: name -> text.
        more_tokens: Whether ``tokenizer.json`` lacks tokens that transformers adds to it, or has some without a row.
        notes: Which of two things counts, a sentence each.
    """

    left_out: frozenset[str]
    written: Mapping[str, str]
    notes: tuple[str, ...]
    more_tokens: bool = False

    def __bool__(self) -> bool:
        return bool(self.left_out or self.written or self.more_tokens)


def is_adapter(folder: Path) -> bool:
    """Return whether a folder holds an adapter and no model."""
    return (folder / ADAPTER_CONFIG).is_file() and not has_model_weights(path.name for path in folder.iterdir())


def has_model_weights(names: Iterable[str]) -> bool:
    """Return whether there are weights of a model among the names of a folder's files, complete or not."""
    return any(_MODEL_WEIGHTS.fullmatch(name) for name in names)


def changes_for(folder: Path) -> Changes:
    """Return what must differ in the readable version of a folder; false if the folder can be used as it is.

    Raises:
        FddError: Its tokenizer has a setting that no device follows.
    """
    notes: list[str] = []
    left_out = {name for name in _ADAPTER_FILES if (folder / name).exists()}
    if left_out:
        notes.append(f"{folder} holds an adapter next to the weights of a model: the weights count, without it.")
    written = {}
    config = _read(folder / _TOKENIZER_CONFIG)
    check_settings(config, folder / _TOKENIZER_CONFIG)
    tokenizer = _read(folder / _TOKENIZER)
    new_config = dict(config)
    _use_older_keys(new_config, tokenizer, folder, notes)
    template = _one_template(new_config, folder, notes)
    if template is not None and template != _text(folder / _TEMPLATE):
        written[_TEMPLATE] = template
    if new_config != config:
        written[_TOKENIZER_CONFIG] = _dump(new_config)
    if new_tokenizer := _without_batch_settings(tokenizer):
        written[_TOKENIZER] = _dump(new_tokenizer)
    if (folder / _MORE_TEMPLATES).is_dir():
        left_out.add(_MORE_TEMPLATES)
    if fault := _generation_fault(folder / _GENERATION):
        left_out.add(_GENERATION)
        notes.append(
            f"{folder / _GENERATION} {fault}: it is left out, and the special tokens are those of config.json."
        )
    more_tokens = has_more_tokens(new_config, _read(folder / _ADDED_TOKENS), tokenizer)
    if beyond := tokens_without_row(tokenizer, _read(folder / _CONFIG).get("vocab_size")):
        more_tokens = True
        listed = ", ".join(map(repr, beyond[:3])) + (f" and {len(beyond) - 3} more" if len(beyond) > 3 else "")
        notes.append(
            f"{folder}: the model has no embedding for {listed}, so that is read as text. If texts hold it, call "
            "model.resize_token_embeddings(len(tokenizer)), train it, and save both again."
        )
    return Changes(frozenset(left_out), written, tuple(notes), more_tokens)


def _generation_fault(path: Path) -> str | None:
    """Return what makes a generation config unreadable; its settings of sampling may be anything."""
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return "is not JSON"
    if not isinstance(content, dict):
        return "is not a JSON object"
    for key, value in content.items():
        values = value if isinstance(value, list) else [value]
        is_ids = all(isinstance(one, int) and not isinstance(one, bool) for one in values)
        if key.endswith("_token_id") and value is not None and not is_ids:
            return f"has the {key} {value!r}, which is not a number"
    return None


def link_folder(folder: Path, out: Path, changes: Changes) -> None:
    """Write the readable version of a folder into the empty ``out``: links to its files, and the changed ones."""
    for path in folder.absolute().iterdir():
        if path.is_file() and path.name not in changes.left_out and path.name not in changes.written:
            (out / path.name).symlink_to(path)
    for name, text in changes.written.items():
        (out / name).write_text(text, encoding="utf-8")
    if changes.more_tokens:
        try:
            write_whole_tokenizer(out)
        except FddError as error:
            raise FddError(str(error).replace(str(out), str(folder))) from None


def _use_older_keys(config: dict[str, Any], tokenizer: Mapping[str, Any], folder: Path, notes: list[str]) -> None:
    """Express a ``tokenizer_config.json`` of transformers 5 as transformers 4 writes it."""
    if config.get("tokenizer_class") == "TokenizersBackend":
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
    extra = config.get("extra_special_tokens")
    if not isinstance(extra, list):
        return
    known = {token["content"] for token in tokenizer.get("added_tokens", ())}
    tokens = [str(token.get("content") if isinstance(token, dict) else token) for token in extra]
    unknown = [token for token in tokens if token not in known]
    if unknown:
        notes.append(
            f"{folder / _TOKENIZER_CONFIG} lists {unknown[0]!r} under extra_special_tokens, and {_TOKENIZER} does not "
            f"hold it: it is read as text. If it is a token, save model and tokenizer again."
        )
    more = config.get("additional_special_tokens") or []
    config["extra_special_tokens"] = {}
    config["additional_special_tokens"] = [*more, *(t for t in tokens if t in known and t not in more)]


def _one_template(config: dict[str, Any], folder: Path, notes: list[str]) -> str | None:
    """Return the only chat template to keep, or None to keep what is there; removes it from the config in return."""
    named = dict(_named_templates(config.get("chat_template")))
    files = dict(_template_files(folder))
    of_file, of_config = files.get(_DEFAULT), named.get(_DEFAULT)
    if of_file is not None and of_config is not None and of_file != of_config:
        notes.append(f"{folder}: the chat template in {_TEMPLATE} counts, not the other one in {_TOKENIZER_CONFIG}.")
    names = {**named, **files}
    chosen = of_config if of_file is None else of_file
    if len(names) > 1 or (names and chosen is None):
        listed = ", ".join(sorted(names))
        which = "the default one counts" if chosen is not None else "none is named default, so none is used"
        notes.append(f"{folder} has several chat templates ({listed}): {which}.")
    if not isinstance(config.get("chat_template"), list) and not (folder / _MORE_TEMPLATES).is_dir():
        return None
    config.pop("chat_template", None)
    return chosen


def _named_templates(found: object) -> Iterator[tuple[str, str]]:
    """Yield the chat templates of a config by name; a single one is the default."""
    if isinstance(found, str):
        yield _DEFAULT, found
    for entry in found if isinstance(found, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("template"), str):
            yield str(entry.get("name")), entry["template"]


def _template_files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the chat templates in files of their own, by name."""
    if (text := _text(folder / _TEMPLATE)) is not None:
        yield _DEFAULT, text
    for path in sorted((folder / _MORE_TEMPLATES).glob("*.jinja")):
        yield path.stem, path.read_text(encoding="utf-8", errors="replace")


def _without_batch_settings(tokenizer: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a ``tokenizer.json`` that reads a text whole and always in the same way, or None if it is one."""
    model = tokenizer.get("model")
    random = isinstance(model, dict) and model.get("dropout")
    if not (tokenizer.get("truncation") or tokenizer.get("padding") or random):
        return None
    new = {**tokenizer, "truncation": None, "padding": None}
    return new | {"model": {**model, "dropout": None}} if isinstance(model, dict) and random else new


def _read(path: Path) -> dict[str, Any]:
    """Return a JSON object, empty if it is missing or damaged: whatever needs it will report that."""
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def _dump(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
