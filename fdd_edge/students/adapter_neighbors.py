"""What lies next to an adapter and counts instead of what its base has: tokenizer, chat template, end tokens."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.students.load import GENERATION_CONFIG, special_ids

__all__ = ["use_neighbors"]

_TOKENIZER, _CONFIG, _TOKENS = "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"
_TEMPLATE, _MORE_TEMPLATES = "chat_template.jinja", "additional_chat_templates"
_TEMPLATE_KEY = "chat_template"
_SLOW = ("tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "added_tokens.json")
"""Vocabularies of tokenizers that were saved in the slow form only."""


def use_neighbors(adapter: Path, out: Path) -> tuple[bool, list[str]]:
    """Replace what a merged folder has from its base by what lies next to its adapter.

    Args:
        adapter: The adapter's folder.
        out: The merged folder, with the tokenizer files and the generation config of the base.

    Returns:
        Whether the tokenizer or its chat template are no longer the base's, and a sentence for everything that counts.

    Raises:
        FddError: A file cannot be read.
    """
    notes: list[str] = []
    found = _own_files(adapter, out)
    if _TOKENIZER in found:
        notes.append("The tokenizer next to the adapter counts, not the one of its base.")
    elif slow := [name for name in _SLOW if (adapter / name).is_file()]:
        notes.append(
            f"The tokenizer next to the adapter counts for nothing: it has a {slow[0]} and no {_TOKENIZER}. The one of "
            "its base is used; if they differ, save the adapter's with AutoTokenizer and save_pretrained."
        )
    templates = _templates(adapter)
    has_template = bool(templates) and templates != _templates(out)
    if has_template and _TOKENIZER not in found:
        notes.append("The chat template next to the adapter counts, not the one of its base.")
    if _TOKENIZER not in found and (others := [name for name in (_CONFIG, _TOKENS) if name in found]):
        verb = "counts" if len(others) == 1 else "count"
        notes.append(f"{' and '.join(others)} next to the adapter {verb}, not what its base has.")
    if found or has_template:
        _replace(adapter, out, found)
    if _has_other_ids(adapter, out):
        shutil.copyfile(adapter / GENERATION_CONFIG, out / GENERATION_CONFIG)
        notes.append(f"The end tokens in {GENERATION_CONFIG} next to the adapter count, not those of its base.")
    return bool(found) or has_template, notes


def _own_files(adapter: Path, out: Path) -> list[str]:
    """Return the tokenizer files of an adapter that say something else than those of its base."""
    names = sorted(path.name for path in adapter.glob("tokenizer*") if path.is_file())
    names = [name for name in (*names, _TOKENS) if (adapter / name).is_file()]
    if _TOKENIZER in names:
        return names
    # Without a tokenizer.json, only files that are read together with that of the base.
    return [
        name
        for name in (_CONFIG, _TOKENS)
        if name in names and _settings(out / name) | _settings(adapter / name) != _settings(out / name)
    ]


def _settings(path: Path) -> dict[str, Any]:
    """Return the settings of a tokenizer, without its chat template."""
    return {key: value for key, value in _read(path).items() if key != _TEMPLATE_KEY}


def _templates(folder: Path) -> dict[str, Any]:
    """Return the chat templates of a folder by name; one in a file counts before one in the config."""
    files = [folder / _TEMPLATE, *sorted((folder / _MORE_TEMPLATES).glob("*.jinja"))]
    found: dict[str, Any] = {
        file.stem: file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file()
    }
    inside = _template_inside(folder)
    return {_TEMPLATE_KEY: inside} | found if inside else found


def _template_inside(folder: Path) -> Any:
    return _read(folder / _CONFIG).get(_TEMPLATE_KEY)


def _replace(adapter: Path, out: Path, found: list[str]) -> None:
    """Copy files of an adapter over those of its base, whose chat template stays only if the adapter has none."""
    own = bool(_templates(adapter))
    inside = _template_inside(adapter if own else out)
    for name in found:
        if _TOKENIZER in found:
            shutil.copyfile(adapter / name, out / name)
        else:
            _write(out / name, _read(out / name) | _read(adapter / name))
    config = {key: value for key, value in _read(out / _CONFIG).items() if key != _TEMPLATE_KEY}
    config |= {_TEMPLATE_KEY: inside} if inside else {}
    if config:
        _write(out / _CONFIG, config)
    if not own:
        return
    (out / _TEMPLATE).unlink(missing_ok=True)
    if (adapter / _TEMPLATE).is_file():
        shutil.copyfile(adapter / _TEMPLATE, out / _TEMPLATE)
    if (adapter / _MORE_TEMPLATES).is_dir():
        shutil.copytree(adapter / _MORE_TEMPLATES, out / _MORE_TEMPLATES)


def _has_other_ids(adapter: Path, out: Path) -> bool:
    """Return whether an adapter's generation config names other special tokens than what its base has."""
    known = special_ids(out / "config.json") | special_ids(out / GENERATION_CONFIG)
    return any(known.get(key) != ids for key, ids in special_ids(adapter / GENERATION_CONFIG).items())


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    """Return a JSON object, empty if there is no such file.

    Raises:
        FddError: It is not one.
    """
    if not path.is_file():
        return {}
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise FddError(f"{path} is not a JSON object; fetch the file again, or delete it.")
    return content
