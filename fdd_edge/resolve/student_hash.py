"""Which files of a student's folder its outputs depend on, and the hash of what they mean."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.runs.fingerprint import Json
from fdd_edge.runs.hashing import HashCache, sha256_of

__all__ = ["hash_files", "hash_student", "hash_weights", "student_files", "trained_files"]

_GENERATION = "generation_config.json"
_CHAT_TEMPLATE = "chat template"

_NO_MODEL = re.compile(
    r"""
      generation_config\.json
    | chat_template\.(?:jinja|json)
    | (?:README|LICEN[CS]E|NOTICE|USE_POLICY|CHANGELOG)(?:[._-].*)?
    | .*\.(?:md|png|jpe?g|gif|svg|pdf)
    | trainer_state\.json | training_args\.bin | optimizer\.pt | scheduler\.pt | rng_state.*\.pth
    | (?:all|train|eval)_results\.json
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Names of files that change nothing of what a model computes, or of which only a part counts."""

_NO_SETTING = re.compile(r"transformers_version|(?:torch_)?dtype|_name_or_path|_commit_hash")
"""Keys of ``config.json`` that say how it was saved: a student is always loaded in float32."""

_CHANGES_IDS = re.compile(
    r"tokenizer_class|.*_tokens?|added_tokens_decoder|(?:add|do|use|keep|remove|strip|tokenize|split|trim)_.*|legacy"
    r"|clean_up_.*|spaces_.*|sp_model_kwargs|byte_fallback|errors|unicode_.*|extra_ids|from_slow|language|.*_lang|vocab.*"
)
"""Keys of ``tokenizer_config.json`` by which a tokenizer may turn a text into other ids."""


def student_files(folder: Path) -> dict[str, str]:
    """Return a hash for everything in a Hugging Face folder that an output may depend on, by the name of its file.

    Files are hashed by what they mean, not by how they were saved: ``config.json`` without the version of transformers,
    ``tokenizer_config.json`` with the keys that change ids, every JSON file without its formatting. Left out are files
    for people and tools, such as a model card or a trainer's state, and whatever is hidden. All chat templates are one
    entry; of the generation config only the ids of tokens count. Any other file counts as it is.
    """
    hashes, found = HashCache(), dict[str, str]()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        parts = file.relative_to(folder).parts
        if any(part.startswith(".") for part in parts) or _NO_MODEL.fullmatch(file.name):
            continue
        if "additional_chat_templates" not in parts:
            found["/".join(parts)] = hashes.of(file) if (meaning := _meaning(file)) is None else _hash(meaning)
    if templates := _chat_templates(folder):
        found[_CHAT_TEMPLATE] = _hash(templates)
    ids = _token_ids(_read(folder / _GENERATION))
    if ids.items() - _token_ids(_read(folder / "config.json")).items():
        found[_GENERATION] = _hash(dict(ids))
    return found


def trained_files(files: Mapping[str, str]) -> dict[str, str]:
    """Return those of ``student_files`` on which training depends.

    The ids in a generation config say where replies end on a device: merged students, artifacts and evaluations depend
    on them. The examples of training end with the tokenizer's token. A chat template is trained on only as the prompt,
    whose text is an option of its own.
    """
    return {name: hashed for name, hashed in files.items() if not name.endswith((_GENERATION, _CHAT_TEMPLATE))}


def hash_files(files: Mapping[str, str]) -> str:
    """Return the sha256 of what ``student_files`` or ``trained_files`` returned."""
    return sha256_of("".join(f"{name}\0{hashed}\n" for name, hashed in sorted(files.items())))


def hash_weights(files: Mapping[str, str]) -> str:
    """Return the sha256 of the weights among what ``student_files`` returned."""
    return hash_files({name: hashed for name, hashed in files.items() if name.endswith(".safetensors")})


def hash_student(folder: Path) -> str:
    """Return the sha256 of what a Hugging Face folder means as a model."""
    return hash_files(student_files(folder))


def _meaning(file: Path) -> Json | None:
    """Return what a JSON file means; None for any other file, and for a damaged one."""
    if file.suffix != ".json":
        return None
    content = _load(file)
    keep = _KEPT.get(file.name)
    return (
        {key: value for key, value in content.items() if keep(key)} if keep and isinstance(content, dict) else content
    )


_KEPT: Mapping[str, Callable[[str], bool]] = {
    "config.json": lambda key: not _NO_SETTING.fullmatch(key),
    "tokenizer_config.json": lambda key: key != "chat_template" and _CHANGES_IDS.fullmatch(key) is not None,
    "tokenizer.json": lambda key: key not in ("truncation", "padding"),
}
"""Which keys of a file count; those of ``tokenizer.json`` that are left out are never applied to a student."""


def _chat_templates(folder: Path) -> dict[str, Json]:
    """Return the chat templates of a folder, by where they are."""
    files = [folder / "chat_template.jinja", folder / "chat_template.json"]
    files += sorted((folder / "additional_chat_templates").glob("*.jinja"))
    texts: dict[str, Json] = {
        file.name: file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file()
    }
    inside = _read(folder / "tokenizer_config.json").get("chat_template")
    return texts if inside is None else texts | {"tokenizer_config.json": inside}


def _token_ids(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the special tokens of a config, each as JSON."""
    return {key: json.dumps(value) for key, value in config.items() if key.endswith("_token_id") and value is not None}


def _hash(meaning: Json) -> str:
    return sha256_of(json.dumps(meaning, sort_keys=True))


def _read(file: Path) -> dict[str, Any]:
    content = _load(file)
    return content if isinstance(content, dict) else {}


def _load(file: Path) -> Any:
    """Return the content of a JSON file; None if it cannot be read, which whoever needs it reports."""
    try:
        return parse_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
