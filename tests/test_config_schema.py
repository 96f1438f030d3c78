"""The JSON schema of a config: what editors accept is what a run accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from commands import fdd_edge

from fdd_edge import catalog
from fdd_edge.config_schema import config_schema
from fdd_edge.renames import CONFIG_KEYS

CONFIGS = Path(__file__).parents[1] / "configs"
MINIMAL = {"student": {"model_name_or_path": "tiny"}, "data": {"train": [{"path": "a.jsonl"}]}, "output_dir": "out"}


def faults(config: Any) -> list[str]:
    """Return what an editor would mark."""
    return [error.message for error in jsonschema.Draft202012Validator(config_schema()).iter_errors(config)]


def test_the_shipped_schema_is_the_one_of_this_version() -> None:
    shipped = (CONFIGS / "schema.json").read_text(encoding="utf-8")
    assert json.loads(shipped) == config_schema(), "run: fdd-edge ls schema > configs/schema.json"
    assert fdd_edge("ls", "schema").stdout == shipped


@pytest.mark.parametrize("name", catalog.names("configs"))
def test_a_shipped_config_names_the_schema_and_keeps_to_it(name: str) -> None:
    text = catalog.find("configs", name).read_text(encoding="utf-8")
    assert "\n# yaml-language-server: $schema=schema.json\n" in text
    assert faults(yaml.safe_load(text)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"rounds": 0},
        {"rounds": "two"},
        {"round": 2},
        {"lora": {"width": 3}},
        {"feedback": {"policy": "fddd"}},
        {"teacher": {"models": {"big": {"base_url": "http://localhost/v1"}}}},
        {"data": {"train": []}},
    ],
    ids=str,
)
def test_an_editor_marks_what_a_run_refuses(wrong: dict[str, Any]) -> None:
    assert faults(MINIMAL) == []
    assert faults(MINIMAL | wrong)


def test_environment_variables_and_old_names_are_not_marked() -> None:
    assert faults(MINIMAL | {"rounds": "${ROUNDS}", "training": {"learning_rate": "${LR}"}}) == []
    for old in CONFIG_KEYS:
        section, key = old.split(".")
        assert faults(MINIMAL | {section: {key: 4}}) == []
