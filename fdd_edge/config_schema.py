"""The JSON schema of a config, for editors: ``fdd-edge ls schema`` prints it."""

from __future__ import annotations

from typing import Any

from fdd_edge.config import Config
from fdd_edge.renames import CONFIG_KEYS

__all__ = ["config_schema"]

_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def config_schema() -> dict[str, Any]:
    """Return the schema: every key with its type, range, default and description.

    A text is allowed wherever a number is, because it may be an environment variable, such as ``${ROUNDS}``; old names
    of keys are allowed too.
    """
    schema = Config.model_json_schema()
    sections: dict[str, dict[str, Any]] = schema["$defs"]
    for old in CONFIG_KEYS:
        name, key = old.split(".")
        kind = schema["properties"][name].get("$ref") or schema["properties"][name]["anyOf"][0]["$ref"]
        sections[kind.rpartition("/")[2]]["properties"][key] = {"deprecated": True}
    for section in (schema, *sections.values()):
        for value in section.get("properties", {}).values():
            value.pop("title", None)
            if "$ref" in value:
                value.pop("default", None)  # its keys have their own
            _allow_variables(value)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "A run of fdd-edge"}


def _allow_variables(value: dict[str, Any]) -> None:
    """Let a number also be an environment variable."""
    kinds = value.get("anyOf", [value])
    if any(kind.get("type") in ("integer", "number", "boolean") for kind in kinds):
        own = {key: value.pop(key) for key in ("type", *_BOUNDS) if key in value}
        value["anyOf"] = [*(kinds if "anyOf" in value else [own]), {"type": "string", "pattern": r"^\$\{\w+\}$"}]
