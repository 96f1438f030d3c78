"""A stage is done if its fingerprint is the same, and its output is complete or absent whatever happens."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fdd_edge.errors import FddError
from fdd_edge.ondevice.families import runtime_modules
from fdd_edge.runs import Manifest, PrunedInputError, RunLayout, Stages, run_lock, write_atomic
from fdd_edge.runs.atomic import partial_of
from fdd_edge.runs.stage import build_atomic


def stages(root: Path) -> Stages:
    return Stages(root, Manifest(root / "manifest.json"))


def test_the_second_call_does_nothing(tmp_path: Path) -> None:
    calls: list[Path] = []

    def make(out: Path, *, p: int) -> None:
        calls.append(out)
        (out / "x.txt").write_text(str(p), encoding="utf-8")

    for expected in (True, False):
        assert stages(tmp_path).ensure(tmp_path / "a" / "out", make, version=1, inputs={}, p=1) is expected
    assert len(calls) == 1
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["out"]
    assert [p.name for p in (tmp_path / "a" / "out").iterdir()] == ["x.txt"]


def test_an_interrupt_that_something_swallowed_ends_the_run_at_the_next_stage(tmp_path: Path) -> None:
    """Ctrl-C during the import of a library was sometimes lost, and the run continued to its end."""
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
stages.ensure(root / "out", lambda out: out.touch(), version=1, inputs={{}}, is_file=True)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout == "swallowed\n"
    assert "KeyboardInterrupt" in ran.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("change", ["version", "options", "inputs", "output damaged", "output gone"])
def test_a_change_makes_it_again(tmp_path: Path, change: str) -> None:
    source = tmp_path / "in.txt"
    source.write_text("a", encoding="utf-8")
    arguments: dict[str, Any] = {"version": 1, "p": 1, "inputs": {"source": source}}

    def make(out: Path, *, source: Path, p: int) -> None:
        out.write_text("made", encoding="utf-8")

    output = tmp_path / "out.txt"
    stages(tmp_path).ensure(output, make, is_file=True, **arguments)
    if change == "version":
        arguments["version"] = 2
    elif change == "options":
        arguments["p"] = 2
    elif change == "inputs":
        source.write_text("b", encoding="utf-8")
    elif change == "output damaged":
        output.write_text("mode", encoding="utf-8")
    else:
        output.unlink()
    assert stages(tmp_path).ensure(output, make, is_file=True, **arguments)
    assert output.read_text(encoding="utf-8") == "made"


def test_an_interrupted_stage_leaves_no_output_and_its_work_is_handed_over(tmp_path: Path) -> None:
    def fail(out: Path, *, p: int) -> None:
        (out / "half").write_text("1", encoding="utf-8")
        raise KeyboardInterrupt

    def resume(out: Path, *, p: int) -> None:
        assert (out / "half").exists()

    def start_over(out: Path, *, p: int) -> None:
        assert not (out / "half").exists()

    output = tmp_path / "out"
    for before, after, make in ((1, 1, resume), (2, 3, start_over)):
        with pytest.raises(KeyboardInterrupt):
            stages(tmp_path).ensure(output, fail, version=1, inputs={}, p=before)
        assert not output.exists() or make is start_over
        assert stages(tmp_path).ensure(output, make, version=1, inputs={}, p=after)


def test_unfinished_work_of_a_run_that_is_deleted_is_announced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(out: Path, *, p: int) -> None:
        (out / "half").write_text("1", encoding="utf-8")
        raise KeyboardInterrupt

    for p in (1, 1, 2):
        with pytest.raises(KeyboardInterrupt):
            stages(tmp_path).ensure(tmp_path / "out", fail, version=1, inputs={}, p=p)
    said = capsys.readouterr().err
    assert said.count(".out.partial holds unfinished work that was made from other things, so it is deleted") == 1


def test_a_pruned_output_counts_as_made_until_it_is_restored(tmp_path: Path) -> None:
    def make(out: Path, **inputs: Path) -> None:
        (out / "big").write_text("1", encoding="utf-8")

    model, after = tmp_path / "model", tmp_path / "after"

    def run() -> list[bool]:
        s = stages(tmp_path)
        return [
            s.ensure(model, make, version=1, inputs={}),
            s.ensure(after, make, version=1, inputs={"model": model}),
        ]

    assert run() == [True, True]
    stages(tmp_path).prune(model)
    assert not model.exists()
    assert run() == [False, False]
    stages(tmp_path).restore(model)
    assert run() == [True, False]


@pytest.mark.parametrize("recorded_by", ["the same process", "a later one"])
def test_an_output_that_could_not_be_recorded_is_not_made_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded_by: str
) -> None:
    """A disk that fills up, or a kill, after hours of training and before they are in the manifest."""
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
        first.ensure(output, make, version=1, inputs={})
    then = first if recorded_by == "the same process" else stages(tmp_path)
    then.ensure(output, make, version=1, inputs={})
    assert len(calls) == 1
    assert [p.name for p in output.iterdir()] == ["x"]
    assert not stages(tmp_path).ensure(output, make, version=1, inputs={})
    assert stages(tmp_path).ensure(output, make, version=2, inputs={})


def test_an_output_that_could_not_be_renamed_is_not_made_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []

    def killed(self: Path, target: Path) -> Path:
        if target == output:
            raise KeyboardInterrupt
        return replace(self, target)

    output, replace = tmp_path / "out", Path.replace
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", killed)
        stages(tmp_path).ensure(output, calls.append, version=1, inputs={})
    assert stages(tmp_path).ensure(output, calls.append, version=1, inputs={})
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
        '{"stages": {}, "facts": {"threads": -1}}',
        '{"stages": {}, "facts": {"threads": 1000000}}',
        '{"stages": {}, "facts": {"threads": true}}',
        '{"stages": {}, "facts": {"commits": {"a@b": 5}}}',
        '{"stages": {}, "facts": {"commits": {"a@b": ["x"]}}}',
        '{"stages": {}, "facts": {"prompt": {}}}',
        '{"stages": {}, "facts": {"prompt": {"asked": "chat", "student": "s", "template": "\\ud800{question}"}}}',
        '{"format": Infinity, "stages": {}, "facts": {}}',
        '{"format": 2, "sha256": [1], "stages": {}, "facts": {}}',
        '{"stages": {"x": 3}, "facts": {}}',
        '{"stages": {"x": {"fingerprint": "f"}}, "facts": {}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_manifest_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content, encoding="latin-1")
    with pytest.raises(FddError, match=r"manifest\.json is damaged"):
        Manifest(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    "fault",
    [
        {"options": None},
        {"files": ["../a"]},
        {"files": "a"},
        {"inputs": ["a"]},
        {"inputs": {"a": 1}},
        {"seconds": "x"},
        {"seconds": True},
        {"pruned": 1},
    ],
    ids=str,
)
def test_a_damaged_stage_in_the_manifest_is_named(tmp_path: Path, fault: dict[str, object]) -> None:
    """A stage with `options: null` ended in a traceback."""
    path = tmp_path / "manifest.json"
    stages(tmp_path).ensure(tmp_path / "out", lambda out: out.mkdir(exist_ok=True), version=1, inputs={})
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["sha256"]
    content["stages"]["out"].update(fault)
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(FddError, match=r"manifest\.json is damaged \(out"):
        Manifest(path)


def test_a_flipped_bit_in_a_manifest_is_noticed(tmp_path: Path) -> None:
    """`facts.threads` 1 became 3, and stages were made again with three threads."""
    path = tmp_path / "manifest.json"
    manifest = Manifest(path)
    manifest.facts["threads"] = 1
    manifest.write()
    whole = path.read_text(encoding="utf-8")
    assert Manifest(path).facts == {"threads": 1}
    path.write_text(whole.replace('"threads": 1', '"threads": 3'), encoding="utf-8")
    with pytest.raises(FddError, match=r"manifest\.json is damaged \(it is not as it was written\)\. Restore it; or"):
        Manifest(path)
    content = json.loads(whole)
    del content["sha256"]  # written by the version before
    path.write_text(json.dumps(content), encoding="utf-8")
    assert Manifest(path).facts == {"threads": 1}


def test_a_manifest_names_the_version_of_every_runtime_package(tmp_path: Path) -> None:
    """onnxruntime was missing."""
    Manifest(tmp_path / "manifest.json", packages=runtime_modules()).write()
    packages = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["packages"]
    assert {"torch", "numpy", "llama-cpp-python", "onnxruntime", "tokenizers"} <= packages.keys()


@pytest.mark.parametrize("output", [".", "./", "/", "HERE"])
def test_the_current_folder_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    """`eval -o .` and `-o /` ended in a traceback; moving a folder to the current one's name deletes the latter."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FddError, match=r"cannot be replaced by a finished folder; choose a new folder\."):
        build_atomic(tmp_path if output == "HERE" else Path(output), lambda out: None)


def test_build_atomic_refuses_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(FddError, match="already exists"):
        build_atomic(tmp_path / "out", lambda out: None)
    assert (tmp_path / "out" / "mine").exists()


def test_the_lock_names_its_holder_and_is_released_when_it_is_killed(tmp_path: Path) -> None:
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


def test_a_full_disk_is_reported_even_if_a_library_hides_it_in_its_own_message(small_disk: Path) -> None:
    """llama.cpp, safetensors and torch each have their own message for a write that failed for lack of space."""

    def make(out: Path) -> None:
        with (small_disk / "filler").open("wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize)
        raise RuntimeError("basic_ios::clear: iostream error")

    with pytest.raises(OSError, match="No space left on device") as caught:
        stages(small_disk).ensure(small_disk / "out", make, version=1, inputs={})
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_an_error_on_a_disk_with_room_is_unchanged(tmp_path: Path) -> None:
    def make(out: Path) -> None:
        raise RuntimeError("basic_ios::clear: iostream error")

    with pytest.raises(RuntimeError, match="iostream"):
        stages(tmp_path).ensure(tmp_path / "out", make, version=1, inputs={})


def test_the_manifest_records_what_a_stage_was_made_from(tmp_path: Path) -> None:
    stages(tmp_path).ensure(tmp_path / "o", lambda out, p: None, version=4, inputs={}, p=[1])
    entry = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["stages"]["o"]
    assert (entry["version"], entry["options"]) == (4, {"p": [1]})


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


def test_a_run_has_work_once_anything_beyond_its_first_data_is_begun(tmp_path: Path) -> None:
    """The folders decide: with the manifest lost, another config once took the folder over."""
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
def test_anything_in_the_place_of_an_output_is_replaced(tmp_path: Path, is_file: bool) -> None:
    """A file instead of a folder, a folder instead of a file, at the path or its temporary name; a damaged mark."""

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
        assert stages(tmp_path).ensure(output, make, version=1, inputs={}, is_file=is_file)
        assert [p.name for p in tmp_path.iterdir() if p.name != "manifest.json"] == ["out"]
        (tmp_path / "manifest.json").unlink()
    if not is_file:
        partial_of(output).mkdir()
        (partial_of(output) / ".fingerprint").write_bytes(b"\xff\xfe")
        assert stages(tmp_path).ensure(output, make, version=1, inputs={})


def test_something_else_at_the_link_to_the_best_round_is_left_alone(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    layout.best.mkdir()
    for name in ("round-00", None):
        with pytest.raises(FddError, match="is no longer the link to the best round; move it elsewhere"):
            layout.link_best(name)


def test_remains_of_a_pruned_output_are_deleted_later(tmp_path: Path) -> None:
    model = tmp_path / "model"
    stages(tmp_path).ensure(model, lambda out: (out / "rubbish").touch(), version=1, inputs={})
    stages(tmp_path).prune(model)
    model.mkdir()
    (model / "rubbish").touch()
    stages(tmp_path).prune(model)
    assert not model.exists()


def test_a_pruned_input_has_to_be_restored_first(tmp_path: Path) -> None:
    model = tmp_path / "model"
    stages(tmp_path).ensure(model, lambda out: None, version=1, inputs={})
    stages(tmp_path).prune(model)
    with pytest.raises(PrunedInputError):
        stages(tmp_path).ensure(tmp_path / "new", lambda out: None, version=1, inputs={"model": model})


def test_a_stage_that_is_made_again_is_announced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for version, seed in ((1, 0), (1, 1), (2, 1)):
        stages(tmp_path).ensure(tmp_path / "o", lambda out, seed: None, version=version, inputs={}, seed=seed)
    (tmp_path / "o").rmdir()
    stages(tmp_path).ensure(tmp_path / "o", lambda out, seed: None, version=2, inputs={}, seed=1)
    assert capsys.readouterr().err.splitlines() == [
        "o is made again: seed has changed",
        "o is made again: another version of fdd-edge made it, and this one makes it differently",
        "o is made again: the output is missing",
    ]


@pytest.mark.parametrize("where", ["unfinished", "renamed"])
def test_what_was_finished_but_not_recorded_is_checked(
    tmp_path: Path, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A kill between the last byte and the manifest left a folder that was taken unseen by the next call."""
    made: list[Path] = []

    def make(out: Path) -> None:
        made.append(out)
        (out / "x.txt").write_text("right", encoding="utf-8")

    output = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        killed = {"unfinished": (Path, "replace"), "renamed": (Manifest, "write")}[where]
        real = getattr(*killed)

        def kill(self: Any, *args: Any) -> Any:
            if where == "renamed" or args[0] == output:
                raise KeyboardInterrupt
            return real(self, *args)

        patched.setattr(*killed, kill)
        stages(tmp_path).ensure(output, make, version=1, inputs={})
    folder = output if where == "renamed" else partial_of(output)
    (folder / "x.txt").write_text("wrong", encoding="utf-8")
    stages(tmp_path).ensure(output, make, version=1, inputs={})
    assert (output / "x.txt").read_text(encoding="utf-8") == "right"
    assert len(made) == 2
    assert f"{folder} was damaged after it was finished, so it is made again" in capsys.readouterr().err


def killed_before_its_mark_is_gone(out: Path) -> list[Path]:
    """Build a folder, and die when it is complete but still marked; return what every later call makes."""
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "x.txt").write_text("right", encoding="utf-8")

    def kill(self: Path, missing_ok: bool = False) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "unlink", kill)
        build_atomic(out, make)
    (out / "notes.txt").write_text("a week's", encoding="utf-8")
    (out / b"caf\xe9".decode(errors="surrogateescape")).touch()
    return made


def test_a_users_file_in_a_finished_folder_is_kept(tmp_path: Path) -> None:
    """Killed just before its mark was removed, the folder was "damaged" by notes in it, and deleted with them."""
    out = tmp_path / "out"
    made = killed_before_its_mark_is_gone(out)
    build_atomic(out, made.append)
    assert len(made) == 1
    assert (out / "notes.txt").read_text(encoding="utf-8") == "a week's"
    assert len(list(out.iterdir())) == 3


def test_a_users_file_in_an_output_of_a_run_is_never_deleted(tmp_path: Path) -> None:
    """A note next to the weights made the stage again, and the note was gone."""
    output, notes = tmp_path / "out", tmp_path / "out" / "notes.txt"

    def ensure(seed: int) -> bool:
        def make(out: Path, seed: int) -> None:
            (out / "x.txt").write_text(str(seed), encoding="utf-8")

        return stages(tmp_path).ensure(output, make, version=1, inputs={}, seed=seed)

    ensure(0)
    notes.touch()
    for seed in (0, 1):
        with pytest.raises(
            FddError, match=r"holds notes\.txt, which fdd-edge did not make and would delete\. Move that"
        ):
            ensure(seed)
    stages(tmp_path).prune(output)
    assert [path.name for path in output.iterdir()] == ["notes.txt"]
    stages(tmp_path).restore(output)
    notes.unlink()
    assert ensure(0)


def test_a_damaged_folder_is_not_deleted_with_a_users_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = killed_before_its_mark_is_gone(out)
    (out / "x.txt").unlink()
    for own in ("caf", "notes"):
        with pytest.raises(FddError, match=rf"holds {own}.*, which fdd-edge did not make\. Move that elsewhere"):
            build_atomic(out, made.append)
        next(out.glob(f"{own}*")).rename(tmp_path / own)
    build_atomic(out, made.append)
    assert len(made) == 2


def test_what_has_changed_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A finished adapter was thrown away because "its inputs, or the output itself, have changed"."""
    (tmp_path / "data").write_text("one")

    def make(student: dict[str, object]) -> None:
        stages(tmp_path).ensure(
            tmp_path / "o",
            lambda out, data, student: (out / "made").touch(),
            version=1,
            inputs={"data": tmp_path / "data"},
            student=student,
        )

    make({"sha256": "a", "files": {"config.json": "a", "model.safetensors": "a"}})
    make({"sha256": "b", "files": {"config.json": "b", "model.safetensors": "a"}})
    (tmp_path / "data").write_text("two")
    make({"sha256": "b", "files": {"config.json": "c", "model.safetensors": "c", "vocab.json": "c"}})
    (tmp_path / "o" / "made").write_text("more")
    make({"sha256": "b", "files": {"config.json": "c", "model.safetensors": "c", "vocab.json": "c"}})
    assert capsys.readouterr().err.splitlines() == [
        "o is made again: student.files.config.json has changed",
        "o is made again: data, student.files.config.json, student.files.model.safetensors and 1 more have changed",
        "o is made again: the output itself has changed",
    ]
