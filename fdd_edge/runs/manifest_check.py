"""What a manifest must look like when it is read: it is used much later, where nothing could be explained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from fdd_edge.runs.hashing import sha256_of

__all__ = ["check_entry", "check_facts", "content_hash"]

_MOST_THREADS = 4096
"""More than any machine has: a number above was not written by a run."""

_TEXTS = {"prompt": ("asked", "student", "template"), "student": ("name", "sha256")}
"""Facts that are objects, and the texts they must have."""


def content_hash(content: Mapping[str, Any]) -> str:
    """Return the hash of a manifest's content, which is stored in it: one flipped bit may still be valid JSON."""
    return sha256_of(json.dumps({key: value for key, value in content.items() if key != "sha256"}, sort_keys=True))


def check_entry(name: str, row: object) -> dict[str, Any]:
    """Return the JSON object of a stage, checked.

    Raises:
        TypeError: It is not what a stage writes.
    """
    if not isinstance(row, dict):
        raise TypeError(f"{name} is {row!r:.60}")
    kinds: dict[str, type | tuple[type, ...]] = {
        **{"fingerprint": str, "version": int, "options": dict, "inputs": dict, "output_sha256": str},
        **{"seconds": (int, float), "pruned": bool, "files": (list, type(None))},
    }
    for key, kind in kinds.items():
        if key in row and not (isinstance(row[key], kind) and isinstance(row[key], bool) == (kind is bool)):
            raise TypeError(f"{name}: {key} is {row[key]!r:.60}")
    if not all(isinstance(value, str) for value in row.get("inputs", {}).values()):
        raise TypeError(f"{name}: an input has no sha256")
    if not all(_is_inside(file) for file in row.get("files") or ()):
        raise TypeError(f"{name}: files is {row['files']!r:.60}")
    if not isfinite(row.get("seconds", 0)):
        raise TypeError(f"{name}: seconds is {row['seconds']}")
    return row


def check_facts(facts: object) -> dict[str, Any]:
    """Return the facts of a manifest, checked: those that later commands rely on.

    Raises:
        TypeError: One is not what a run writes.
    """
    if not isinstance(facts, dict):
        raise TypeError(f"facts is {facts!r:.60}")
    threads = facts.get("threads", 1)
    if not isinstance(threads, int) or isinstance(threads, bool) or not 1 <= threads <= _MOST_THREADS:
        raise TypeError(f"facts.threads is {threads!r:.60}")
    for name in ("judge", "config"):
        if not isinstance(facts.get(name, ""), str):
            raise TypeError(f"facts.{name} is {facts[name]!r:.60}")
    for name in ("prompt", "student", "datasets", "commits", "parity"):
        if not isinstance(facts.get(name, {}), dict):
            raise TypeError(f"facts.{name} is {facts[name]!r:.60}")
    for name, keys in _TEXTS.items():
        wrong = [key for key in keys if name in facts and not _is_text(facts[name].get(key))]
        if wrong:
            raise TypeError(f"facts.{name}.{wrong[0]} is {facts[name].get(wrong[0])!r:.60}")
    _check_teacher_prompts(facts.get("teacher_prompts"))
    _check_datasets(facts.get("datasets", {}))
    for name in ("commits", "parity"):
        wrong = [key for key, value in facts.get(name, {}).items() if not _is_text(value)]
        if wrong:
            raise TypeError(f"facts.{name} has {facts[name][wrong[0]]!r:.60} for {wrong[0]!r:.60}")
    return facts


def _check_datasets(datasets: Mapping[str, object]) -> None:
    """Check what is said of each set."""
    for name, named in datasets.items():
        if not isinstance(named, dict) or not all(_is_text(named.get(key) or "") for key in ("revision", "license")):
            raise TypeError(f"facts.datasets has {named!r:.60} for {name!r:.60}")


def _check_teacher_prompts(pinned: object) -> None:
    """Check the texts that language models are asked with, of a run that asks any."""
    if pinned is None:
        return
    groups = pinned.values() if isinstance(pinned, dict) and pinned.keys() == {"own", "packaged"} else [None]
    if not all(isinstance(group, dict) and all(map(_is_text, group.values())) for group in groups):
        raise TypeError(f"facts.teacher_prompts is {pinned!r:.60}")


def _is_inside(file: object) -> bool:
    """Return whether a value is the path of a file inside its folder: it may be deleted."""
    return isinstance(file, str) and bool(file) and not file.startswith("/") and ".." not in file.split("/")


def _is_text(value: object) -> bool:
    """Return whether a value is a text that can be written again: JSON may spell half a surrogate pair."""
    return isinstance(value, str) and value == value.encode("utf-8", "replace").decode("utf-8")
