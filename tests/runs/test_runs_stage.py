"""A stage is done when its fingerprint is, and whole or absent whatever happens."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fdd_edge.errors import FddError
from fdd_edge.runs import Manifest, PrunedInputError, RunLayout, Stages, run_lock, write_atomic
from fdd_edge.runs.atomic import partial_of
from fdd_edge.runs.stage import build_atomic


def stages(root: Path) -> Stages:
    return Stages(root, Manifest(root / "manifest.json"))


def test_the_second_call_does_nothing(tmp_path: Path) -> None:
    calls: list[Path] = []

    def make(out: Path) -> None:
        calls.append(out)
        (out / "x.txt").write_text("1", encoding="utf-8")

    for expected in (True, False):
        assert stages(tmp_path).ensure(tmp_path / "a" / "out", make, version=1, params={"p": 1}, inputs={}) is expected
    assert len(calls) == 1
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["out"]
    assert [p.name for p in (tmp_path / "a" / "out").iterdir()] == ["x.txt"]


def test_an_interrupt_that_something_swallowed_ends_the_run_at_the_next_stage(tmp_path: Path) -> None:
    """Ctrl-C while a library was being imported was lost now and then, and the run went on to its end."""
    code = f"""
import signal
from pathlib import Path
from fdd_edge import interrupt
from fdd_edge.runs import Manifest, Stages

interrupt.listen()
try:
    signal.raise_signal(signal.SIGINT)
except BaseException:
    print("swallowed", flush=True)
root = Path({str(tmp_path)!r})
stages = Stages(root, Manifest(root / "manifest.json"))
stages.ensure(root / "out", lambda out: out.touch(), version=1, params={{}}, inputs={{}}, is_file=True)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout == "swallowed\n"
    assert "KeyboardInterrupt" in ran.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("change", ["version", "params", "inputs", "output damaged", "output gone"])
def test_a_change_makes_it_again(tmp_path: Path, change: str) -> None:
    source = tmp_path / "in.txt"
    source.write_text("a", encoding="utf-8")
    arguments: dict[str, object] = {"version": 1, "params": {"p": 1}, "inputs": {"in": source}}

    def make(out: Path) -> None:
        out.write_text("made", encoding="utf-8")

    output = tmp_path / "out.txt"
    stages(tmp_path).ensure(output, make, is_file=True, **arguments)  # type: ignore[arg-type]
    if change == "version":
        arguments["version"] = 2
    elif change == "params":
        arguments["params"] = {"p": 2}
    elif change == "inputs":
        source.write_text("b", encoding="utf-8")
    elif change == "output damaged":
        output.write_text("mode", encoding="utf-8")
    else:
        output.unlink()
    assert stages(tmp_path).ensure(output, make, is_file=True, **arguments)  # type: ignore[arg-type]
    assert output.read_text(encoding="utf-8") == "made"


def test_an_interrupted_stage_leaves_no_output_and_its_work_is_handed_over(tmp_path: Path) -> None:
    def fail(out: Path) -> None:
        (out / "half").write_text("1", encoding="utf-8")
        raise KeyboardInterrupt

    def go_on(out: Path) -> None:
        assert (out / "half").exists()

    def start_anew(out: Path) -> None:
        assert not (out / "half").exists()

    output = tmp_path / "out"
    for params, then in (({"p": 1}, go_on), ({"p": 2}, start_anew)):
        with pytest.raises(KeyboardInterrupt):
            stages(tmp_path).ensure(output, fail, version=1, params={"p": 1, "again": params["p"]}, inputs={})
        same = {"p": 1, "again": params["p"]} if then is go_on else {"p": 3}
        assert stages(tmp_path).ensure(output, then, version=1, params=same, inputs={})


def test_a_pruned_output_counts_as_made_until_it_is_restored(tmp_path: Path) -> None:
    def make(out: Path) -> None:
        (out / "big").write_text("1", encoding="utf-8")

    model, after = tmp_path / "model", tmp_path / "after"

    def run() -> list[bool]:
        s = stages(tmp_path)
        return [
            s.ensure(model, make, version=1, params={}, inputs={}),
            s.ensure(after, make, version=1, params={}, inputs={"model": model}),
        ]

    assert run() == [True, True]
    stages(tmp_path).prune(model)
    assert not model.exists()
    assert run() == [False, False]
    stages(tmp_path).restore(model)
    assert run() == [True, False]


@pytest.mark.parametrize("recorded_by", ["the same process", "a later one"])
def test_what_is_made_but_could_not_be_recorded_is_not_made_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded_by: str
) -> None:
    """A disk that fills up, or a kill, after hours of training and before the manifest knows of them."""
    calls: list[Path] = []

    def make(out: Path) -> None:
        calls.append(out)
        (out / "x").write_text("1", encoding="utf-8")

    def full(self: Manifest) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    output = tmp_path / "out"
    first = stages(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(Manifest, "write", full)
        first.ensure(output, make, version=1, params={}, inputs={})
    then = first if recorded_by == "the same process" else stages(tmp_path)
    then.ensure(output, make, version=1, params={}, inputs={})
    assert len(calls) == 1
    assert [p.name for p in output.iterdir()] == ["x"]
    assert not stages(tmp_path).ensure(output, make, version=1, params={}, inputs={})
    assert stages(tmp_path).ensure(output, make, version=2, params={}, inputs={})


def test_what_is_made_but_could_not_be_put_in_its_place_is_not_made_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Path] = []

    def killed(self: Path, target: Path) -> Path:
        if target == output:
            raise KeyboardInterrupt
        return replace(self, target)

    output, replace = tmp_path / "out", Path.replace
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", killed)
        stages(tmp_path).ensure(output, calls.append, version=1, params={}, inputs={})
    assert stages(tmp_path).ensure(output, calls.append, version=1, params={}, inputs={})
    assert len(calls) == 1
    assert not list(output.iterdir())


@pytest.mark.parametrize(
    "content",
    [
        '{"stages": 3',
        '{"stages": [], "facts": {}}',
        '{"stages": {}, "facts": null}',
        '{"stages": {}, "facts": {"commits": [1]}}',
        '{"stages": {}, "facts": {"threads": "two"}}',
        "[]",
        "\u00e9",
    ],
)
def test_a_damaged_manifest_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content, encoding="latin-1")
    with pytest.raises(FddError, match=r"manifest\.json is damaged"):
        Manifest(tmp_path / "manifest.json")


def test_make_whole_refuses_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(FddError, match="exists already"):
        build_atomic(tmp_path / "out", lambda out: None)
    assert (tmp_path / "out" / "mine").exists()


def test_the_lock_names_its_holder_and_is_dropped_by_a_killed_one(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom fdd_edge.runs import run_lock\n"
        "with run_lock(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    lock = tmp_path / "run" / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(lock)], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(FddError, match=f"in use by process {holder.pid}"), run_lock(lock):
        pass
    holder.kill()
    holder.communicate()
    with run_lock(lock):
        assert lock.read_text(encoding="ascii") == f"{os.getpid()}\n"


def test_best_is_a_link_that_moves(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    for number in (0, 1, 10):
        layout.round(number).root.mkdir()
    layout.link_best("round-01")
    layout.link_best("round-10")
    assert layout.best.resolve() == layout.round(10).root.resolve()
    layout.link_best(None)
    assert not layout.best.is_symlink()


def test_a_full_disk_is_named_where_a_library_says_it_in_words_of_its_own(small_disk: Path) -> None:
    """llama.cpp, safetensors and torch each have their own sentence for a write that found no room."""

    def make(out: Path) -> None:
        with (small_disk / "filler").open("wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize)
        raise RuntimeError("basic_ios::clear: iostream error")

    with pytest.raises(OSError, match="No space left on device") as caught:
        stages(small_disk).ensure(small_disk / "out", make, version=1, params={}, inputs={})
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_an_error_on_a_disk_with_room_stays_what_it_is(tmp_path: Path) -> None:
    def make(out: Path) -> None:
        raise RuntimeError("basic_ios::clear: iostream error")

    with pytest.raises(RuntimeError, match="iostream"):
        stages(tmp_path).ensure(tmp_path / "out", make, version=1, params={}, inputs={})


def test_manifest_keeps_what_a_stage_was_made_from(tmp_path: Path) -> None:
    stages(tmp_path).ensure(tmp_path / "o", lambda out: None, version=4, params={"p": [1]}, inputs={})
    entry = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["stages"]["o"]
    assert (entry["version"], entry["params"]) == (4, {"p": [1]})


def test_a_run_killed_at_its_very_start_can_begin_again(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path / "run")
    assert layout.is_free()
    write_atomic(layout.config, "a: 1\n")
    assert layout.is_run()
    (tmp_path / "killed").mkdir()
    for name in ("lock", ".config.yaml.partial"):
        (tmp_path / "killed" / name).touch()
    assert RunLayout(tmp_path / "killed").is_free()
    for name in ("thesis.txt", ".git"):
        (tmp_path / "killed" / name).touch()
        assert not RunLayout(tmp_path / "killed").is_free()
        (tmp_path / "killed" / name).unlink()


def test_a_run_has_work_once_anything_but_its_first_data_is_begun(tmp_path: Path) -> None:
    """By its folders: with its manifest lost, another config once took the folder over and made every round anew."""
    layout = RunLayout(tmp_path)
    write_atomic(layout.config, "a: 1\n")
    for folder in (layout.data, layout.round(0).data):
        folder.mkdir(parents=True)
        partial_of(folder).mkdir()
    assert not layout.has_work()
    for begun in (partial_of(layout.round(0).adapter), layout.validation, layout.untuned.root):
        begun.mkdir()
        assert layout.has_work()
        begun.rmdir()


@pytest.mark.parametrize("is_file", [False, True])
def test_what_stands_where_an_output_belongs_gives_way(tmp_path: Path, is_file: bool) -> None:
    """A file where a folder belongs, a folder where a file does, in the place or beside it; a mark of any bytes."""

    def make(out: Path) -> None:
        (out if is_file else out / "x").write_text("made", encoding="utf-8")

    def put(path: Path) -> None:
        if is_file:
            path.mkdir()
            (path / "y").touch()
        else:
            path.touch()

    output = tmp_path / "out"
    for path in (output, partial_of(output)):
        put(path)
        assert stages(tmp_path).ensure(output, make, version=1, params={}, inputs={}, is_file=is_file)
        assert [p.name for p in tmp_path.iterdir() if p.name != "manifest.json"] == ["out"]
        (tmp_path / "manifest.json").unlink()
    if not is_file:
        partial_of(output).mkdir()
        (partial_of(output) / ".fingerprint").write_bytes(b"\xff\xfe")
        assert stages(tmp_path).ensure(output, make, version=1, params={}, inputs={})


def test_what_is_no_link_to_the_best_round_is_left_alone(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    layout.best.mkdir()
    for name in ("round-00", None):
        with pytest.raises(FddError, match="is not the link to the best round that was there; move it away"):
            layout.link_best(name)


def test_what_a_kill_left_of_a_pruned_output_is_deleted_later(tmp_path: Path) -> None:
    model = tmp_path / "model"
    stages(tmp_path).ensure(model, lambda out: None, version=1, params={}, inputs={})
    stages(tmp_path).prune(model)
    model.mkdir()
    (model / "rubbish").touch()
    stages(tmp_path).prune(model)
    assert not model.exists()


def test_making_from_a_pruned_output_asks_for_it(tmp_path: Path) -> None:
    model = tmp_path / "model"
    stages(tmp_path).ensure(model, lambda out: None, version=1, params={}, inputs={})
    stages(tmp_path).prune(model)
    with pytest.raises(PrunedInputError):
        stages(tmp_path).ensure(tmp_path / "new", lambda out: None, version=1, params={}, inputs={"m": model})


def test_a_redone_stage_is_announced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for version, params in ((1, {}), (1, {"seed": 1}), (2, {"seed": 1})):
        stages(tmp_path).ensure(tmp_path / "o", lambda out: None, version=version, params=params, inputs={})
    assert capsys.readouterr().err.splitlines() == [
        "o is made again: what it was made from, or the output itself, has changed",
        "o is made again: another version of fdd-edge made it otherwise",
    ]
