"""Evaluating a file on the local target: wave by wave, resumed, the same rows every time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fdd_edge import api
from fdd_edge.errors import FddError
from fdd_edge.ondevice import protocol
from fdd_edge.ondevice.protocol import Decoding
from fdd_edge.operations.evaluate import Asking, evaluate, evaluate_file, read_evaluation, read_rows
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
    monkeypatch.setattr("fdd_edge.operations.evaluate.encode", die_at_line(2))
    with pytest.raises(KilledError):
        rows_of(tiny_gguf, out)
    with (out / "waves.jsonl").open("a", encoding="utf-8") as journal:
        journal.write('{"event": "wave", "index": 1, "compl')
    monkeypatch.setattr("fdd_edge.operations.evaluate.encode", die_at_line(4))
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
    monkeypatch.setattr("fdd_edge.operations.evaluate.encode", die_at_line(2))
    with pytest.raises(KilledError):
        rows_of(tiny_gguf, out)
    monkeypatch.undo()
    journal = out / "waves.jsonl"
    info, wave = (json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines())
    info["system_info"] = "CPU : another"
    wave["completions"][0]["text"] = "of another build"
    journal.write_text(f"{json.dumps(info)}\n{json.dumps(wave)}\n", encoding="utf-8")
    assert rows_of(tiny_gguf, out) == whole
    assert "test: system_info of local has changed, so the evaluation starts over" in capsys.readouterr().err


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
        evaluate_file(tiny_gguf, PROBLEMS, tmp_path / "kept", runtime=LOCAL, asking=ASKING)


def test_the_report_is_what_eval_prints(tiny_gguf: Path, tmp_path: Path) -> None:
    data = [{"question": p.question, "answer": p.answer} for p in PROBLEMS[:2]]
    result = api.evaluate(tiny_gguf, data, prompt=None, max_new_tokens=12, batch_size=2, threads=1, wave=2)
    report = result.to_dict()
    wanted = {"n", "correct", "accuracy", "ci95", "verdicts", "problems_per_second", "tokens_per_second", "peak_rss_mb"}
    assert wanted | {"artifact", "parity", "target", "data", "skipped"} == set(report)
    assert set(report["artifact"]) == {"path", "sha256", "bytes", "recipe"}
    assert json.loads(json.dumps(report))["verdicts"] == report["verdicts"]
    assert (report["n"], report["parity"], report["artifact"]["path"]) == (2, "none", str(tiny_gguf))
    assert len(result.rows) == 2


def test_no_problems_is_one_sentence(tiny_gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(FddError, match="There are no problems to evaluate"):
        evaluate(tmp_path, artifact=tiny_gguf, problems=[], runtime=LOCAL, asking=ASKING)
