"""Evaluating a file on the local target: wave by wave, resumed, the same rows every time."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from commands import fdd_edge

from fdd_edge import api
from fdd_edge.artifacts.facts import describe_model
from fdd_edge.cli import cli
from fdd_edge.errors import FddError
from fdd_edge.ondevice import protocol
from fdd_edge.ondevice.protocol import Decoding
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.evaluate import evaluate, evaluate_file, name_of_artifact, read_evaluation
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.records import Problem
from fdd_edge.targets import TargetRuntime, load_profile

ASKING = Asking(Decoding(max_new_tokens=12, batch_size=2, threads=1, wave=2), prompt="{question}=")
LOCAL = TargetRuntime(load_profile("local"), "gguf")
PROBLEMS = [Problem(f"p{n}", f"{n} + {n}", 2 * n, "test") for n in range(7)]


def rows_of(artifact: Path, out: Path) -> bytes:
    out.mkdir(exist_ok=True)
    evaluate(out, artifact=artifact, problems=PROBLEMS, runtime=LOCAL, asking=ASKING, title="test")
    return (out / "rows.jsonl").read_bytes()


def test_two_evaluations_are_byte_equal_and_complete(tiny_gguf: Path, tmp_path: Path) -> None:
    assert rows_of(tiny_gguf, tmp_path / "a") == rows_of(tiny_gguf, tmp_path / "b")
    assert [row.problem_id for row in read_rows(tmp_path / "a")] == [p.id for p in PROBLEMS]
    found = read_evaluation(tmp_path / "a")
    assert found.summary.n == 7
    assert sum(found.summary.verdicts.values()) == 7
    assert found.timing.peak_rss_bytes > 1e6
    assert found.timing.artifact_bytes == tiny_gguf.stat().st_size
    assert {p.name for p in (tmp_path / "a").iterdir()} == {"rows.jsonl", "timing.json", "summary.json"}


class KilledError(Exception):
    """Stands for the end of the process."""


def die_at_line(n: int) -> Callable[[Any], str]:
    """Return an encoder of journal lines that ends the process as the n-th is to be written."""
    written = 0

    def encode(message: Any) -> str:
        nonlocal written
        if written == n:
            raise KilledError
        written += 1
        return protocol.encode(message)

    return encode


def test_a_torn_line_of_the_journal_costs_its_wave_only(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing was once resumed on the torn line, which then swallowed every later wave at the next kill."""
    whole = rows_of(tiny_gguf, tmp_path / "whole")
    out = tmp_path / "killed"
    monkeypatch.setattr("fdd_edge.operations.kept_waves.encode", die_at_line(2))
    with pytest.raises(KilledError):
        rows_of(tiny_gguf, out)
    with (out / "waves.jsonl").open("a", encoding="utf-8") as journal:
        journal.write('{"event": "wave", "index": 1, "compl')
    monkeypatch.setattr("fdd_edge.operations.kept_waves.encode", die_at_line(4))
    with pytest.raises(KilledError):
        rows_of(tiny_gguf, out)
    lines = [json.loads(line) for line in (out / "waves.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["index"] for line in lines if line["event"] == "wave"] == [0, 1]
    monkeypatch.undo()
    assert rows_of(tiny_gguf, out) == whole


def test_waves_of_another_build_are_not_resumed(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A runtime of the same version that had been compiled again in the meantime gave the rest of the rows."""
    whole = rows_of(tiny_gguf, tmp_path / "whole")
    out = tmp_path / "killed"
    encode = die_at_line(2)

    def encode_as_another(message: Any) -> str:
        if isinstance(message, protocol.TargetInfo):
            message = replace(message, system_info="CPU : another")
        return encode(message)

    monkeypatch.setattr("fdd_edge.operations.kept_waves.encode", encode_as_another)
    with pytest.raises(KilledError):
        rows_of(tiny_gguf, out)
    monkeypatch.undo()
    assert rows_of(tiny_gguf, out) == whole
    assert "test: system_info of local has changed, so the evaluation starts over" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new"), [(b'"text": "', b'"text": "7'), (b'"n_tokens": 1', b'"n_tokens": 2'), (b"wave", b"w\xffve")]
)
def test_a_damaged_wave_is_decoded_again(
    tiny_gguf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    old: bytes,
    new: bytes,
) -> None:
    """A flipped bit was reported as the model's answer; a byte that is not UTF-8 ended every later call."""
    whole = rows_of(tiny_gguf, tmp_path / "whole")
    out = tmp_path / "killed"
    monkeypatch.setattr("fdd_edge.operations.kept_waves.encode", die_at_line(3))
    with pytest.raises(KilledError):
        rows_of(tiny_gguf, out)
    monkeypatch.undo()
    journal = out / "waves.jsonl"
    info, first, second = journal.read_bytes().splitlines(keepends=True)
    assert old in first
    journal.write_bytes(info + first.replace(old, new, 1) + second)
    assert rows_of(tiny_gguf, out) == whole
    assert "waves.jsonl: 1 damaged line is not used; what is missing is made again" in capsys.readouterr().err


def test_a_kill_while_the_journal_is_rewritten_costs_no_wave(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was emptied before its lines were written again."""
    out = tmp_path / "killed"
    monkeypatch.setattr("fdd_edge.operations.kept_waves.encode", die_at_line(3))
    with pytest.raises(KilledError):
        rows_of(tiny_gguf, out)
    before = (out / "waves.jsonl").read_bytes()
    code = f"""
import resource
from pathlib import Path
from fdd_edge.runs.journal import Journal
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # the first long write ends the process
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
Journal(Path({str(out / "waves.jsonl")!r}), "x").rewrite(['{{"event": "' + "x" * 1000 + '"}}'] * 3)
"""
    ran = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert ran.returncode == -signal.SIGXFSZ
    assert (out / "waves.jsonl").read_bytes() == before
    monkeypatch.undo()
    assert len(rows_of(tiny_gguf, out).splitlines()) == 7
    assert {p.name for p in out.iterdir()} == {"rows.jsonl", "timing.json", "summary.json"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"seconds": ', '"seconds": 1e308, "x": ', "a kept line cannot be used (Timing has no field 'x')"),
        ('"peak_rss_bytes": ', '"peak_rss_bytes": -1', "a kept line cannot be used (the field 'peak_rss_bytes'"),
        ('"n_tokens": 1', '"n_tokens": 9', "test: kept wave 0 cannot be used ("),
    ],
)
def test_a_kept_wave_that_cannot_be_used_is_dropped(
    tiny_gguf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    old: str,
    new: str,
    said: str,
) -> None:
    """What a board had sent was sealed unread, and every later call ended in a traceback."""
    whole = rows_of(tiny_gguf, tmp_path / "whole")
    out = tmp_path / "killed"
    real = die_at_line(3)

    def encode(message: Any) -> str:
        line = real(message)
        return line.replace(old, new, 1) if '"index": 0' in line else line

    monkeypatch.setattr("fdd_edge.operations.kept_waves.encode", encode)
    with pytest.raises(KilledError):
        rows_of(tiny_gguf, out)
    monkeypatch.undo()
    assert rows_of(tiny_gguf, out) == whole
    assert said in capsys.readouterr().err


def test_another_command_for_the_same_folder_costs_no_wave(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It deleted the finished waves of the first, without a word."""

    def ask(problems: list[Problem]) -> None:
        evaluate_file(tiny_gguf, problems, tmp_path / "out", runtime=LOCAL, asking=ASKING)

    for problems, dies_at in ((PROBLEMS, 3), (PROBLEMS[:3], 2)):
        monkeypatch.setattr("fdd_edge.operations.kept_waves.encode", die_at_line(dies_at))
        with pytest.raises(KilledError):
            ask(problems)
    (kept,) = tmp_path.glob(".out.partial-*")
    assert ".out.partial holds unfinished work of another command" in (said := capsys.readouterr().err)
    assert f"It is kept as {kept}: the same command for this output resumes it." in said
    assert [line.count('"event": "wave"') for line in (kept / "waves.jsonl").read_text().splitlines()] == [0, 1, 1]
    monkeypatch.setattr("fdd_edge.operations.kept_waves.encode", die_at_line(5))
    with pytest.raises(KilledError):
        ask(PROBLEMS)
    said = capsys.readouterr().err
    assert "going on from the unfinished work of this command" in said
    lines = (tmp_path / ".out.partial" / "waves.jsonl").read_text().splitlines()
    assert [json.loads(line)["index"] for line in lines if '"event": "wave"' in line][:3] == [0, 1, 2]
    monkeypatch.undo()
    ask(PROBLEMS)
    assert len(read_rows(tmp_path / "out")) == 7


def test_waves_of_another_file_are_not_resumed(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two evaluations of different files in one folder wrote into one journal, which either would go on from."""
    other = tmp_path / "other.gguf"
    weights = bytearray(tiny_gguf.read_bytes())
    weights[-4000:] = bytes(4000)
    other.write_bytes(weights)
    whole = rows_of(tiny_gguf, tmp_path / "whole")
    out = tmp_path / "killed"
    monkeypatch.setattr("fdd_edge.operations.kept_waves.encode", die_at_line(3))
    with pytest.raises(KilledError):
        rows_of(other, out)
    monkeypatch.undo()
    assert rows_of(tiny_gguf, out) == whole


def test_a_file_that_is_written_over_meanwhile_gives_no_number(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report named the hash from before, with replies of both files."""
    model = tmp_path / "model.gguf"
    model.write_bytes(tiny_gguf.read_bytes())

    def encode(message: Any) -> str:
        with model.open("r+b") as file:
            file.seek(-4000, 2)
            file.write(bytes(4000))
        return protocol.encode(message)

    monkeypatch.setattr("fdd_edge.operations.kept_waves.encode", encode)
    with pytest.raises(FddError, match=r"model\.gguf was changed while it was being evaluated"):
        evaluate_file(model, PROBLEMS, tmp_path / "out", runtime=LOCAL, asking=ASKING)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.rglob("waves.jsonl"))


def test_a_file_that_is_written_over_and_then_fails_is_said_to_have_changed(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of another model gave logits that are not finite, and the CPU was blamed."""
    model = tmp_path / "model.gguf"
    model.write_bytes(tiny_gguf.read_bytes())

    def encode(message: Any) -> str:
        with model.open("r+b") as file:
            file.seek(-100_000, 2)
            file.write(b"\xff" * 100_000)
        return protocol.encode(message)

    monkeypatch.setattr("fdd_edge.operations.kept_waves.encode", encode)
    with pytest.raises(FddError, match=r"model\.gguf was changed while it was being evaluated"):
        evaluate_file(model, PROBLEMS, None, runtime=LOCAL, asking=ASKING)


def test_a_file_that_is_changed_and_changed_back_gives_no_number(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash at the end was the one at the beginning; replies of another file were in between."""
    model = tmp_path / "model.gguf"
    model.write_bytes(tiny_gguf.read_bytes())

    def encode(message: Any) -> str:
        away = model.rename(tmp_path / "away.gguf")
        model.write_bytes(bytes(100))
        away.rename(model)
        return protocol.encode(message)

    monkeypatch.setattr("fdd_edge.operations.kept_waves.encode", encode)
    with pytest.raises(FddError, match=r"model\.gguf was changed while it was being evaluated"):
        evaluate_file(model, PROBLEMS, tmp_path / "out", runtime=LOCAL, asking=ASKING)
    assert not list(tmp_path.rglob("waves.jsonl"))


def test_a_new_link_to_a_file_and_other_rights_change_no_model(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours of work must not be refused because a backup made a link."""
    model = tmp_path / "model.gguf"
    model.write_bytes(tiny_gguf.read_bytes())

    def encode(message: Any) -> str:
        if not (tmp_path / "link").exists():
            os.link(model, tmp_path / "link")
            model.chmod(0o400)
        return protocol.encode(message)

    monkeypatch.setattr("fdd_edge.operations.kept_waves.encode", encode)
    assert evaluate_file(model, PROBLEMS, None, runtime=LOCAL, asking=ASKING).evaluation.summary.n == 7


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answer": "x"}, "in line 1, the answer 'x' is not a number"),
        ({"answer": True}, "the answer True is not a number"),
        ({"sample": None}, "the sample None is not a number from 0"),
        ({"sample": -1}, "the sample -1 is not"),
        ({"text": 5}, "is not a text"),
        ({"program": 5}, "the program is not a text"),
        ({"problem_id": ["a"]}, "is not a text"),
        ({"problem_id": "p1"}, "holds sample 0 of 'p1' 2 times, so it is damaged"),
    ],
)
def test_a_damaged_row_is_named(tiny_gguf: Path, tmp_path: Path, change: dict[str, object], said: str) -> None:
    """`split` ended in a traceback for an answer that was a text, and counted a copied row twice."""
    rows_of(tiny_gguf, tmp_path / "out")
    path = tmp_path / "out" / "rows.jsonl"
    first, *others = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([json.dumps(json.loads(first) | change), *others]) + "\n", encoding="utf-8")
    with pytest.raises(FddError, match=re.escape(said)):
        read_rows(tmp_path / "out")


@pytest.mark.parametrize("moment", ["before the rename", "after the rename"])
def test_an_evaluation_that_was_killed_at_its_end_goes_on(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The same command ended in a traceback, and the one after it refused the folder as another's."""
    out = tmp_path / "out"
    replace_path, unlink = Path.replace, Path.unlink

    def die_at_rename(self: Path, target: Path) -> Path:
        if target == out:
            raise KilledError
        return replace_path(self, target)

    def die_after_rename(self: Path, missing_ok: bool = False) -> None:
        if self.parent == out:
            raise KilledError
        unlink(self, missing_ok)

    if moment == "before the rename":
        monkeypatch.setattr(Path, "replace", die_at_rename)
    else:
        monkeypatch.setattr(Path, "unlink", die_after_rename)
    with pytest.raises(KilledError):
        evaluate_file(tiny_gguf, PROBLEMS, out, runtime=LOCAL, asking=ASKING)
    monkeypatch.undo()
    again = evaluate_file(tiny_gguf, PROBLEMS, out, runtime=LOCAL, asking=ASKING)
    assert again.evaluation.summary.n == 7
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    assert {path.name for path in out.iterdir()} == {"rows.jsonl", "timing.json", "summary.json"}
    with pytest.raises(FddError, match="already exists"):
        evaluate_file(tiny_gguf, PROBLEMS[1:], out, runtime=LOCAL, asking=ASKING)


def test_a_second_evaluation_for_a_folder_in_use_is_refused(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second deleted the waves of the first, which then added to the second's journal."""
    out = tmp_path / "out"
    refused: list[str] = []

    def encode(message: Any) -> str:
        if not refused:
            ran = fdd_edge("eval", str(tiny_gguf), "--data", "symbolic:train", "--limit", "2", "-o", str(out))
            refused.append(f"{ran.returncode} {ran.stderr}")
        return protocol.encode(message)

    monkeypatch.setattr("fdd_edge.operations.kept_waves.encode", encode)
    evaluate_file(tiny_gguf, PROBLEMS, out, runtime=LOCAL, asking=ASKING)
    assert refused[0].startswith("2 ")
    assert f"out is in use by process {os.getpid()}; wait for it, or stop it." in refused[0]
    assert len(read_rows(out)) == 7


def test_a_file_is_evaluated_without_leaving_anything_behind(tiny_gguf: Path) -> None:
    found = evaluate_file(tiny_gguf, PROBLEMS[:2], None, runtime=LOCAL, asking=ASKING)
    assert [row.problem_id for row in found.completions] == ["p0", "p1"]
    assert found.evaluation.summary.n == 2
    assert list(found.to_row()) == ["path", "sha256", "bytes", "recipe", "parity"]
    assert (found.recipe, found.parity) == (None, "none")


def test_an_evaluation_that_is_kept_is_the_folder_of_a_run(tiny_gguf: Path, tmp_path: Path) -> None:
    evaluate_file(tiny_gguf, PROBLEMS, tmp_path / "kept", runtime=LOCAL, asking=ASKING)
    assert (tmp_path / "kept" / "rows.jsonl").read_bytes() == rows_of(tiny_gguf, tmp_path / "other")
    assert {p.name for p in (tmp_path / "kept").iterdir()} == {"rows.jsonl", "timing.json", "summary.json"}
    with pytest.raises(FddError, match="kept already exists; choose another folder"):
        evaluate_file(
            tiny_gguf, PROBLEMS, tmp_path / "kept", runtime=LOCAL, asking=replace(ASKING, prompt="{question}:")
        )


def test_the_report_is_what_eval_prints(tiny_gguf: Path, tmp_path: Path) -> None:
    data = [{"question": p.question, "answer": p.answer} for p in PROBLEMS[:2]]
    result = api.evaluate(tiny_gguf, data, prompt=None, max_new_tokens=12, batch_size=2, threads=1, wave=2)
    report = result.to_dict()
    wanted = {
        "n",
        "distinct",
        "correct",
        "accuracy",
        "ci95",
        "verdicts",
        "problems_per_second",
        "tokens_per_second",
        "peak_rss_mb",
    }
    assert wanted | {"peak_rss_mb", "artifact", "parity", "target", "data", "settings", "versions", "skipped"} == set(
        report
    )
    assert set(report["artifact"]) == {"path", "sha256", "bytes", "recipe"}
    assert json.loads(json.dumps(report))["verdicts"] == report["verdicts"]
    assert (report["n"], report["parity"], report["artifact"]["path"]) == (2, "none", str(tiny_gguf))
    assert len(result.rows) == 2


def test_no_problems_is_one_sentence(tiny_gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(FddError, match="There are no problems to evaluate"):
        evaluate(tmp_path, artifact=tiny_gguf, problems=[], runtime=LOCAL, asking=ASKING)


def test_a_file_without_any_prompt_ends_in_one_sentence(
    tiny_gguf: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It said first that questions go through the chat template, and then that there is none."""
    caplog.set_level("INFO", logger="fdd_edge")
    content, bare = tiny_gguf.read_bytes(), tmp_path / "bare.gguf"
    for key in (b"fdd_edge.prompt_template", b"tokenizer.chat_template"):
        content = content.replace(key, key[:-1] + b"_")
    bare.write_bytes(content)
    assert describe_model(tiny_gguf).has_chat_template
    assert not describe_model(bare).has_chat_template
    with pytest.raises(FddError, match=r"stores neither a prompt nor a chat template"):
        api.evaluate(bare, [{"question": "1 + 1?", "answer": 2}])
    with pytest.raises(FddError, match=r"stores neither a prompt nor a chat template"):
        api.solve(bare, "1 + 1?")
    assert "chat template" not in caplog.text


def test_every_command_that_reads_problems_takes_names_of_columns(tiny_gguf: Path, tmp_path: Path) -> None:
    """Only eval and train did, so what they read could not be split, nor compared on."""
    data = tmp_path / "own.csv"
    fields: dict[str, Any] = {"question_field": "ask", "answer_field": "reply"}
    data.write_text("ask,reply\n1 + 1?,2\n2 + 2?,4\n", encoding="utf-8")
    api.evaluate(tiny_gguf, data, output=tmp_path / "answers", max_new_tokens=4, threads=1, **fields)
    split = api.split(data, tmp_path / "answers", tmp_path / "split", **fields)
    assert sum(split.counts.values()) == 2
    command = ["split", str(data), str(tmp_path / "answers"), "-o", str(tmp_path / "again")]
    ran = CliRunner().invoke(cli, [*command, "--question-field", "ask", "--answer-field", "reply"])
    assert ran.exit_code == 0, ran.output
    wrong: dict[str, Any] = {"prompts": data, "question_field": "nope"}
    with pytest.raises(FddError, match=r"own\.csv:2 has no column 'nope'; its columns are 'ask', 'reply'"):
        api.export("tiny", "gguf-f32", tmp_path / "out", **wrong)
    with pytest.raises(FddError, match=r"own\.csv:2 has no column 'nope'; its columns are 'ask', 'reply'"):
        api.certify(tiny_gguf, "tiny", recipe="gguf-f32", **wrong)
    with pytest.raises(FddError, match="name columns of prompts; give prompts too"):
        api.export("tiny", "gguf-f32", tmp_path / "out", question_field="ask")


def test_a_file_in_the_current_folder_has_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`eval model.gguf other.gguf -o out` had no folder for the first one."""
    monkeypatch.chdir(tmp_path)
    assert name_of_artifact(Path("model.gguf")) == tmp_path.name
    assert name_of_artifact(Path("/model.gguf")) == "model.gguf"
    assert name_of_artifact(Path("mine.gguf")) == "mine.gguf"
