"""The rooms of the house: who may import whom (docs/architecture.md)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "fdd_edge"

ROOMS = ("artifacts", "curation", "data", "evaluation", "feedback", "parity", "students", "targets", "teachers")
BASE = {
    "cache",
    "catalog",
    "errors",
    "hub",
    "interrupt",
    "distributed",
    "number_words",
    "progress",
    "records",
    "runs",
    "intervals",
    "yaml_errors",
    "safetensors_folder",
}
SHARED_WITH_BOARDS = {"ondevice"}
EXCEPTIONS = {"parity": {"students", "targets"}}
TORCH_ROOMS = {"students", "parity"}
HEAVY = {
    "torch",
    "transformers",
    "peft",
    "llama_cpp",
    "onnxruntime",
    "pydantic",
    "yaml",
    "rich",
    "numpy",
    "pyarrow",
    "huggingface_hub",
}


def imports_of(path: Path) -> set[str]:
    """Absolute module names a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_of(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports_of(path) if name.startswith("fdd_edge.")}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_only_records_runs_and_errors(room: str) -> None:
    files = sorted((PACKAGE / room).rglob("*.py"))
    assert files
    allowed = {room} | BASE | SHARED_WITH_BOARDS | EXCEPTIONS.get(room, set())
    for path in files:
        assert rooms_of(path) - allowed == set(), path


@pytest.mark.parametrize("low", sorted(BASE))
def test_the_ground_floor_imports_no_room(low: str) -> None:
    place = PACKAGE / low
    for path in place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]:
        assert rooms_of(path) <= BASE | {"__version__"}, path


UPPER_FLOORS = ("resolve", "operations", "config", "pipeline", "api", "cli")
"""From low to high; a floor imports no higher one, and stages and rooms never see the config."""


@pytest.mark.parametrize("floor", UPPER_FLOORS)
def test_an_upper_floor_imports_no_higher_one(floor: str) -> None:
    higher = set(UPPER_FLOORS[UPPER_FLOORS.index(floor) + 1 :])
    place = PACKAGE / floor
    for path in place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]:
        assert not rooms_of(path) & higher, path


def test_only_ondevice_imports_relatively() -> None:
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        relative = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level > 0]
        assert not relative or path.is_relative_to(PACKAGE / "ondevice"), path


def test_only_the_torch_rooms_import_torch() -> None:
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0]
        if room not in TORCH_ROOMS:
            assert not {name.split(".")[0] for name in imports_of(path)} & {"torch", "transformers", "peft"}, path


def test_nobody_runs_text_as_code() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile", "__import__"}, path


@pytest.mark.parametrize("arguments", [["--help"], ["ls", "--help"], ["run", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from fdd_edge.cli import cli\n"
        f"result = CliRunner().invoke(cli, {arguments!r})\n"
        "assert result.exit_code == 0, result.output\n"
        f"print(sorted(set(sys.modules) & {HEAVY!r}))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
