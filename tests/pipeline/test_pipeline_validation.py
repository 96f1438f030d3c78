"""``fdd-edge validate``: all that a start checks, and nothing that a start writes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import fdd_edge as command
from fault_server import serve
from smoke import Finished
from teaching_server import written

import fdd_edge
from fdd_edge.config_file import load_config
from fdd_edge.errors import EndpointError, FddError
from fdd_edge.pipeline.run import Run
from fdd_edge.pipeline.start import started
from fdd_edge.records import read_problems, write_jsonl
from fdd_edge.runs import run_lock
from fdd_edge.runs.manifest import StageEntry


def files_of(folder: Path) -> dict[Path, int]:
    """Return every file of a folder, with the time of its last change."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@contextmanager
def begun(out: Path, *settings: str) -> Iterator[Run]:
    """Start the smoke run in a folder, and yield it before it does any work."""
    config, source = load_config("smoke", [f"output_dir={out}", *settings])
    with started(config, source, parity=False) as run:
        yield run


def note_made(run: Run, *outputs: Path) -> None:
    """Let a run say that it has made these outputs."""
    for output in outputs:
        name = output.relative_to(run.layout.root).as_posix()
        run.manifest.stages[name] = StageEntry("0" * 64, 1, {}, {}, "0" * 64, 1.0)
    run.manifest.write()


def test_a_valid_config_is_described_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    valid = fdd_edge.validate("smoke")
    assert (valid.name, valid.student, valid.rounds_done) == ("smoke", "tiny", 0)
    assert valid.parameters > 10_000
    assert set(valid.problems) == {"train", "valid", "symbolic-heldout"}
    assert all(n > 0 for n in valid.problems.values())
    assert valid.targets == ("local",)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_run_folder_stays_as_it_is(smoke: Finished) -> None:
    before = files_of(smoke.out)
    assert fdd_edge.validate(smoke.out).rounds_done == len(fdd_edge.load_run(smoke.out).rounds)
    assert files_of(smoke.out) == before
    with pytest.raises(FddError, match=r"holds a run with other settings: seed is"):
        fdd_edge.validate(smoke.out, overrides="seed=99")


def test_faults_that_only_a_start_finds_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for setting, said in (
        ("lora.target_modules=[qproj]", r"names 'qproj', which tiny does not have"),
        ("data.eval=[{path: gone.jsonl}]", r"data\.eval\.0: gone\.jsonl"),
    ):
        with pytest.raises(FddError, match=said):
            fdd_edge.validate("smoke", overrides=setting)
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_there_is_and_what_to_do_next(tmp_path: Path) -> None:
    ran = command("validate", "smoke", "--set", "seed=3", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("smoke is valid.\n")
    assert "fdd-edge plan smoke --set seed=3" in ran.stdout
    listed = json.loads(command("validate", "smoke", "--json", cwd=tmp_path).stdout)
    assert listed["output"] == "runs/smoke"
    assert command("validate", "smoke", "--set", "rounds=0", cwd=tmp_path).returncode == 2


def test_a_begun_run_is_only_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its problems are those of the copy that the trial start reads: nothing is made again."""
    with begun(tmp_path / "run") as run:
        n = len(read_problems(run.layout.seed_problems))
    before, _ = files_of(tmp_path), capfd.readouterr()
    assert fdd_edge.validate(tmp_path / "run").problems["train"] == n
    assert "again" not in capfd.readouterr().err
    assert files_of(tmp_path) == before


def test_a_run_that_another_process_works_on_is_not_valid(tmp_path: Path) -> None:
    """It was called valid, and its start then refused."""
    with begun(tmp_path / "run") as run:
        pass
    before = files_of(tmp_path)
    with run_lock(run.layout.lock):
        held = files_of(tmp_path)
        with pytest.raises(FddError) as caught:
            fdd_edge.validate(tmp_path / "run")
        assert files_of(tmp_path) == held
    assert str(caught.value) == f"{tmp_path / 'run'} is in use by process {os.getpid()}; wait for it, or stop it."
    assert before.keys() == files_of(tmp_path).keys()
    assert fdd_edge.validate(tmp_path / "run").rounds_done == 0


def test_what_the_manifest_of_a_run_says_is_checked(tmp_path: Path) -> None:
    """A trial start in an empty folder had no manifest, so its threads could not contradict the config."""
    with begun(tmp_path / "run", "decoding.threads=2") as run:
        run.manifest.facts["threads"] = 1
        run.manifest.write()
    with pytest.raises(FddError) as caught:
        fdd_edge.validate(tmp_path / "run")
    assert str(caught.value).startswith(f"{run.layout.manifest} is damaged (facts.threads is 1, but the run has")


def test_a_reserve_that_is_too_small_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a run was not read, and of a new one only after its teachers had been paid."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FddError, match=r"at most 60, to be labelled .* 2 rounds with feedback\.limit 31 need 62\."):
        fdd_edge.validate("smoke", overrides=["feedback.pool=fresh", "feedback.limit=31"])
    assert list(tmp_path.iterdir()) == []
    with begun(tmp_path / "run", "feedback.pool=fresh", "feedback.limit=20") as run:
        write_jsonl(run.layout.round(0).reserve, (p.to_row() for p in read_problems(run.layout.seed_problems)[:45]))
    before = files_of(tmp_path)
    assert fdd_edge.validate(tmp_path / "run").rounds_done == 0
    with pytest.raises(FddError, match=r"half of the seed problems, 45, .* 3 rounds with feedback\.limit 20 need 60"):
        fdd_edge.validate(tmp_path / "run", overrides="rounds=3")
    assert files_of(tmp_path) == before


def test_only_teachers_that_will_be_asked_must_answer(tmp_path: Path) -> None:
    """A finished run was not valid once the server of its teacher had stopped, although `run` needs none."""
    with serve(reply=written) as server:
        models = f"{{mini: {{base_url: '{server.url}', model: tiny}}}}"
        with begun(tmp_path / "run", "teacher.evolve=mini", f"teacher.models={models}") as run:
            pass
        assert fdd_edge.validate(tmp_path / "run").teachers == ("annotated", "symbolic", "mini")
    with pytest.raises(EndpointError):
        fdd_edge.validate(tmp_path / "run")
    layout = run.layout
    note_made(run, layout.validation, layout.round(0).data, *(layout.round(n).offspring for n in (0, 1)))
    assert fdd_edge.validate(tmp_path / "run").teachers == ("annotated", "symbolic", "mini")


def test_a_run_that_would_repeat_itself_asks_no_teacher(tmp_path: Path) -> None:
    with serve(reply=written) as server:
        models = f"{{mini: {{base_url: '{server.url}', model: tiny}}}}"
        with begun(tmp_path / "run", "teacher.evolve=mini", f"teacher.models={models}") as run:
            first = run.layout.round(0)
            note_made(run, run.layout.validation, first.data, first.offspring)
    with pytest.raises(EndpointError):
        fdd_edge.validate(tmp_path / "run")
    first.root.mkdir()
    first.summary.write_text('{"would_repeat": "Round 1 would repeat round 0."}')
    assert fdd_edge.validate(tmp_path / "run").rounds_done == 1


def test_the_prompts_that_a_run_began_with_are_held_to(tmp_path: Path) -> None:
    """Edited ones were read as those of a new run."""
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    (prompts / "system.txt").write_text("You write problems.")
    with serve(reply=written) as server:
        models = f"{{mini: {{base_url: '{server.url}', model: tiny}}}}"
        settings = ("teacher.evolve=mini", f"teacher.models={models}", f"teacher.prompts={prompts}")
        with begun(tmp_path / "run", *settings) as run:
            run.layout.round(0).adapter.mkdir(parents=True)
        assert fdd_edge.validate(tmp_path / "run").rounds_done == 0
        (prompts / "system.txt").write_text("You write other problems.")
        with pytest.raises(FddError, match=r"system\.txt is not as it was when the run began"):
            fdd_edge.validate(tmp_path / "run")


def test_a_fault_of_the_copy_is_named_in_the_run(tmp_path: Path) -> None:
    with begun(tmp_path / "run", "feedback.pool=fresh", "feedback.limit=20") as run:
        reserve = run.layout.round(0).reserve
        reserve.parent.mkdir(parents=True)
        reserve.write_text("<html>\n")
    with pytest.raises(FddError) as caught:
        fdd_edge.validate(tmp_path / "run")
    assert str(reserve) in str(caught.value)
