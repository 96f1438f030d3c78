"""Wrong input: one clear sentence on stderr, exit code 2, nothing on stdout, nothing left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands import Ran, fdd_edge, fdd_edge_process

from fdd_edge.resolve.student import Student

QUESTION = "Tom has 3 apples and gets 4. How many apples does he have?"


def assert_refused(ran: Ran, *parts: str, code: int = 2) -> None:
    assert ran.returncode == code, ran.stderr
    assert ran.stdout == ""
    assert "Traceback" not in ran.stderr
    last = ran.stderr.strip().splitlines()[-1]
    for part in parts:
        assert part in ran.stderr, ran.stderr
    assert last.startswith(("Error: ", "  - "))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps({"question": QUESTION, "answer": 7}) + "\n", encoding="utf-8")
    return path


CASES = {
    "no such config": (["run", "smok"], ["no config named 'smok'. Did you mean 'smoke'?"]),
    "unknown key": (
        ["run", "smoke", "--set", "feedback.limt=3"],
        ["feedback.limt: unknown key. Did you mean 'limit'?"],
    ),
    "empty output": (["run", "smoke", "-o", ""], ["output_dir: must not be empty"]),
    "no number": (["run", "smoke", "--set", "gates.max_size_mb=big"], ["must be a number, not 'big'"]),
    "wrong type": (["run", "smoke", "--set", "rounds=many"], ["rounds", "'many'"]),
    "two errors": (
        ["run", "smoke", "--set", "rounds=0", "--set", "lora.r=x"],
        ["2 errors", "rounds", "lora.r"],
    ),
    "unset environment": (["run", "gsm8k-smollm2"], ["the environment variable FDD_DATA is not set"]),
    "unknown recipe": (
        ["run", "smoke", "--set", "export.recipes=[gguf-q8_0,gguf-q9_0]", "-o", "new"],
        ["no recipe named 'gguf-q9_0'", "Did you mean"],
    ),
    "unknown target": (
        ["run", "smoke", "--set", "targets=[locl]", "--set", "feedback.target=locl", "-o", "new"],
        ["no target named 'locl'. Did you mean 'local'?"],
    ),
    "unknown teacher": (
        ["run", "smoke", "--set", "teacher.evolve=simbolic", "-o", "new"],
        ["no teacher named 'simbolic'. Did you mean 'symbolic'?"],
    ),
    "a teacher that writes no problems": (
        ["run", "smoke", "--set", "teacher.evolve=annotated", "-o", "new"],
        ["The teacher 'annotated' writes programs but no new problems; these do: symbolic."],
    ),
    "a teacher that writes no problems, asked alone": (
        ["evolve", "split", "--teacher", "annotated", "-o", "new.jsonl"],
        ["The teacher 'annotated' writes programs but no new problems; these do: symbolic."],
    ),
    "missing training data": (
        ["run", "smoke", "--set", "data.train=[{path: gone.jsonl}]", "-o", "new"],
        ["data.train.0: gone.jsonl does not exist. Relative paths start at the current folder"],
    ),
    "errors of every kind": (
        ["run", "smoke", "--set", "data.train=[{path: gone.jsonl}]", "--set", "lora.r=0", "--set", "teacher.evolve=x"],
        [
            "smoke: 3 errors:",
            "lora.r: must be at least 1, not 0",
            "teacher.evolve: There is no teacher named 'x'.",
            "data.train.0: gone.jsonl does not exist.",
        ],
    ),
    "a device as data": (
        ["run", "smoke", "--set", "data.train=[{path: /dev/null}]", "-o", "new"],
        ["/dev/null is not a regular file"],
    ),
    "a folder as config": (["run", "/tmp", "-o", "new"], ["/tmp is a folder; name a file"]),
    "unknown symbolic set": (
        ["eval", "x.gguf", "--data", "symbolic:tests"],
        ["x.gguf does not exist"],
    ),
    "no such model": (["solve", "gone.gguf", QUESTION], ["gone.gguf does not exist"]),
    "no such student": (["export", "./gone", "-r", "gguf-q8_0", "-o", "new"], ["./gone does not exist"]),
    "unknown command": (["evall"], ["There is no command 'evall'. Did you mean 'eval'?"]),
    "missing option": (["export", "tiny", "-r", "gguf-q8_0"], ["Missing option '-o'"]),
    "a package that is not there": (
        ["export", "package:no_such_thing", "-r", "gguf-q8_0", "-o", "new"],
        ["'no_such_thing' is not installed"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_before_anything_is_written(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever had FDD_DATA set saw a run of an hour begin here."""
    monkeypatch.delenv("FDD_DATA", raising=False)
    arguments, parts = CASES[case]
    before = set(tmp_path.rglob("*"))
    ran = fdd_edge(*arguments, cwd=tmp_path)
    assert_refused(ran, *parts)
    assert set(tmp_path.rglob("*")) == before


def test_a_folder_that_is_not_a_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it", encoding="utf-8")
    assert_refused(fdd_edge("run", "smoke", "-o", "mine", cwd=tmp_path), "is not empty and does not hold a run")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("hello\nworld\n", "not in a known data format"),
        ('{"question": "Why?", "answer": "because"}\n', "no problem with a numeric answer"),
        ("", "no problems"),
        ('{"question": "a", "answer": 1}\n{"question": "b"\n', "data.jsonl:2"),
    ],
)
def test_data_that_cannot_be_used(content: str, part: str, tmp_path: Path, tiny_gguf: Path) -> None:
    (tmp_path / "data.jsonl").write_text(content, encoding="utf-8")
    assert_refused(fdd_edge("eval", str(tiny_gguf), "--data", "data.jsonl", cwd=tmp_path), part)


@pytest.mark.parametrize(("keep", "part"), [(0.0, "not a GGUF"), (0.7, "truncated")])
@pytest.mark.parametrize("command", ["eval", "solve", "export"])
def test_a_broken_model_file(command: str, keep: float, part: str, tmp_path: Path, tiny_gguf: Path, data: Path) -> None:
    whole = tiny_gguf.read_bytes()
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(whole[: int(keep * len(whole))])
    rest = {
        "eval": ["--data", str(data)],
        "solve": [QUESTION],
        "export": ["-r", "gguf-q8_0", "-o", str(tmp_path / "out")],
    }[command]
    assert_refused(fdd_edge(command, str(broken), *rest, cwd=tmp_path), "broken.gguf", part)
    assert not (tmp_path / "out").exists()


def test_a_missing_extra_names_the_pip_line(tmp_path: Path) -> None:
    """A module of that name which fails to import stands for a package that is not installed."""
    blocker = tmp_path / "blocked"
    blocker.mkdir()
    (blocker / "sitecustomize.py").write_text(
        "import sys\nfor name in ('torch', 'llama_cpp'):\n    sys.modules[name] = None\n", encoding="utf-8"
    )
    ran = fdd_edge_process("run", "smoke", "-o", "new", cwd=tmp_path, PYTHONPATH=str(blocker))
    assert_refused(ran, "torch is not installed. Install it with: pip install 'fdd-edge[train]'")


def test_an_export_does_not_overwrite(tmp_path: Path, tiny_student: Student) -> None:
    (tmp_path / "out" / "gguf-q8_0").mkdir(parents=True)
    ran = fdd_edge("export", "tiny", "-r", "gguf-q8_0", "-o", "out", cwd=tmp_path)
    assert_refused(ran, "already exists; choose another folder, or delete it.")


def test_an_export_under_a_file_is_refused(tmp_path: Path, tiny_student: Student) -> None:
    """It once ended in a traceback of FileExistsError."""
    (tmp_path / "file").touch()
    ran = fdd_edge("export", "tiny", "-r", "gguf-q8_0", "-o", "file/out", cwd=tmp_path)
    assert_refused(ran, "file")


def test_an_export_tidies_up_after_one_that_was_killed(tmp_path: Path, tiny_student: Student) -> None:
    """Each killed export once left its scratch folder for good; one under way keeps its own."""
    hold = (
        "import os, sys\nfrom pathlib import Path\nfrom fdd_edge.runs.atomic import scratch_folder\n"
        "with scratch_folder(Path(sys.argv[1])) as work: print(work, flush=True); sys.stdin.read()"
    )

    def start(output: str) -> tuple[subprocess.Popen[str], Path]:
        command, pipe = [sys.executable, "-c", hold, output], subprocess.PIPE
        process = subprocess.Popen(command, cwd=tmp_path, stdin=pipe, stdout=pipe, text=True)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    (killed, left), (running, kept) = start("out"), start("other")
    killed.kill()
    killed.communicate()
    assert (tmp_path / left).is_dir()
    ran = fdd_edge("export", "tiny", "-r", "gguf-q8_0", "--no-parity", "-o", "out", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"out", kept.name}
    ran = fdd_edge("export", "tiny", "-r", "gguf-q8_0", "--no-parity", "-o", "other", cwd=tmp_path)
    assert_refused(ran, "Another process is writing to other; wait for it, or stop it.")
    running.communicate()


def test_too_little_disk_is_said_before_work_begins(tmp_path: Path, tiny_student: Student) -> None:
    from fdd_edge.disk_space import check_disk
    from fdd_edge.errors import FddError

    with pytest.raises(FddError, match=r"new needs about 4000000\.0 GB of disk space, but only .* GB are free"):
        check_disk(tmp_path / "new", 10**15, copies=1)
