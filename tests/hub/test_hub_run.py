"""A run whose student and data are the hub's: pinned to the commits it began with, whatever happens there."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hub_commands import assert_nowhere, fdd_edge
from hub_server import Hub, serve
from hub_student import safe, sharded

from fdd_edge.resolve.student import Student
from fdd_edge.teachers.symbolic import generate

pytestmark = pytest.mark.slow
pyarrow = pytest.importorskip("pyarrow", reason="needs: pip install 'fdd-edge[hub]'")

TOKEN = "hf_AVerySecretTokenOfTheTests"
SETTINGS = (
    "student.model_name_or_path=owner/tiny",
    "data.train=[{path: school/sums, split: train, name: sums}]",
    "data.valid=[{path: school/sums, split: test, limit: 6}]",
    'data.eval=[{path: "symbolic:heldout", limit: 4}]',
    "export.recipes=[gguf-q8_0]",
    "training.num_train_epochs=1",
    "feedback.limit=8",
)


@pytest.fixture(scope="module")
def hub(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with serve() as running:
        running.push("models/owner/tiny", sharded(tiny_student.folder, tmp_path_factory.mktemp("shards")), token=TOKEN)
        running.push("datasets/school/sums", {"train.parquet": sums(40, 5), "test.parquet": sums(12, 6)}, token=TOKEN)
        yield running


def sums(count: int, seed: int) -> bytes:
    from pyarrow import Table, parquet

    rows = [
        {"question": p.question, "answer": float(p.answer), "program": p.program}
        for p in generate("train", count, seed=seed)
    ]
    file = BytesIO()
    parquet.write_table(Table.from_pylist(rows), file)
    return file.getvalue()


def run(home: Path, hub: Hub, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    ran = fdd_edge(home, hub, "run", "smoke", "-o", "run", "--no-parity", *settings, *more, **environment)
    assert ran.returncode == 0, ran.stderr
    assert TOKEN not in ran.stdout + ran.stderr
    return ran


def facts(home: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((home / "run" / "manifest.json").read_text(encoding="utf-8"))["facts"]
    return content


@pytest.fixture(scope="module")
def home(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one round of a run."""
    home = tmp_path_factory.mktemp("home")
    run(home, hub, "--rounds", "1", HF_TOKEN=TOKEN)
    return home


def test_the_manifest_has_the_commits_and_nothing_has_the_token(hub: Hub, home: Path) -> None:
    student, data = (hub.repos[name].refs["main"] for name in ("models/owner/tiny", "datasets/school/sums"))
    found = facts(home)
    assert found["student"] == {"name": "tiny", "sha256": found["student"]["sha256"], "revision": student}
    assert found["datasets"] == {
        "train/sums": {"id": "school/sums", "revision": data, "license": None},
        "valid/sums": {"id": "school/sums", "revision": data, "license": None},
    }
    assert found["commits"] == {"models/owner/tiny@main": student, "datasets/school/sums@main": data}
    card = json.loads((home / "run" / "round-00" / "merged" / "fdd_edge.json").read_text(encoding="utf-8"))
    assert (card["base"], card["base_revision"]) == ("tiny", student)
    assert hub.fetched() == {"train.parquet", "test.parquet", *safe(hub.repos["models/owner/tiny"].commits[student])}
    assert_nowhere(TOKEN, home)


def test_without_a_network_or_the_token_nothing_changes(hub: Hub, home: Path) -> None:
    asked = len(hub.requests)
    before = facts(home)
    for environment in ({"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        ran = run(home, hub, "--rounds", "1", **environment)
        assert "training" not in ran.stderr
    assert len(hub.requests) == asked
    assert facts(home) == before


def test_a_run_is_validated_with_the_commits_it_began_with(hub: Hub, home: Path) -> None:
    """The branch of today was read instead, and what was downloaded of it was not what the run goes on with."""
    before = facts(home)
    ran = fdd_edge(home, hub, "validate", "run", HF_ENDPOINT="http://127.0.0.1:9")
    assert ran.returncode == 0, ran.stderr
    for name, commit in before["commits"].items():
        assert f"{name}: using commit {commit}, which this run started with\n" in ran.stderr
    assert facts(home) == before


def test_a_branch_that_moved_does_not_change_a_run(hub: Hub, home: Path) -> None:
    """The run continues with the student it started from, with the same bytes, and says so."""
    before, place = facts(home), home / "run" / "round-00"
    merged = (place / "merged" / "model.safetensors").read_bytes()
    shutil.rmtree(place / "merged")
    (home / "run" / "data" / "seed.jsonl").unlink()
    hub.push("models/owner/tiny", {"config.json": "{}", "model.safetensors": "other weights", "tokenizer.json": "{}"})
    hub.push("datasets/school/sums", {"other.jsonl": "{}\n"})
    ran = run(home, hub, "--rounds", "1", HF_TOKEN=TOKEN)
    for name, commit in before["commits"].items():
        assert ran.stderr.count(f"{name}: using commit {commit}, which this run started with\n") == 1
    assert "merging" in ran.stderr
    assert "training" not in ran.stderr
    assert (place / "merged" / "model.safetensors").read_bytes() == merged
    assert facts(home) == before
