"""The config reference in the docs, generated from the fields: ``python -m fdd_edge.cli.config_page``."""

from __future__ import annotations

import dataclasses
import json
import sys
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from fdd_edge.config import Config
from fdd_edge.config_file import RENAMED

__all__ = ["config_page"]

_HEAD = """# Config reference

A run config is a YAML file. Only `student`, `data` and `output_dir` are required; an unknown key is an error. `${NAME}`
is replaced by an environment variable. Any key can be set on the command line, as in `--set feedback.limit=100`, and
`fdd-edge ls configs` lists the packaged configs.
"""


class _Key(NamedTuple):
    name: str
    kind: str
    default: str
    description: str


def config_page() -> str:
    """Return docs/config.md."""
    parts = [_HEAD, "## Top level\n", _table(_keys(Config, sections=False))]
    for name, kind in _sections(Config):
        doc = " ".join((kind.__doc__ or "").split("\n\n")[0].split()).replace("``", "`")
        parts.append(f"\n## {name}\n\n{doc}\n")
        parts.append(_table(_keys(kind)))
        for inner, section in _sections(kind):
            if inner == "train":  # valid and eval take the same keys
                parts.append("\nEach set of `train`, `valid` and `eval` has these keys:\n")
                parts.append(_table(_keys(section)))
    renamed = "\n".join(f"| `{old}` | `{new}` |" for old, new in RENAMED.items())
    parts.append(f"\n## Renamed keys\n\nThe old names still work.\n\n| old | new |\n|---|---|\n{renamed}\n")
    return "\n".join(parts)


def _table(keys: Iterator[_Key]) -> str:
    lines = [f"| `{key.name}` | {key.kind} | {key.default} | {key.description} |" for key in keys]
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *lines])


def _sections(kind: type) -> Iterator[tuple[str, type]]:
    for name, hint in get_type_hints(kind).items():
        if name in _fields(kind) and (section := _section_in(hint)) is not None:
            yield name, section


def _keys(kind: type, *, sections: bool = True) -> Iterator[_Key]:
    hints = get_type_hints(kind, include_extras=False)
    for name, (default, description) in _fields(kind).items():
        if sections or _section_in(hints[name]) is None:
            yield _Key(name, _type_name(hints[name]), _shown(default), _sentence(description))


def _fields(kind: type) -> dict[str, tuple[Any, str]]:
    """Return default and description of each field."""
    if issubclass(kind, BaseModel):
        return {n: (f.default, f.description or "") for n, f in kind.model_fields.items()}
    return {f.name: (f.default, f.metadata.get("description", "")) for f in dataclasses.fields(kind)}  # type: ignore[arg-type]


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
    names = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    return names.get(hint, "section")


def _shown(default: Any) -> str:
    if default is dataclasses.MISSING or default is PydanticUndefined:
        return "required"
    if default is None:
        return "-"
    if isinstance(default, list | tuple):
        return f"`[{', '.join(map(str, default))}]`"
    return f"`{default}`" if isinstance(default, str) else f"`{json.dumps(default)}`"


def _sentence(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(config_page())
