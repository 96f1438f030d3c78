"""`fdd-edge train` resumes: a finished adapter is kept when only the merge was interrupted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fdd_edge
from fdd_edge.operations import fine_tune as module
from fdd_edge.operations.fine_tune import fine_tune
from fdd_edge.operations.train import TrainingSetup
from fdd_edge.records import Problem
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.runs.atomic import partial_of
from fdd_edge.students.training_options import LoraOptions, TrainingOptions

PROBLEM = Problem("a", "Ann has 4 pens and finds 5. How many pens?", 9, "own", program="answer = 4 + 5")
SETUP = TrainingSetup(LoraOptions(r=2), TrainingOptions(threads=1), "float32", seed=0)


@pytest.fixture
def interrupt_merge(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Path], bytes]:
    """Return a function that trains but dies while merging; it returns the weights of the adapter."""

    def killed(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    def start(folder: Path, out: Path) -> bytes:
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(module, "merge", killed)
            fine_tune([PROBLEM], out, open_student(str(folder)), "plain", SETUP)
        trace = partial_of(out) / "adapter" / "training.json"
        trace.write_text(json.dumps(json.loads(trace.read_text()) | {"examples": 77}))  # a new training would say 1
        return (partial_of(out) / "adapter" / "adapter_model.safetensors").read_bytes()

    return start


def test_an_edited_generation_config_keeps_the_finished_adapter(
    tiny_student: Student, tmp_path: Path, interrupt_merge: Callable[[Path, Path], bytes]
) -> None:
    folder, out = shutil.copytree(tiny_student.folder, tmp_path / "student"), tmp_path / "out"
    adapter = interrupt_merge(folder, out)
    config = folder / "generation_config.json"
    kept = json.loads(config.read_text()) if config.is_file() else {}
    config.write_text(json.dumps(kept | {"temperature": 0.7, "do_sample": True}))
    (folder / "README.md").write_text("# Edited\n")
    fine_tune([PROBLEM], out, open_student(str(folder)), "plain", SETUP)
    assert (out / "adapter" / "adapter_model.safetensors").read_bytes() == adapter
    assert json.loads((out / "adapter" / "training.json").read_text())["examples"] == 77
    assert (out / "merged" / "model.safetensors").is_file()


def test_changed_weights_train_a_new_adapter(
    tiny_student: Student, tmp_path: Path, interrupt_merge: Callable[[Path, Path], bytes]
) -> None:
    from safetensors.torch import load_file, save_file

    folder, out = shutil.copytree(tiny_student.folder, tmp_path / "student"), tmp_path / "out"
    interrupt_merge(folder, out)
    weights = folder / "model.safetensors"
    save_file({name: tensor * 1.5 for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    fine_tune([PROBLEM], out, open_student(str(folder)), "plain", SETUP)
    assert json.loads((out / "adapter" / "training.json").read_text())["examples"] == 1


def test_the_api_returns_what_it_left_out(tiny_student: Student, tmp_path: Path) -> None:
    rows = [
        {"question": PROBLEM.question, "answer": 9, "program": PROBLEM.program},
        {"question": "Bo has 4 pens and finds 2. How many pens?", "answer": 6, "program": "answer = 99"},
        {"question": "Cy has 4 pens and finds 3. How many pens?", "answer": 7},
    ]
    overrides = [f"student.model_name_or_path={tiny_student.folder}", "training.num_train_epochs=1"]
    made = fdd_edge.train("smoke", rows, tmp_path / "out", overrides=overrides)
    assert made.left_out == {"wrong_answer": 1, "no_rationale": 1}
    assert json.loads((made.adapter / "training.json").read_text())["examples"] == 1
