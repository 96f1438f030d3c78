"""Several artifacts on several sets: one table, and each artifact next to the first one."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from commands import fdd_edge
from conftest import CONTEXT, write_tiny_gguf
from shared import Shared

from fdd_edge import api
from fdd_edge.arguments import label_artifacts
from fdd_edge.cli.evaluation_table import print_evaluations
from fdd_edge.errors import FddError
from fdd_edge.evaluation import compare_replies, score, summarize, wilson
from fdd_edge.ondevice.protocol import Completion
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.records import Problem, write_jsonl
from fdd_edge.results import EvaluationResult, EvaluationTable, TableEntry

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


Answers = list[list[float | None]]


def recorded(name: str, dataset: str, answers: Answers) -> TableEntry:
    """Return an evaluation whose replies were recorded: the answer to every problem is 7."""
    problems = [Problem(f"p{n}", f"How many are {n}?", 7, "test") for n in range(len(answers))]
    replies = [
        Completion(problem.id, k, "", None, answer, Verdict.error if answer is None else None, 9, 5, "0" * 16)
        for problem, own in zip(problems, answers, strict=True)
        for k, answer in enumerate(own)
    ]
    by_id = {problem.id: problem for problem in problems}
    rows = score(replies, by_id)
    found = summarize(rows, by_id)
    result = EvaluationResult(
        n=found.n,
        correct=found.correct,
        accuracy=found.accuracy,
        ci95=found.ci95,
        distinct=found.distinct,
        verdicts=found.verdicts,
        votes=found.votes,
        problems_per_second=1.0,
        tokens_per_second=9.0,
        peak_rss_bytes=10**8,
        artifact={"bytes": 10**8, "recipe": None, "parity": "none", "path": name},
        target={"name": "local"},
        data={},
        settings={"max_new_tokens": 200},
        versions={},
        skipped=[],
        rows=rows,
    )
    return TableEntry(dataset, name, result)


GREEDY: Answers = [[7], [7], [3], [None]]
VOTES: Answers = [[7, 7, 3], [3, 7, 3], [7, 7, 7], [None, None, 7]]
"""Seven of twelve replies are right, three of four majorities, and one reply at least to every problem."""


def printed(entries: list[TableEntry], capsys: pytest.CaptureFixture[str]) -> str:
    print_evaluations(EvaluationTable(entries))
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    return shown


def test_votes_have_their_shares_and_intervals_below_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """With several artifacts or sets, pass@k and every interval of a share were missing."""
    shown = printed([recorded(name, "mine", VOTES) for name in ("one", "two")], capsys)
    entry = recorded("one", "mine", VOTES).result
    assert entry.votes is not None
    said = " ".join(shown.split())
    for label, share, (low, high) in (
        ("replies", entry.accuracy, entry.ci95),
        ("majority@3", 0.75, wilson(3, 4)),
        ("pass@3", 1.0, wilson(4, 4)),
    ):
        assert f"{label} {100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})" in said
    assert "votes one on mine, 4 problems: replies 58.3 %" in said
    assert shown.count("votes") == 2


def test_a_column_that_is_not_there_is_not_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """One artifact on two sets has no column of intervals if its replies vote."""
    shown = printed([recorded("one", name, VOTES) for name in ("mine", "other")], capsys)
    assert "95 %" not in shown
    assert "replies\n" in shown  # per second
    assert "95 %: the interval of what is before it" in " ".join(
        printed([recorded("one", name, GREEDY) for name in ("mine", "other")], capsys).split()
    )


def test_the_difference_beside_majorities_is_theirs(capsys: pytest.CaptureFixture[str]) -> None:
    """It was that of the replies, and nothing said so."""
    entries = [recorded("one", "mine", [[7, 3, 3]] * 4), recorded("two", "mine", VOTES)]
    difference = EvaluationTable(entries).differences["mine", "two"]
    assert (difference.n, difference.first, difference.second) == (4, 0.0, 0.75)
    assert (difference.gained, difference.lost) == (3, 0)
    shown = printed(entries, capsys)
    assert "+75.0" in shown
    assert "points gained or lost of the majorities against one on the same problems" in " ".join(shown.split())


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


def test_every_folder_is_found_before_anything_is_evaluated(
    tiny_gguf: Path, other_gguf: Path, sets: list[Path], tmp_path: Path
) -> None:
    """The last one was found to be in use when all others had been evaluated."""
    out = tmp_path / "out"
    words = ("eval", tiny_gguf, other_gguf, "--data", sets[0], "--data", sets[1], *SHORT, "-o", out)
    (occupied := out / "other" / "mine-2").mkdir(parents=True)
    (occupied / "notes.txt").write_text("mine")
    for _ in range(2):
        ran = fdd_edge(*words)
        said = f"Error: {occupied} already exists; choose another folder, or delete it.\n"
        assert (ran.returncode, ran.stderr) == (2, said)
        assert sorted(path.name for path in out.rglob("*")) == ["mine-2", "notes.txt", "other"]
    (occupied / "notes.txt").unlink()
    assert fdd_edge(*words).returncode == 0
    other_settings = fdd_edge(*words, "--max-new-tokens", 5)
    assert (other_settings.returncode, other_settings.stderr) == (
        2,
        f"Error: {out}/tiny-f32/mine already exists; choose another folder, or delete it.\n",
    )
    rows = occupied / "rows.jsonl"
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[:-1]))
    (out / "tiny-f32" / "mine" / "rows.jsonl").unlink()
    (out / "tiny-f32" / "mine" / "timing.json").unlink()
    (out / "tiny-f32" / "mine" / "summary.json").unlink()
    damaged = fdd_edge(*words)
    assert (damaged.returncode, damaged.stderr) == (
        2,
        f"Error: {occupied} was changed after it was written; choose another folder, or delete it.\n",
    )
    assert list((out / "tiny-f32" / "mine").iterdir()) == []


def test_a_file_in_the_way_of_a_folder_is_one_sentence(tiny_gguf: Path, sets: list[Path], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<html>")
    ran = fdd_edge("eval", tiny_gguf, "--data", sets[0], "--data", sets[1], *SHORT, "-o", page)
    assert (ran.returncode, ran.stderr) == (2, f"Error: {page} is not a folder; choose another one.\n")


def test_a_full_context_is_not_called_the_token_limit(tiny_gguf: Path, tmp_path: Path) -> None:
    """It was, and twice as many tokens were advised, which change nothing."""
    short = {"question": "2?", "answer": 2}
    (alone,) = api.evaluate(tiny_gguf, [short], max_new_tokens=4, answer="last-number").rows
    assert (alone.verdict, alone.n_tokens) == ("unfinished", 4)
    longer = {"question": "2" + "?" * (CONTEXT - 1 - alone.n_prompt_tokens), "answer": 2}
    write_jsonl(data := tmp_path / "long.jsonl", [short, longer])
    found = api.evaluate_all([tiny_gguf], [data], max_new_tokens=4, answer="last-number")[0].result
    assert [row.n_tokens for row in found.rows] == [4, 2]
    assert (found.cut.at_limit, found.cut.context_full) == (1, 1)
    said = " ".join(fdd_edge("eval", tiny_gguf, "--data", data, *SHORT).stdout.split())
    assert (
        "cut 1 reply was cut at 4 tokens and counts as not solved; try --max-new-tokens 8 1 reply was cut where prompt "
        "and reply filled the model's context and counts as not solved; only a shorter prompt helps speed"
    ) in said
    table = fdd_edge("eval", tiny_gguf, tiny_gguf, "--data", data, *SHORT).stdout
    assert (
        "cut replies cut at 4 tokens, which count as not solved: 1 by tiny-f32 on long, 1 by tiny-f32-2 on long; try "
        "--max-new-tokens 8 replies cut where prompt and reply filled the model's context, which count as not solved: "
        "1 by tiny-f32 on long, 1 by tiny-f32-2 on long; only a shorter prompt helps"
    ) in " ".join(table.split())
    assert max(map(len, table.splitlines())) <= 80
