"""Listing runs: those in a folder, how far they are, and what is not one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import fdd_edge
from kept import made_run

from fdd_edge import api
from fdd_edge.runs import RunLayout
from fdd_edge.runs.lock import run_lock


def listed(root: Path, *, config: str = "student: {model_name_or_path: tiny}\nrounds: 1\n") -> Path:
    run = made_run(root)
    (run / "config.yaml").write_text(config)
    (run / "round-00" / "summary.json").write_text(json.dumps({"labelled": {"valid": 0.25}}))
    return run


def test_runs_are_listed_with_student_rounds_accuracy_and_state(tmp_path: Path) -> None:
    done = listed(tmp_path / "done")
    (done / "best").symlink_to("round-00")
    listed(tmp_path / "deeper" / "stopped", config="student: {model_name_or_path: tiny}\n")
    broken = listed(tmp_path / "broken", config="<html>")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.yaml").write_text("a: 1\n")  # of another tool
    found = {run.path.name: run for run in api.list_runs(tmp_path)}
    assert set(found) == {"done", "stopped", "broken"}
    assert found["done"].to_dict() == {
        "path": str(done),
        "student": "tiny",
        "finished": 1,
        "rounds": 1,
        "best": 0,
        "accuracy": 0.25,
        "state": "finished",
    }
    assert (found["stopped"].rounds, found["stopped"].state, found["stopped"].best) == (2, "stopped", None)
    assert (found["broken"].student, found["broken"].state) == (None, "damaged")
    shown = fdd_edge("ls", "runs", tmp_path).stdout
    assert "1 of 1  round 0        25.0  finished" in shown
    assert json.loads(fdd_edge("ls", "runs", broken, "--json").stdout)["runs"][0]["state"] == "damaged"


def test_a_run_that_a_process_works_on_is_running(tmp_path: Path) -> None:
    run = RunLayout(listed(tmp_path / "run"))
    with run_lock(run.lock):
        assert [one.state for one in api.list_runs(run.root)] == ["running"]
    before = run.lock.read_bytes()
    assert [one.state for one in api.list_runs(run.root)] == ["finished"]
    assert run.lock.read_bytes() == before
    run.lock.unlink()
    assert [one.state for one in api.list_runs(run.root)] == ["finished"]
    assert not run.lock.exists()


@pytest.mark.parametrize(
    "summary", ["<html>", "{}", '{"labelled": 5}', '{"labelled": {"valid": "x"}}', '{"labelled": {"valid": []}}']
)
def test_figures_of_another_version_are_left_out(tmp_path: Path, summary: str) -> None:
    run = listed(tmp_path / "run")
    (run / "round-00" / "summary.json").write_text(summary)
    (run / "best").symlink_to("round-00")
    assert [(one.best, one.accuracy) for one in api.list_runs(run)] == [(0, None)]


def test_what_is_no_folder_of_runs_is_one_sentence(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<html>")
    for words, code, said in (
        (("runs", page), 2, "page.html is not a folder; name one with runs."),
        (("runs", tmp_path / "none"), 2, "none does not exist; name one with runs."),
        (("recipes", tmp_path), 2, "FOLDER applies to `fdd-edge ls runs` only."),
    ):
        ran = fdd_edge("ls", *words)
        assert ran.returncode == code
        assert said in ran.stderr
    empty = fdd_edge("ls", "runs", tmp_path)
    assert (empty.returncode, empty.stdout.split()[:5]) == (0, ["There", "is", "no", "run", "in"])
    assert fdd_edge("ls", "runs", cwd=tmp_path).stdout.startswith("There is no run in . or its subfolders;")
    assert list(tmp_path.iterdir()) == [page]


@pytest.mark.parametrize("target", ["best", "round-x", "gone"])
def test_a_broken_link_to_the_best_round_ends_no_list(tmp_path: Path, target: str) -> None:
    """One such run ended the list of all with a traceback."""
    run = listed(tmp_path / "run")
    (run / "best").symlink_to(target)
    (run / "round-x").mkdir()
    (run / "round-x" / "summary.json").write_text("{}")
    (found,) = api.list_runs(tmp_path)
    assert (found.finished, found.best) == (1, None)
    assert fdd_edge("rows", run).returncode == 0


@pytest.mark.parametrize(
    ("rounds", "says", "state"),
    [
        (3, {}, "stopped"),
        (3, {"would_repeat": "Round 1 would repeat round 0."}, "finished"),
        (3, {"would_repeat": "Round 1 would repeat round 0.", "untuned_follows": True}, "stopped"),
        (1, {"untuned_follows": True}, "stopped"),
        (1, {"untuned_follows": False, "would_repeat": None}, "finished"),
    ],
)
def test_a_run_is_finished_when_nothing_is_left_to_do(
    tmp_path: Path, rounds: int, says: dict[str, object], state: str
) -> None:
    """One that would repeat itself was called stopped, and one that was killed before its baseline finished."""
    run = listed(tmp_path / "run", config=f"student: {{model_name_or_path: tiny}}\nrounds: {rounds}\n")
    (run / "round-00" / "summary.json").write_text(json.dumps({"labelled": {"valid": 0.25}, **says}))
    assert [one.state for one in api.list_runs(run)] == [state]


def test_a_run_that_was_not_begun_has_nothing_finished(tmp_path: Path) -> None:
    run = listed(tmp_path / "run")
    (run / "round-00" / "summary.json").unlink()
    assert [(one.finished, one.state) for one in api.list_runs(run)] == [(0, "stopped")]
