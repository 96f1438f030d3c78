"""Folders and files that somebody else made, under names that this tool uses: left alone, and never written through."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fdd_edge.errors import FddError
from fdd_edge.records import write_jsonl
from fdd_edge.runs import Manifest, RunLayout, Stages, run_lock, write_atomic
from fdd_edge.runs.atomic import partial_of, publish, scratch_folder
from fdd_edge.runs.stage import build_atomic

HOLD = """
import sys
from pathlib import Path
from fdd_edge.runs.atomic import scratch_folder
with scratch_folder(Path(sys.argv[1])) as work:
    (work / "half").touch()
    print(work, flush=True)
    sys.stdin.read()
"""


def hold(output: Path) -> tuple[subprocess.Popen[str], Path]:
    """Start a process that holds a scratch folder; return it and the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(output)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def make(out: Path) -> None:
    (out / "x").write_text("made", encoding="utf-8")


@pytest.mark.parametrize("name", [".models-2023-backup", ".models-999999-abc", ".models-abcdefgh"])
def test_a_users_folder_named_like_a_scratch_folder_is_left_alone(tmp_path: Path, name: str) -> None:
    """A year in a name was taken for the id of a process that no longer runs, and the folder was deleted."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.txt").write_text("years of work")
    with scratch_folder(tmp_path / "models"):
        pass
    assert (tmp_path / name / "thesis.txt").read_text() == "years of work"


def test_a_link_to_a_scratch_folder_is_left_alone(tmp_path: Path) -> None:
    process, left = hold(tmp_path / "elsewhere" / "models")
    process.kill()
    process.communicate()
    (tmp_path / ".models-abcdefgh").symlink_to(left)
    with scratch_folder(tmp_path / "models"):
        pass
    assert (left / "half").is_file()


def test_a_scratch_folder_of_a_killed_process_is_deleted_and_one_in_use_refused(tmp_path: Path) -> None:
    process, left = hold(tmp_path / "models")
    with pytest.raises(FddError, match=r"Another process is writing to .*models; wait for it"):
        scratch_folder(tmp_path / "models").__enter__()
    with scratch_folder(tmp_path / "models-2"), scratch_folder(tmp_path / "mod"):
        pass  # other outputs
    assert (left / "half").is_file()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with scratch_folder(tmp_path / "models") as work, scratch_folder(tmp_path / "models"):
        assert not left.exists()
    assert not work.exists()


def test_what_appeared_during_an_export_is_not_replaced(tmp_path: Path) -> None:
    for name in ("full", "empty", "file"):
        (tmp_path / f"built-{name}").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").symlink_to("nowhere")
    for name in ("full", "empty", "file"):
        with pytest.raises(FddError, match="already exists"):
            publish(tmp_path / f"built-{name}", tmp_path / name)


def test_unfinished_work_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    """A folder `.out.partial` of the user's was deleted when an output `out` was made."""
    partial = partial_of(tmp_path / "out")
    partial.mkdir()
    (partial / "notes.txt").write_text("mine")
    with pytest.raises(FddError, match=r"\.out\.partial is in the way, and fdd-edge did not make it; move it"):
        build_atomic(tmp_path / "out", make)
    stages = Stages(tmp_path, Manifest(tmp_path / "manifest.json"))
    with pytest.raises(FddError, match="is in the way"):
        stages.ensure(tmp_path / "out", make, version=1, inputs={})
    assert (partial / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("kind", ["file", "link to a folder", "link to nothing"])
def test_a_name_of_unfinished_work_that_is_no_folder_is_left_alone(tmp_path: Path, kind: str) -> None:
    partial = partial_of(tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ".fingerprint").write_text("?")
    if kind == "file":
        partial.write_text("mine")
    else:
        partial.symlink_to("mine" if kind == "link to a folder" else "nowhere")
    with pytest.raises(FddError, match="is in the way"):
        build_atomic(tmp_path / "out", make)
    assert os.path.lexists(partial)
    assert (tmp_path / "mine" / ".fingerprint").read_text() == "?"


def test_unfinished_work_of_other_settings_is_not_part_of_an_output(tmp_path: Path) -> None:
    def stop(out: Path) -> None:
        make(out)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_atomic(tmp_path / "out", stop, seed=1)
    build_atomic(tmp_path / "out", lambda out: (out / "y").touch(), seed=2)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["y"]


def test_resumed_work_that_holds_a_link_is_refused(tmp_path: Path) -> None:
    """A journal that is a link to another file of the user's would be overwritten."""
    keys = tmp_path / "authorized_keys"
    keys.write_text("my key")

    def stop(out: Path) -> None:
        (out / "journal.jsonl").symlink_to(keys)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_atomic(tmp_path / "out", stop)
    with pytest.raises(FddError, match=r"journal\.jsonl is a link, and fdd-edge makes none there"):
        build_atomic(tmp_path / "out", make)
    assert keys.read_text() == "my key"


def test_an_output_in_which_something_appeared_is_not_deleted(tmp_path: Path) -> None:
    """What was put into the empty output while it was being made was deleted with it."""

    def slow(out: Path) -> None:
        make(out)
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine").touch()

    with pytest.raises(FddError, match=r"out is no longer empty; what was made is in .*\.out\.partial"):
        build_atomic(tmp_path / "out", slow)
    assert (tmp_path / "out" / "mine").exists()
    assert (partial_of(tmp_path / "out") / "x").exists()


WRITERS: dict[str, Callable[[Path], None]] = {
    "text": lambda path: write_atomic(path, "new"),
    "rows": lambda path: write_jsonl(path, [{"new": 1}]),
    "manifest": lambda path: Manifest(path).write(),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_is_never_written_through_a_link(tmp_path: Path, writer: str) -> None:
    keys, path = tmp_path / "keys", tmp_path / "file.json"
    keys.write_text("my key")
    partial_of(path).symlink_to(keys)
    with pytest.raises(FddError, match="is in the way"):
        WRITERS[writer](path)
    partial_of(path).unlink()
    os.link(keys, partial_of(path))  # left by a killed process, or a second name of the user's file
    WRITERS[writer](path)
    assert keys.read_text() == "my key"


@pytest.mark.parametrize("kind", ["link", "dangling", "second name", "pipe"])
def test_a_lock_file_that_is_something_else_is_refused(tmp_path: Path, kind: str) -> None:
    """The file behind a link was emptied, and a process id was written to it."""
    keys, lock = tmp_path / "keys", tmp_path / "run" / "lock"
    lock.parent.mkdir()
    keys.write_text("my key")
    match kind:
        case "link":
            lock.symlink_to(keys)
        case "dangling":
            lock.symlink_to(tmp_path / "new")
        case "second name":
            os.link(keys, lock)
        case "pipe":
            os.mkfifo(lock)
    with pytest.raises(FddError, match=r"lock is (a link|not a file that fdd-edge made)"), run_lock(lock):
        pass
    assert keys.read_text() == "my key"
    assert not (tmp_path / "new").exists()


def test_a_lock_file_of_a_stranger_prints_no_more_than_a_number(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text("\x1b[2J" * 1000)
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(FddError, match=r"in use by process \?; wait"), run_lock(lock):
            pass


def test_a_disk_without_locks_is_used_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Some file systems over a network have no locks; a traceback said so."""

    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with run_lock(tmp_path / "run" / "lock"), scratch_folder(tmp_path / "out") as work:
        assert work.is_dir()
    assert "has no locks: do not start a second command on this run" in caplog.text


@pytest.mark.parametrize("name", ["round-00", "round-00/eval", "manifest.json", "config.yaml", "data/valid.jsonl"])
def test_a_run_with_a_link_is_refused(tmp_path: Path, name: str) -> None:
    """What a stage writes or replaces would be somebody's files elsewhere."""
    run, mine = tmp_path / "run", tmp_path / "mine"
    mine.mkdir()
    (run / name).parent.mkdir(parents=True)
    (run / name).symlink_to(mine)
    with pytest.raises(FddError, match=f"{name} is a link, and fdd-edge makes none there"):
        RunLayout(run).refuse_links()


def test_the_link_to_the_best_round_is_allowed_if_it_leads_to_one(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    layout.round(0).root.mkdir()
    layout.link_best("round-00")
    layout.refuse_links()
    for elsewhere in ("..", "../other/round-00", "/etc"):
        layout.link_best(elsewhere)
        with pytest.raises(FddError, match="best does not lead to a round of this run"):
            layout.refuse_links()
    partial_of(layout.best).write_text("mine")
    with pytest.raises(FddError, match="is in the way"):
        layout.link_best("round-00")
