"""A whole run that reports to a tracker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import smoke

from fdd_edge.operations.training_record import read_training
from fdd_edge.resolve.student import Student
from fdd_edge.runs import RunLayout

pytestmark = pytest.mark.slow

SMALL = ("--set", "rounds=1", "--set", "export.recipes=[gguf-q8_0]", "--set", "training.num_train_epochs=1")
QUICK = ("--set", 'data.train=[{path: "symbolic:train", limit: 40}]', "--set", "feedback.limit=8", "--no-parity")


def test_a_run_reports_losses_and_figures_and_may_stop_to(tiny_student: Student, tmp_path: Path) -> None:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs: pip install tensorboard"
    )
    out = tmp_path / "run"
    ran = smoke.run(out, *SMALL, *QUICK, "--set", "training.report_to=[tensorboard]")
    assert ran.returncode == 0, ran.stderr
    round_dir = RunLayout(out).round(0)
    events = accumulator.EventAccumulator(str(RunLayout(out).tensorboard / "round-00"), size_guidance={"scalars": 0})
    events.Reload()
    trained, summary = read_training(round_dir.adapter), json.loads(round_dir.summary.read_text())
    assert [one.value for one in events.Scalars("train/loss")] == pytest.approx(trained.losses)
    (accuracy,) = events.Scalars("accuracy/valid/gguf-q8_0")
    (valid,) = (row for row in summary["evaluations"] if row["dataset"] == "valid")
    assert (accuracy.step, accuracy.value) == (trained.steps, pytest.approx(valid["correct"] / valid["n"]))

    before = smoke.digests(out)
    again = smoke.run(out, *SMALL, *QUICK)
    assert again.returncode == 0, again.stderr
    assert "made again" not in again.stderr
    assert smoke.digests(out) == before
