"""``fdd-edge init``: a commented config that a run can start with."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from commands import fdd_edge

import fdd_edge as package
from fdd_edge.config_file import load_config

THINGS = ("figs", "pens", "cups", "hats", "keys", "maps", "nets", "owls", "pies", "rugs", "toys", "vans")
PROBLEMS = [{"question": f"Tom has 9 {thing} and loses 2. How many remain?", "answer": 7} for thing in THINGS]


def test_the_default_is_the_demo_and_valid(tmp_path: Path) -> None:
    ran = fdd_edge("init", "-y", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    written = tmp_path / "fdd-edge.yaml"
    made, demo = (load_config(str(path))[0] for path in (written, "quickstart"))
    assert made.model_copy(update={"output_dir": demo.output_dir}) == demo.model_copy(update={"data": made.data})
    assert [(s.path, s.limit) for s in made.data.train] == [(s.path, s.limit) for s in demo.data.train]
    assert all("#" in line for line in written.read_text(encoding="utf-8").splitlines() if line.endswith("4"))
    assert "fdd-edge validate fdd-edge.yaml" in ran.stdout


def test_options_are_taken_and_the_config_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(p) + "\n" for p in PROBLEMS), encoding="utf-8")
    words = ("--student", "tiny", "--train", "mine.jsonl", "--recipe", "gguf-q5_k_m", "--rounds", 3, "-y")
    assert fdd_edge("init", "my.yaml", *words).returncode == 0
    source = yaml.safe_load((tmp_path / "my.yaml").read_text(encoding="utf-8"))
    assert (source["data"]["eval"], source["rounds"], source["output_dir"]) == ([], 3, "runs/my")
    assert source["training"]["quantization_aware"] == "none"  # nothing can be trained for that rounding
    assert package.validate("my.yaml").recipes == ("gguf-q5_k_m",)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--train", "gone.jsonl"], "data.train.0: gone.jsonl does not exist"),
        (["--recipe", "gguf-q9"], "export.recipes.0: there is no recipe named 'gguf-q9'"),
        (["--target", "pi"], "targets.0: there is no target named 'pi'"),
    ],
)
def test_what_does_not_exist_is_named_and_nothing_is_written(words: list[str], said: str, tmp_path: Path) -> None:
    ran = fdd_edge("init", *words, "-y", cwd=tmp_path)
    assert (ran.returncode, list(tmp_path.iterdir())) == (2, [])
    assert said in ran.stderr


def test_a_file_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "fdd-edge.yaml").write_text("mine", encoding="utf-8")
    ran = fdd_edge("init", "-y", cwd=tmp_path)
    assert ran.returncode == 2
    assert "already exists; choose another name" in ran.stderr
    assert (tmp_path / "fdd-edge.yaml").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["emoji 😀.yaml", "größe #1: a.yaml"])
def test_any_printable_name_will_do(name: str, tmp_path: Path) -> None:
    """An emoji became two halves, which no YAML parser reads."""
    assert fdd_edge("init", name, "-y", cwd=tmp_path).returncode == 0
    source = yaml.safe_load((tmp_path / name).read_text(encoding="utf-8"))
    assert source["output_dir"] == f"runs/{name.removesuffix('.yaml')}"


def test_a_name_of_two_lines_is_refused(tmp_path: Path) -> None:
    """The second line of its name became a key of the config."""
    ran = fdd_edge("init", "a.yaml\nseed: 7", "-y", cwd=tmp_path)
    assert (ran.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "must have no control characters" in ran.stderr


def test_a_terminal_is_asked(tmp_path: Path) -> None:
    here, there = pty.openpty()
    answers = "tiny\n\nnone\n\ngguf-q8_0\n4\n"
    os.write(here, answers.encode())
    command = [sys.executable, "-m", "fdd_edge", "init", "asked.yaml"]
    ran = subprocess.run(command, stdin=there, capture_output=True, text=True, cwd=tmp_path, check=False)
    os.close(here)
    os.close(there)
    assert ran.returncode == 0, ran.stderr
    source = yaml.safe_load((tmp_path / "asked.yaml").read_text(encoding="utf-8"))
    assert source["student"] == {"model_name_or_path": "tiny"}
    assert source["data"] == {"train": [{"path": "symbolic:train", "limit": 500}], "eval": []}
    assert (source["export"], source["rounds"]) == ({"recipes": ["gguf-q8_0"]}, 4)
