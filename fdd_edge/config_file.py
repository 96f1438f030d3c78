"""Reading a config: YAML with ``${ENV}`` and overrides; all errors at once, each with its path."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import yaml

from fdd_edge import catalog
from fdd_edge.bounded_yaml import load_yaml
from fdd_edge.config import Config, Gates
from fdd_edge.config_check import Location, check_config
from fdd_edge.errors import FddError
from fdd_edge.renames import CONFIG_KEYS, announce_rename, given_twice
from fdd_edge.yaml_errors import yaml_fault

__all__ = [
    "changed_keys",
    "environment_names",
    "load_config",
    "override_source",
    "parse_config",
    "read_config_source",
]

_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


EXTENDABLE = {"rounds", "export.recipes", "targets", "data.eval"}
"""Keys that may grow on an existing run."""

FREE = {"keep", "questions", "training.report_to", *(f"gates.{field.name}" for field in fields(Gates))}
"""Keys that change no result, and so may change on an existing run."""

_FREE_OF_TEACHERS = re.compile(
    r"teacher\.(budget\..*|models\.[^.]+(\.[^.]+)*\.(api_key|max_concurrency|timeout|insecure|price|batch)(\..*)?)"
)
"""The same for how a language model is asked, and what that may cost; a model's name may contain dots."""


def load_config(name_or_path: str, overrides: Sequence[str] = ()) -> tuple[Config, dict[str, Any]]:
    """Return a config, and its source as written."""
    source = read_config_source(name_or_path, overrides)
    return parse_config(source, name_or_path), source


def read_config_source(name_or_path: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a config as written, ``${ENV}`` unresolved, and apply ``a.b=value`` overrides.

    Raises:
        FddError: There is no such config, it is not YAML, or an override is not ``key=value``.
    """
    path = catalog.find("configs", name_or_path)
    try:
        source = load_yaml(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise FddError(f"{path} is not a config: it is not UTF-8 text.") from None
    except yaml.YAMLError as error:
        raise FddError(f"{path} is not valid YAML: {yaml_fault(error)}.") from None
    if not isinstance(source, dict):
        raise FddError(f"{path} is not a config: it must be a mapping of keys.")
    return override_source(source, overrides)


def environment_names(source: object) -> list[str]:
    """Return the environment variables that a config as written names, in their order."""
    inner = source.values() if isinstance(source, Mapping) else source if isinstance(source, list) else ()
    own = _ENV.findall(source) if isinstance(source, str) else []
    return list(dict.fromkeys([*own, *(name for value in inner for name in environment_names(value))]))


def override_source(source: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a config as written with ``a.b=value`` overrides applied; the values are read as YAML.

    Raises:
        FddError: An override is not ``key=value``.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(source))
    given = {override.partition("=")[0].strip() for override in overrides}
    for pair in CONFIG_KEYS.items():
        for name, other in (pair, pair[::-1]):
            if name in given and other not in given:
                _remove(changed, other)
    for override in overrides:
        _put(changed, override)
    return changed


def parse_config(
    source: Mapping[str, Any], origin: str, find_missing: Callable[[Config], Sequence[str]] = lambda config: ()
) -> Config:
    """Check a config and resolve its ``${ENV}``.

    Args:
        source: The config as written.
        origin: What errors call it.
        find_missing: Returns an error for everything a config names that does not exist. It is also called if there
            are other errors, with defaults in place of broken values.

    Raises:
        FddError: It has errors; lists all of them, each with its path.
    """
    faults: list[str] = []
    values, written = _with_new_names(source, faults)
    faults += _written_keys(values)
    unset: dict[Location, str] = {}
    values = _resolve(values, (), unset)
    found = check_config(values, unset)
    faults += [*unset.values(), *found.faults]
    if found.config is not None:
        faults += find_missing(found.config)
    if found.config is None or faults:
        raise FddError(_listed(origin, [_as_written(fault, written) for fault in faults]))
    return found.config


def _written_keys(source: Mapping[str, Any]) -> list[str]:
    """Return an error for each key of an endpoint that stands in the config itself, which is copied into the run."""
    teacher = source.get("teacher")
    models = teacher.get("models") if isinstance(teacher, Mapping) else None
    return [
        f"teacher.models.{name}.api_key: write ${{NAME}}, the name of an environment variable, so that the key itself "
        "is in no file"
        for name, model in (models.items() if isinstance(models, Mapping) else ())
        if isinstance(model, Mapping) and isinstance(key := model.get("api_key"), str) and not _ENV.fullmatch(key)
    ]


def _listed(origin: str, faults: Sequence[str]) -> str:
    if len(faults) == 1:
        return f"{origin}: {faults[0]}"
    return f"{origin}: {len(faults)} errors:" + "".join(f"\n  - {fault}" for fault in faults)


def _as_written(fault: str, written: Mapping[str, str]) -> str:
    """Put the names of keys that the config uses into an error."""
    for new, old in written.items():
        fault = re.sub(rf"\b{re.escape(new)}\b", old, fault)
    return fault


def changed_keys(old: Config, new: Config) -> dict[str, tuple[Any, Any]]:
    """Return the keys that differ in a way by which a run cannot be extended, each with its old and new value."""
    before, after = (dict(_leaves(_what_counts(config))) for config in (old, new))
    changed: dict[str, tuple[Any, Any]] = {}
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key), after.get(key)
        if was == now or key in FREE or _FREE_OF_TEACHERS.fullmatch(key) or (key in EXTENDABLE and _extends(was, now)):
            continue
        changed |= _narrowed(key, was, now)
    return changed


def _what_counts(config: Config) -> dict[str, Any]:
    """Return what a run depends on: without models that it does not ask."""
    tree = config.model_dump(mode="json", exclude={"output_dir"})
    teacher = tree["teacher"]
    asked = {*teacher["rationale"], teacher["evolve"]}
    teacher["models"] = {name: model for name, model in teacher["models"].items() if name in asked}
    return tree


def _narrowed(key: str, was: Any, now: Any) -> dict[str, tuple[Any, Any]]:
    """Narrow a difference down to the keys of a list's sections, such as ``data.train.0.limit``."""
    sections = [value for side in (was, now) for value in (side if isinstance(side, list) else [side])]
    if not all(isinstance(section, dict) for section in sections) or len(was) != len(now):
        return {key: (_brief(was), _brief(now))}
    return {
        f"{key}.{number}.{name}": (old.get(name), new.get(name))
        for number, (old, new) in enumerate(zip(was, now, strict=True))
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    }


def _brief(value: Any) -> Any:
    """Leave out the keys that a list's sections do not set."""
    if not isinstance(value, list):
        return value
    return [
        {name: part for name, part in item.items() if part is not None} if isinstance(item, dict) else item
        for item in value
    ]


def _extends(was: Any, now: Any) -> bool:
    if isinstance(was, list) and isinstance(now, list):
        return all(item in now for item in was)
    return isinstance(was, int) and isinstance(now, int) and now >= was


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _put(source: dict[str, Any], override: str) -> None:
    """Put ``a.b=value`` into a config; the value is read as YAML."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise FddError(f"An override is KEY=VALUE, such as feedback.limit=100; {override!r} is not.")
    *parents, last = key.strip().split(".")
    at = source
    for parent in parents:
        at = at.setdefault(parent, {})
        if not isinstance(at, dict):
            raise FddError(f"The override {override}: {parent} is not a group of keys.")
    try:
        at[last] = load_yaml(text)
    except yaml.YAMLError:
        raise FddError(f"The override {override}: the value is not valid YAML.") from None


def _remove(source: Mapping[str, Any], key: str) -> None:
    """Remove ``section.key`` from a config if it is there."""
    section, name = key.split(".")
    if isinstance(keys := source.get(section), dict):
        keys.pop(name, None)


def _with_new_names(source: Mapping[str, Any], faults: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Move the values of renamed keys to their new names, and say so once per process and key.

    Returns:
        The config, and the old names that it uses, by their new names.
    """
    moved: dict[str, Any] = copy.deepcopy(dict(source))
    written: dict[str, str] = {}
    for old, new in CONFIG_KEYS.items():
        section, old_key = old.split(".")
        new_key = new.split(".")[1]
        keys = moved.get(section)
        if not isinstance(keys, dict) or old_key not in keys:
            continue
        if new_key in keys:
            faults.append(f"{old}: this is {given_twice(new)}")
        else:
            written[new] = old
        announce_rename(old, new)
        keys[new_key] = keys.pop(old_key)
    return moved, written


def _resolve(value: Any, location: Location, unset: dict[Location, str]) -> Any:
    """Replace ``${NAME}`` by environment variables; ``unset`` gets an error for each value that names an unset one."""
    if isinstance(value, Mapping):
        return {key: _resolve(item, (*location, key), unset) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, (*location, i), unset) for i, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    for name in _ENV.findall(value):
        if not os.environ.get(name):
            unset[location] = f"{'.'.join(map(str, location))}: the environment variable {name} is not set"
    return _ENV.sub(lambda match: os.environ.get(match[1], match[0]), value)
