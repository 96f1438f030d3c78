"""``fdd-edge validate``: all that a start checks, and nothing that a start writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import fdd_edge as command
from smoke import Finished

import fdd_edge
from fdd_edge.errors import FddError


def files_of(folder: Path) -> dict[Path, int]:
    """Return every file of a folder, with the time of its last change."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_valid_config_is_described_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    valid = fdd_edge.validate("smoke")
    assert (valid.name, valid.student, valid.rounds_done) == ("smoke", "tiny", 0)
    assert valid.parameters > 10_000
    assert set(valid.problems) == {"train", "valid", "symbolic-heldout"}
    assert all(n > 0 for n in valid.problems.values())
    assert valid.targets == ("local",)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_run_folder_stays_as_it_is(smoke: Finished) -> None:
    before = files_of(smoke.out)
    assert fdd_edge.validate(smoke.out).rounds_done == len(fdd_edge.load_run(smoke.out).rounds)
    assert files_of(smoke.out) == before
    with pytest.raises(FddError, match=r"holds a run with other settings: seed is"):
        fdd_edge.validate(smoke.out, overrides="seed=99")


def test_faults_that_only_a_start_finds_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for setting, said in (
        ("lora.target_modules=[qproj]", r"names 'qproj', which tiny does not have"),
        ("data.eval=[{path: gone.jsonl}]", r"data\.eval\.0: gone\.jsonl"),
    ):
        with pytest.raises(FddError, match=said):
            fdd_edge.validate("smoke", overrides=setting)
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_there_is_and_what_to_do_next(tmp_path: Path) -> None:
    ran = command("validate", "smoke", "--set", "seed=3", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("smoke is valid.\n")
    assert "fdd-edge plan smoke --set seed=3" in ran.stdout
    listed = json.loads(command("validate", "smoke", "--json", cwd=tmp_path).stdout)
    assert listed["output"] == "runs/smoke"
    assert command("validate", "smoke", "--set", "rounds=0", cwd=tmp_path).returncode == 2
