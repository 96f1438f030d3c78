"""The settings of an adapter, as PEFT saves them; a stranger may have written them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.students.readable_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS

__all__ = ["check_ranks", "check_type", "read_adapter_config", "unknown_settings"]

_KIND = "LORA"
_TASKS = (None, "CAUSAL_LM", "SEQ_2_SEQ_LM")
_NOT_MERGED = ("layer_replication", "alora_invocation_tokens", "arrow_config", "megatron_config")
"""Settings with which merged weights would not compute what the adapter does; the last one also names code to run."""


def read_adapter_config(adapter: Path) -> dict[str, Any]:
    """Return the settings of an adapter.

    Raises:
        FddError: They are damaged.
    """
    path = adapter / ADAPTER_CONFIG
    try:
        config = parse_json(path.read_text(encoding="utf-8"))
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise FddError(f"{path} is not a JSON object; fetch the adapter again.")
    return config


def check_type(adapter: Path, config: Mapping[str, Any]) -> None:
    """Refuse an adapter that cannot be merged into a language model.

    Raises:
        FddError: It is of another type, was trained for another task, or has no weights that can be read.
    """
    kind, task = config.get("peft_type"), config.get("task_type")
    if kind != _KIND:
        raise FddError(f"{adapter} is an adapter of the type {kind!r}, which is not supported yet. Supported: {_KIND}.")
    if task not in _TASKS:
        raise FddError(
            f"{adapter} is an adapter for the task {task!r}, and only language models can be trained and exported. If "
            f"it is one, correct task_type in {adapter / ADAPTER_CONFIG} to CAUSAL_LM."
        )
    if unsupported := [key for key in _NOT_MERGED if config.get(key)]:
        raise FddError(f"{adapter} is an adapter with {unsupported[0]}, which cannot be merged here.")
    if not (adapter / ADAPTER_WEIGHTS).is_file():
        raise FddError(f"{adapter} has no {ADAPTER_WEIGHTS}; other weight files are not read: they can hold code.")


def check_ranks(adapter: Path, config: Mapping[str, Any], largest: int) -> None:
    """Refuse an adapter without a rank or a scale, for which PEFT would assume one, or with one beyond its tensors.

    Raises:
        FddError: It is such an adapter.
    """
    path = adapter / ADAPTER_CONFIG
    for key in ("r", "lora_alpha"):
        value = config.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
            raise FddError(f"{path}: {key} must be a positive number, not {value!r}; fetch or save the adapter again.")
    patterns = config.get("rank_pattern") or {}
    ranks = [config["r"], *(patterns.values() if isinstance(patterns, dict) else ())]
    for rank in ranks:
        if not isinstance(rank, int) or isinstance(rank, bool) or not 0 < rank <= largest:
            raise FddError(f"{path} has the rank {rank!r}, which is not that of any tensor in {ADAPTER_WEIGHTS}.")


def unknown_settings(config: Mapping[str, Any]) -> list[str]:
    """Return the settings that the installed PEFT does not know, and would ignore; those that are off do not count."""
    from peft import LoraConfig

    known = {field.name for field in dataclasses.fields(LoraConfig)}
    return sorted(key for key, value in config.items() if key not in known and value)
