"""A board has the standard library, numpy and a runtime; the folder must not import anything else."""

import ast
import sys
from pathlib import Path

import pytest

import fdd_edge.ondevice

ROOT = Path(fdd_edge.ondevice.__file__).parent
# tokenizers goes with onnxruntime, which knows no text; jinja2 renders chat templates.
ALLOWED = sys.stdlib_module_names | {"numpy", "llama_cpp", "onnxruntime", "tokenizers", "jinja2"}
SOURCES = sorted(ROOT.rglob("*.py"))


def test_there_are_sources() -> None:
    assert len(SOURCES) > 10


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_stay_on_the_board(path: Path) -> None:
    depth = len(path.relative_to(ROOT).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level <= depth, f"line {node.lineno} leaves the folder"
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] in ALLOWED, f"line {node.lineno}"
        elif isinstance(node, ast.Import):
            assert all(name.name.partition(".")[0] in ALLOWED for name in node.names), f"line {node.lineno}"
