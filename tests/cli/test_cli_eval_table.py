"""Several artifacts on several sets: one table, and each artifact next to the first one."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from commands import fdd_edge
from conftest import write_tiny_gguf
from shared import Shared

from fdd_edge import api
from fdd_edge.arguments import label_artifacts
from fdd_edge.errors import FddError
from fdd_edge.evaluation import compare_replies
from fdd_edge.records import write_jsonl

SHORT = ("--max-new-tokens", 4, "--answer", "last-number")


@pytest.fixture(scope="session")
def other_gguf(shared: Shared) -> Path:
    """A second tiny model, whose replies are others."""
    return shared.folder("other-gguf", lambda out: write_tiny_gguf(out / "other.gguf", seed=3)) / "other.gguf"


@pytest.fixture
def sets(tmp_path: Path) -> list[Path]:
    """Two sets of problems with the same name."""
    paths = [tmp_path / name / "mine.jsonl" for name in ("a", "b")]
    for n, path in enumerate(paths, 2):
        path.parent.mkdir()
        write_jsonl(path, ({"question": f"{n} + {k}?", "answer": n + k} for k in range(3)))
    return paths


def test_several_artifacts_and_sets_make_one_table(
    tiny_gguf: Path, other_gguf: Path, sets: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ("eval", tiny_gguf, other_gguf, "--data", sets[0], "--data", sets[1], *SHORT, "-o", out)
    first = fdd_edge(*words)
    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 80
    assert lines[1].split() == ["set", "artifact", "MB", "%", "95", "%", "first", "95", "%", "per", "s"]
    assert [line.split()[:2] for line in lines[3:5]] == [["mine", "(3)"], ["other", "0.1"]]
    assert lines[6].startswith("mine-2 (3)")
    assert "points gained or lost against tiny-f32 on the same problems" in first.stdout
    assert sorted(path.relative_to(out).as_posix() for path in out.glob("*/*")) == [
        f"{artifact}/{name}" for artifact in ("other", "tiny-f32") for name in ("mine", "mine-2")
    ]
    again = fdd_edge(*words)
    assert again.stdout == first.stdout
    assert again.stderr.count("holds this evaluation already, so it is shown") == 4


def test_each_artifact_is_compared_with_the_first_one(tiny_gguf: Path, other_gguf: Path, sets: list[Path]) -> None:
    printed = json.loads(fdd_edge("eval", tiny_gguf, other_gguf, "--data", sets[0], *SHORT, "--json").stdout)
    first, second = printed["evaluations"]
    assert (first["set"], first["name"], second["name"]) == ("mine", "tiny-f32", "other")
    assert "compared_with_first" not in first
    found = api.evaluate_all([tiny_gguf, other_gguf], sets[0], max_new_tokens=4, answer="last-number")
    pairs = list(zip(found[0].result.rows, found[1].result.rows, strict=True))
    assert second["compared_with_first"] == json.loads(json.dumps(compare_replies(pairs).to_row()))


def test_two_artifacts_of_one_name_are_named_after_where_they_lie(tiny_gguf: Path, tmp_path: Path) -> None:
    """Two runs in one table went by gguf-q4_0 and gguf-q4_0-2."""
    for name in ("a", "b"):
        folder = tmp_path / name / "gguf-q4_0"
        folder.mkdir(parents=True)
        (folder / "model.gguf").write_bytes(tiny_gguf.read_bytes())
    data = [{"question": "1 + 1?", "answer": 2}]
    write_jsonl(tmp_path / "mine.jsonl", data)
    out = tmp_path / "out"
    words = ("eval", tmp_path / "a" / "gguf-q4_0", tmp_path / "b" / "gguf-q4_0" / "model.gguf", tiny_gguf)
    ran = fdd_edge(*words, "--data", tmp_path / "mine.jsonl", *SHORT, "-o", out)
    assert ran.returncode == 0, ran.stderr
    assert "against a-gguf-q4_0 on the same problems" in " ".join(ran.stdout.split())
    assert sorted(path.name for path in out.iterdir()) == ["a-gguf-q4_0", "b-gguf-q4_0", "tiny-f32"]


@pytest.mark.parametrize(
    ("names", "rounds", "labels"),
    [
        (["runs/a", "runs/b"], ["runs/a/round-01", "runs/b/round-00"], ["a-gguf-q4_0", "b-gguf-q4_0"]),
        (["a/round-00", "a/round-01"], ["a/round-00", "a/round-01"], ["round-00-gguf-q4_0", "round-01-gguf-q4_0"]),
        (["a", "a/round-00"], ["a/round-01", "a/round-00"], ["a-gguf-q4_0", "round-00-gguf-q4_0"]),
        (["a/best", "b/best"], ["a/round-00", "b/round-00"], ["a-best-gguf-q4_0", "b-best-gguf-q4_0"]),
        (["a", "a"], ["a/round-00", "a/round-00"], ["gguf-q4_0", "gguf-q4_0-2"]),
    ],
)
def test_a_reader_can_tell_which_run_is_which(names: list[str], rounds: list[str], labels: list[str]) -> None:
    models = [Path(one) / "artifacts" / "gguf-q4_0" / "model.gguf" for one in rounds]
    assert label_artifacts(names, models) == labels


def test_a_folder_of_one_evaluation_gets_no_others(tiny_gguf: Path, sets: list[Path], tmp_path: Path) -> None:
    """They would lie inside it, where nothing looks for them."""
    words = ("eval", tiny_gguf, "--data", sets[0], *SHORT, "-o", tmp_path / "out")
    assert fdd_edge(*words).returncode == 0
    ran = fdd_edge(*words, "--data", sets[1])
    assert (ran.returncode, ran.stderr) == (
        2,
        f"Error: {tmp_path}/out holds a single evaluation; choose another folder for several.\n",
    )


def test_votes_are_a_column(tiny_gguf: Path, other_gguf: Path, sets: list[Path]) -> None:
    words = ("eval", tiny_gguf, other_gguf, "--data", sets[0], *SHORT, "--samples", 2, "--temperature", 1)
    shown = fdd_edge(*words).stdout
    assert "majority" in shown.splitlines()[1]
    assert "mine (6)" in shown
    assert "majority: problems that the answer of most replies solves" in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 80


def test_standard_input_is_read_once_for_all(
    tiny_gguf: Path, other_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = io.TextIOWrapper(io.BytesIO(b'{"question": "1 + 1?", "answer": 2}\n'), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", text)
    ran = fdd_edge("eval", tiny_gguf, other_gguf, "--data", "-", *SHORT)
    assert ran.returncode == 0, ran.stderr
    assert "stdin (1)" in ran.stdout


def test_everything_is_found_before_anything_is_evaluated(tiny_gguf: Path, sets: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    for artifacts, data, said in (
        ([tiny_gguf, tmp_path / "none.gguf"], sets, "none.gguf does not exist"),
        ([tiny_gguf], [*sets, tmp_path / "none.jsonl"], "none.jsonl does not exist"),
        ([], sets, "Name at least one artifact and one set of problems"),
    ):
        with pytest.raises(FddError, match=said):
            api.evaluate_all(artifacts, data, output=out)
    assert not out.exists()
