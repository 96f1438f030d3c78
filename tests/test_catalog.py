"""The YAML files that ship with the package: who each config is for, and what `fdd-edge ls` says about it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from fdd_edge import catalog
from fdd_edge.cli import cli
from fdd_edge.errors import FddError

FOR_USERS = {"gsm8k-qwen-0.5b", "gsm8k-smollm2", "headline-bank", "headline-smollm2", "quickstart", "smoke"}


def test_configs_of_benchmarks_and_tests_are_not_listed_for_users() -> None:
    listed = json.loads(CliRunner().invoke(cli, ["ls", "configs", "--json"]).output)["configs"]
    assert set(listed) == set(catalog.names("configs", audience="users")) == FOR_USERS
    assert set(catalog.names("configs")) > FOR_USERS


@pytest.mark.parametrize(("name", "audience"), [("smoke", "users"), ("controls", "benchmarks"), ("smoke-t5", "tests")])
def test_a_config_says_in_its_second_line_who_it_is_for(name: str, audience: str) -> None:
    assert catalog.audience(name) == audience
    assert catalog.find("configs", name).is_file()


def test_the_audience_of_an_unknown_config_is_an_error_that_lists_those_for_users() -> None:
    with pytest.raises(
        FddError, match=r"no config named 'smok'\. Did you mean 'smoke'\? Known: gsm8k-qwen-0\.5b, "
    ) as no:
        catalog.audience("smok")
    assert "controls" not in str(no.value)


def test_an_unknown_audience_is_a_mistake_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.yaml").write_text("# A config\n# for: friends\nrounds: 1\n", encoding="utf-8")
    monkeypatch.setattr(catalog, "shelf_path", lambda shelf: tmp_path)
    with pytest.raises(ValueError, match=r"mine\.yaml is for 'friends'; known are users, benchmarks, tests"):
        catalog.audience("mine")


@pytest.mark.parametrize("name", catalog.names("configs"))
def test_the_first_line_of_a_config_is_one_line_of_description(name: str) -> None:
    first = catalog.find("configs", name).read_text(encoding="utf-8").split("\n", 1)[0]
    assert re.fullmatch(r"# [A-Z].{20,}[^.]", first), first
    assert len(f"  headline-smollm2  {first[2:]}") <= 120, first
