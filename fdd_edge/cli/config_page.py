"""The config reference in the docs, generated from the fields: ``python -m fdd_edge.cli.config_page``."""

from __future__ import annotations

import collections.abc
import dataclasses
import json
import sys
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from fdd_edge.config import Config
from fdd_edge.renames import CONFIG_KEYS
from fdd_edge.teachers.language_model.secret import Secret

__all__ = ["config_page"]

_HEAD = """# Config reference

A run config is a YAML file. Only `student`, `data` and `output_dir` are required; an unknown key is an error. `${NAME}`
is replaced by an environment variable. Any key can be set on the command line, as in `--set feedback.limit=100`, and
`fdd-edge ls configs` lists the packaged configs. `fdd-edge init` writes a commented config, and `fdd-edge validate
CONFIG` opens everything that a config names, as the start of a run does, and writes nothing.

Editors with a YAML language server complete and check a config whose folder has the schema, if it says where:

    fdd-edge ls schema > schema.json

    # yaml-language-server: $schema=schema.json
"""

_BOUNDS = {"ge": "at least", "gt": "greater than", "le": "at most", "lt": "less than"}


class _Key(NamedTuple):
    name: str
    kind: str
    default: str
    description: str


class _Field(NamedTuple):
    default: Any
    description: str
    bounds: dict[str, float]


def config_page() -> str:
    """Return docs/config.md."""
    parts = [_HEAD, "## Top level\n", _table(_keys(Config, sections=False))]
    described = _fields(Config)
    for name, kind in _sections(Config):
        doc = _summary(kind)
        about = described[name].description
        more = f" {about[0].upper()}{about[1:]}." if about else ""
        parts.append(f"\n## {name}\n\n{doc}{more}\n")
        parts.append(_table(_keys(kind)))
        for inner, section in _sections(kind):
            if name != "data":
                parts.append(f"\n`{name}.{inner}`: {_summary(section)}\n")
            elif inner == "train":  # valid and eval take the same keys
                parts.append("\nEach set of `train`, `valid` and `eval` has these keys:\n")
            else:
                continue
            parts.append(_table(_keys(section)))
    renamed = "\n".join(f"| `{old}` | `{new}` |" for old, new in CONFIG_KEYS.items())
    parts.append(f"\n## Renamed keys\n\nThe old names still work.\n\n| old | new |\n|---|---|\n{renamed}\n")
    return "\n".join(parts)


def _table(keys: Iterator[_Key]) -> str:
    lines = [f"| `{key.name}` | {key.kind} | {key.default} | {key.description} |" for key in keys]
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *lines])


def _summary(section: type) -> str:
    return " ".join((section.__doc__ or "").split("\n\n")[0].split()).replace("``", "`")


def _sections(kind: type) -> Iterator[tuple[str, type]]:
    """Yield the sections inside one: a mapping of sections under ``key.NAME``, and each kind that they may be of."""
    for name, hint in get_type_hints(kind).items():
        if name not in _fields(kind):
            continue
        if get_origin(hint) is dict:
            kinds = get_args(get_args(hint)[1])
            yield from ((f"{name}.NAME", section) for section in kinds if _section_in(section) is not None)
        elif (section := _section_in(hint)) is not None:
            yield name, section


def _keys(kind: type, *, sections: bool = True) -> Iterator[_Key]:
    hints = get_type_hints(kind, include_extras=False)
    for name, field in _fields(kind).items():
        if sections or _section_in(hints[name]) is None:
            allowed = ", ".join([_type_name(hints[name]), *_bounds(field.bounds)])
            yield _Key(name, allowed, _shown(field.default), _sentence(field.description))


def _fields(kind: type) -> dict[str, _Field]:
    """Return default, description and bounds of each field."""
    if issubclass(kind, BaseModel):
        return {
            name: _Field(
                field.default,
                field.description or "",
                # annotated_types.Ge(ge=1) and its like: each has its bound under its own name.
                {key: getattr(found, key) for found in field.metadata for key in _BOUNDS if hasattr(found, key)},
            )
            for name, field in kind.model_fields.items()
        }
    return {
        field.name: _Field(
            None if field.default_factory is not dataclasses.MISSING else field.default,
            field.metadata.get("description", ""),
            {key: field.metadata[key] for key in _BOUNDS if key in field.metadata},
        )
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]
    }


def _bounds(bounds: dict[str, float]) -> Iterator[str]:
    """Yield the limits of a value in words, such as "0 to 1" or "at least 1"."""
    if {"ge", "le"} <= bounds.keys():
        yield f"{bounds['ge']} to {bounds['le']}"
        return
    for key, words in _BOUNDS.items():
        if key in bounds:
            yield f"{words} {bounds[key]}"


def _section_in(hint: Any) -> type | None:
    kinds = (hint, *get_args(hint))
    return next((k for k in kinds if isinstance(k, type) and (dataclasses.is_dataclass(k) or _is_model(k))), None)


def _is_model(kind: type) -> bool:
    return issubclass(kind, BaseModel)


def _type_name(hint: Any) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _type_name(args[0])
    if origin in (Union, types.UnionType):
        return " or ".join(_type_name(a) for a in args if a is not type(None))
    if origin is Literal:
        return ", ".join(f"`{a}`" for a in args)
    if origin in (list, tuple):
        return f"list of {_type_name(args[0])}"
    if origin is dict:
        return "mapping of names to sections"
    if origin is collections.abc.Mapping:
        return "mapping"
    names = {int: "whole number", float: "number", str: "text", bool: "true or false", Secret: "text"}
    return names.get(hint, "section")


def _shown(default: Any) -> str:
    if default is dataclasses.MISSING or default is PydanticUndefined:
        return "required"
    if default is None or default == {} or dataclasses.is_dataclass(default):
        return "-"
    if isinstance(default, list | tuple):
        return f"`[{', '.join(map(str, default))}]`"
    return f"`{default}`" if isinstance(default, str) else f"`{json.dumps(default)}`"


def _sentence(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(config_page())
