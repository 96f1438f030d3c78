"""What trackers are shown of a training: its arguments and its model's configs, without the paths of this machine."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn
    from transformers import TrainingArguments

__all__ = ["shown_arguments", "shown_model"]

_FOLDERS = ("output_dir", "logging_dir")
_NAMES = ("_name_or_path", "base_model_name_or_path")
"""Where transformers and PEFT keep the folder that a model was read from; it may be a relative one."""


def shown_arguments(args: TrainingArguments, run_name: str) -> TrainingArguments:
    """Return the arguments of a training under the name that a tracker gives it."""
    shown: TrainingArguments = _without_paths(args, "")
    vars(shown).update({name: "" for name in _FOLDERS if name in vars(shown)} | {"run_name": run_name})
    return shown


def shown_model(model: nn.Module, student: str) -> nn.Module:
    """Return the same weights with configs that name the student instead of its folder.

    Trackers read the configs when they please, so those of the model itself cannot be changed for a moment instead.
    """
    replaced: dict[str, Any] = {}
    if hasattr(model, "config"):
        replaced["config"] = _without_paths(model.config, student)
    if hasattr(model, "peft_config"):
        replaced["peft_config"] = _without_paths(model.peft_config, student)
    shown = copy.copy(model)
    # In the class: setting the property of a PEFT model would change the config that its weights share.
    for name in replaced:
        vars(shown).pop(name, None)
    shown.__class__ = type(type(model).__name__, (type(model),), replaced)
    return shown


def _without_paths(value: Any, instead: str) -> Any:
    """Return a copy in which every path, also in configs inside configs, is replaced."""
    if isinstance(value, str):
        return instead if Path(value).is_absolute() else value
    if isinstance(value, dict):
        return {key: instead if key in _NAMES else _without_paths(one, instead) for key, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_without_paths(one, instead) for one in value)
    if hasattr(value, "to_dict"):
        shown = copy.copy(value)
        vars(shown).update(_without_paths(vars(value), instead))
        return shown
    return value
