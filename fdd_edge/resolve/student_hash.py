"""Which files of a student's folder its outputs depend on, and their hash."""

from __future__ import annotations

import json
import re
from pathlib import Path

from fdd_edge.runs.hashing import HashCache, sha256_of

__all__ = ["hash_student"]

_NO_MODEL = re.compile(
    r"""
      generation_config\.json
    | (?:README|LICEN[CS]E|NOTICE|USE_POLICY|CHANGELOG)(?:[._-].*)?
    | .*\.(?:md|png|jpe?g|gif|svg|pdf)
    | trainer_state\.json | training_args\.bin | optimizer\.pt | scheduler\.pt | rng_state.*\.pth
    | (?:all|train|eval)_results\.json
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Names of files that change nothing of what a model computes."""


def hash_student(folder: Path) -> str:
    """Return the sha256 of what a Hugging Face folder means as a model.

    Left out are files for people and tools, such as a model card or a trainer's state, and whatever is hidden; of the
    generation config only the ids of tokens count, which may also be in the config. Any other file counts.
    """
    hashes, lines = HashCache(), []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        parts = file.relative_to(folder).parts
        if not any(part.startswith(".") for part in parts) and not _NO_MODEL.fullmatch(file.name):
            lines.append(f"{file.relative_to(folder).as_posix()}\0{hashes.of(file)}\n")
    ids = _token_ids(folder / "config.json") | _token_ids(folder / "generation_config.json")
    return sha256_of("".join(lines) + json.dumps(ids, sort_keys=True))


def _token_ids(file: Path) -> dict[str, object]:
    """Return the special tokens of a config; none if it cannot be read, which whoever needs it reports."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    keys = found if isinstance(found, dict) else {}
    return {key: value for key, value in keys.items() if key.endswith("_token_id") and value is not None}
