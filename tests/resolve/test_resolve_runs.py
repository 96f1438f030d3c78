"""A run that is named where a model is wanted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")

from fdd_edge.errors import FddError
from fdd_edge.resolve.model import open_float_model
from fdd_edge.resolve.model_file import find_model_file
from fdd_edge.resolve.student import Student
from fdd_edge.runs import RunLayout


@pytest.fixture
def run(tiny_student: Student, tmp_path: Path) -> RunLayout:
    """A run with a merged student, whose manifest is lost."""
    layout = RunLayout(tmp_path / "run")
    shutil.copytree(tiny_student.folder, layout.round(0).merged)
    layout.config.touch()
    layout.link_best("round-00")
    return layout


@pytest.mark.parametrize("name", ["", "round-00"])
def test_a_run_without_its_manifest_is_named_as_such(run: RunLayout, name: str) -> None:
    """`export` ended in a KeyError, and `solve` looked for a file that no run has."""
    message = r"manifest\.json is missing\. Restore it, or make every stage of the run again: fdd-edge run /"
    with pytest.raises(FddError, match=message):
        find_model_file(str(run.root / name))
    with pytest.raises(FddError, match=message):
        open_float_model(str(run.root / name), prompt=None)
