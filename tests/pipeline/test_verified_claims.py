"""``fdd-edge verify`` on what a run says about itself: its figures, its best round, its config, what was deleted."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import fdd_edge
from forgery import forge, forge_manifest, lie, rewrite
from smoke import Finished

from fdd_edge import FddError, api

pytestmark = pytest.mark.slow


@pytest.fixture
def run(smoke: Finished, tmp_path: Path) -> Path:
    return smoke.copy(tmp_path)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda row: row.update(loss=[9.0, 0.1]), "loss"),
        (lambda row: row.update(valid_loss=0.01), "valid_loss"),
        (lambda row: row["split"].update(easy=99), "split"),
        (lambda row: row["labelled"].update(seed_pass_rate=0.99), "labelled"),
        (lambda row: row["data"].update(seed=9999), "data"),
        (lambda row: row.update(accepted={"complex": 999}), "accepted"),
        (lambda row: row.update(curation=[]), "curation"),
        (lambda row: row.update(gates=["gates.min_accuracy"]), "gates"),
        (lambda row: row.update(held_back=["it is worse"]), "held_back"),
        (lambda row: row["measured"][0].update(decode_tokens_per_second=9999.0), "measured"),
        (lambda row: row["parity"].update({"gguf-q6_k": []}), "parity"),
        (lambda row: row.update(rounds=1), "rounds"),
        (lambda row: row.pop("operations"), "operations"),
        (lambda row: row.update(award="best"), "award"),
    ],
)
def test_each_figure_of_a_round_is_computed_again(change: Callable[[Any], object], key: str, run: Path) -> None:
    rewrite(run / "round-01/summary.json", change)
    found = lie(api.verify(run))
    assert found.what == "round-01/summary.json"
    assert found.says == f"says something else about {key} than the files of the round"


def test_best_is_the_round_that_the_gates_make_the_best(run: Path) -> None:
    (run / "best").unlink()
    assert lie(api.verify(run)).says == "is missing, and the best round is round-01"
    (run / "best").symlink_to("round-00")
    for path in (run, run / "best"):
        found = lie(api.verify(path))
        assert (found.what, found.says) == ("best", "leads to round-00, and the best round is round-01")


def test_a_config_that_was_changed_is_found(run: Path) -> None:
    config = run / "config.yaml"
    config.write_text(config.read_text() + "\n")
    found = lie(api.verify(run))
    assert (found.what, found.says) == ("config.yaml", "is not the file that was written")


def test_a_config_whose_hash_no_manifest_states_is_compared_with_what_it_does_state(run: Path) -> None:
    """Runs of an earlier version have none."""
    forge_manifest(run, lambda content: content["facts"].pop("config"))
    by_place = {finding.what: finding for finding in api.verify(run)}
    assert by_place["config.yaml"].says == "does not contradict the manifest, which states no hash of it"
    assert by_place["round-01/summary.json"].holds
    config = run / "config.yaml"
    config.write_text(config.read_text() + "seed: 7\n")
    assert lie(api.verify(run)).says == "says something else about seed than the manifest"


def test_a_round_that_is_missing_or_invented_is_found(run: Path) -> None:
    summary = run / "round-01/summary.json"
    (run / "round-02").mkdir()
    shutil.copy(summary, run / "round-02/summary.json")
    found = lie(api.verify(run))
    assert (found.what, found.says) == (
        "round-02/summary.json",
        "is of a round that the manifest does not call finished",
    )
    shutil.rmtree(run / "round-02")
    summary.unlink()
    found = lie(api.verify(run))
    assert (found.what, found.says) == ("round-01/summary.json", "is missing, and the round is finished")


@pytest.mark.parametrize("name", ["merged", "data", "adapter", "own", "split", "evolved", "curated", "imatrix.gguf"])
def test_every_folder_that_no_stage_wrote_is_found(name: str, run: Path) -> None:
    (run / "round-09").mkdir()
    (run / "round-09" / name).mkdir()
    (run / "round-09" / name / ".finished").write_text(f"{'0' * 64}\n{'0' * 64}\n[]")
    found = lie(api.verify(run))
    assert (found.what, found.says) == (f"round-09/{name}", "is not in the manifest, so no run wrote it")


def test_a_folder_inside_of_what_a_stage_wrote_is_verified_with_it(run: Path) -> None:
    held_out = run / "data/eval"
    assert {finding.what for finding in api.verify(held_out)} == {"manifest.json", "data"}
    rows = next(held_out.glob("*.jsonl"))
    rows.write_text(rows.read_text() + "\n")
    assert lie(api.verify(held_out)).what == "data"


@pytest.mark.parametrize("name", ["round-09", "round-01/notes", "round-01/data/sub"])
def test_a_folder_in_which_no_stage_wrote_anything_is_refused(name: str, run: Path) -> None:
    (run / name).mkdir()
    with pytest.raises(FddError, match="holds nothing that a finished stage wrote"):
        api.verify(run / name)
    assert fdd_edge("verify", run / name).returncode == 2


def test_what_is_called_deleted_and_is_there_is_compared(run: Path) -> None:
    merged = run / "round-00/merged"
    merged.mkdir()
    (merged / "notes.txt").write_text("mine")
    by_place = {finding.what: finding for finding in api.verify(run / "round-00")}
    assert by_place["round-00/merged"].says == "deleted to save space (`keep`); notes.txt in it is not the run's"
    assert not [finding for finding in by_place.values() if finding.holds is False], "a stray file is no lie"
    (merged / "model.safetensors").write_bytes(b"another one")
    found = lie(api.verify(run))
    assert found.what == "round-00/merged"
    assert found.says.startswith("is called deleted in the manifest, but is there, and lacks ")


def test_data_cannot_be_called_deleted(run: Path) -> None:
    name = "round-01/data"
    train = run / name / "train.jsonl"
    train.write_text(train.read_text() + train.read_text())
    forge_manifest(run, lambda content: content["stages"][name].update(pruned=True))
    assert lie(api.verify(run)).says.startswith("is called deleted in the manifest, but is there, and is not what")
    shutil.rmtree(run / name)
    assert lie(api.verify(run)).says.endswith("a run deletes only models")
    rewrite(run / "manifest.json", lambda content: content.pop("sha256"))
    found = lie(api.verify(run))
    assert (found.what, found.says) == ("manifest.json", "states no hash of its own, so it was changed")


def test_an_artifact_that_is_called_deleted_is_made_again(run: Path) -> None:
    name = "round-01/artifacts/gguf-q4_0"
    weights = bytearray((run / name / "model.gguf").read_bytes())
    weights[-7] ^= 1
    (run / name / "model.gguf").write_bytes(weights)
    forge(run, downstream=True)
    forge_manifest(run, lambda content: content["stages"][name].update(pruned=True))
    assert lie(api.verify(run)).says.startswith("is not what gguf-q4_0 makes of gguf-f32")


def test_a_full_disk_is_one_sentence(run: Path) -> None:
    """Of the temporary folder, where artifacts are made again: `ulimit -f` stands for it here."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        ran = fdd_edge("verify", run / "round-01/artifacts")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert ran.returncode == 2
    assert ran.stderr.startswith("Error: File too large: ")
    assert len(ran.stderr.splitlines()) <= 2


def test_a_line_break_in_a_strangers_file_name_is_escaped(run: Path) -> None:
    (run / "round-01/data/a\nError: all is well").touch()
    ran = fdd_edge("verify", run, "--json")
    assert ran.returncode == 4
    assert len(ran.stderr.splitlines()) == 1
    assert "a\\nError: all is well" in ran.stderr
