"""Runners that lie: one board's lies cost only its own answers, and nothing false is kept for a later call."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lying import make_runner_lie

pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")

from fdd_edge.errors import FddError, TargetError
from fdd_edge.ondevice.protocol import Decoding, Score, Settings
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.bench import measure
from fdd_edge.operations.evaluate import evaluate
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.records import Problem
from fdd_edge.targets import FalseAnswerError, Profile, TargetRuntime, load_profile, open_session

ASKING = Asking(Decoding(max_new_tokens=6, batch_size=2, threads=1, wave=1), answer="number", prompt="{question}=")
PROBLEMS = [Problem(f"p{n}", f"{n} + {n}", 2 * n, "test") for n in range(6)]
RIGHT = """
n = int(event["completions"][0]["problem_id"][1:]) if name == "wave" else 0
claim = {"text": f"The answer is {2 * n}", "answer": 2 * n, "verdict": None, "program": None, "detail": None}
"""
LATER = (
    RIGHT
    + """
if number == 1 and name == "wave":
    event["completions"][0].update(claim) if n_waves < 3 else event["completions"].pop()
"""
)
"""The second runner solves everything, until its third answer is refused."""


def boards(folder: Path) -> Profile:
    for name in ("pi-a", "pi-b"):
        (folder / f"{name}.yaml").write_text('{"transport": "local", "threads": 1}')
    path = folder / "pis.yaml"
    path.write_text(json.dumps({"transport": "pool", "pool": ["./pi-a.yaml", "./pi-b.yaml"]}))
    return load_profile(str(path))


def rows_on(target: Profile, artifact: Path, out: Path, **asking: Any) -> bytes:
    out.mkdir(exist_ok=True)
    runtime = TargetRuntime(target, "gguf")
    evaluate(out, artifact=artifact, problems=PROBLEMS, runtime=runtime, asking=replace(ASKING, **asking), title="test")
    return (out / "rows.jsonl").read_bytes()


def kept(out: Path) -> list[int]:
    path = out / "waves.jsonl"
    lines = map(json.loads, path.read_text().splitlines()) if path.exists() else []
    return [line["index"] for line in lines if line["event"] == "wave"]


@pytest.fixture
def honest(tiny_gguf: Path, tmp_path: Path) -> bytes:
    return rows_on(load_profile("local"), tiny_gguf, tmp_path / "honest")


def test_earlier_answers_of_a_board_that_is_caught_lying_do_not_count(
    honest: bytes,
    tiny_gguf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They stayed in the number, although the board was left out."""
    os.mkfifo(caught := tmp_path / "caught")
    # The honest runner answers once the other one has sent what gives it away.
    turn = f"if name == 'wave' and n_waves == 1 + 2 * number: open({str(caught)!r}, 'rw'[number]).close()"
    make_runner_lie(monkeypatch, tmp_path, LATER + turn)
    assert rows_on(boards(tmp_path), tiny_gguf, tmp_path / "out") == honest
    said = capsys.readouterr().err
    assert re.search(r"pi-[ab]: The runner answered falsely while decoding wave \d of .*: it sent 0 replies", said)
    assert "Continuing without it. Its 2 earlier answers are not used; the others answer again." in said


@pytest.mark.parametrize(
    "lie", [LATER.replace("number == 1 and ", ""), RIGHT + "if name == 'done': event['waves'] = -5"]
)
def test_nothing_of_a_runner_that_is_caught_lying_is_resumed(
    honest: bytes, tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    """Its waves before the lie were in the journal, and the next call went on from them."""
    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        make_runner_lie(patched, tmp_path, lie)
        with pytest.raises(TargetError):
            rows_on(load_profile("local"), tiny_gguf, out)
    assert kept(out) == []
    assert rows_on(load_profile("local"), tiny_gguf, out) == honest


def test_waves_of_earlier_calls_do_not_count_after_a_lie(
    honest: bytes,
    tiny_gguf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nobody knows which board decoded them."""
    out = tmp_path / "out"
    for lie in (LATER.replace("< 3", "< 9") + "if n_waves == 3: os._exit(1)", LATER):
        with monkeypatch.context() as patched:
            make_runner_lie(patched, tmp_path, lie.replace("number == 1 and ", ""))
            with pytest.raises(TargetError):
                rows_on(load_profile("local"), tiny_gguf, out)
    assert "finished waves of earlier calls may come from that device, so they are decoded again" in (
        capsys.readouterr().err
    )
    assert kept(out) == []
    assert rows_on(load_profile("local"), tiny_gguf, out) == honest


@pytest.mark.parametrize("when", ["ready", "wave"])
def test_a_board_that_cannot_read_the_file_is_left_out(
    honest: bytes,
    tiny_gguf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    when: str,
) -> None:
    """One board that called the file broken ended the evaluation for all, and was not named."""
    error = '{"event": "error", "kind": "bad_artifact", "message": "It is broken."}'
    make_runner_lie(monkeypatch, tmp_path, f"if number == 1 and name == {when!r}: event = {error}")
    assert rows_on(boards(tmp_path), tiny_gguf, tmp_path / "out") == honest
    said = capsys.readouterr().err
    assert "pi-a: It is broken. Continuing without it." in said or "pi-b: It is broken. Continuing without it." in said


def test_a_board_that_cannot_read_the_file_is_not_the_one_that_is_measured(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = '{"event": "error", "kind": "bad_artifact", "message": "It is broken."}'
    make_runner_lie(monkeypatch, tmp_path, f"if number == 0 and name == 'ready': event = {error}")
    pool = TargetRuntime(boards(tmp_path), "gguf")
    assert measure(tiny_gguf, runtime=pool, flash_attention=False).target == "pi-b"
    assert "pi-a: It is broken. Measuring another board of the pool." in capsys.readouterr().err


def test_a_file_that_no_board_can_read_is_the_users_fault(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = '{"event": "error", "kind": "bad_artifact", "message": "It is broken."}'
    make_runner_lie(monkeypatch, tmp_path, f"if name == 'wave': event = {error}")
    with pytest.raises(FddError, match=r"pi-[ab]: It is broken\.") as caught:
        rows_on(boards(tmp_path), tiny_gguf, tmp_path / "out")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"prompt": "Quite another {question}"},
            "local answered falsely: it asks with another prompt than it was sent",
        ),
        ({"protocol": 99}, "local answered falsely: it speaks protocol 99, not 6"),
        ({"rendered_at": "1990-01-01T00:00:00"}, "it renders prompts as of 1990-01-01T00:00:00, not of 20"),
        ({"runtime": "onnxruntime"}, "it runs the file with 'onnxruntime', not llama-cpp-python"),
        ({"n_params": -1}, "the field 'n_params' of TargetInfo must be from 0 to"),
        ({"load_seconds": -1e308}, "the field 'load_seconds' of TargetInfo must be from 0 to"),
        ({"cpu": "\ud800"}, "the field 'cpu' of TargetInfo is not valid Unicode"),
    ],
)
def test_what_a_runner_says_about_itself_is_held_against_what_it_was_sent(
    tiny_gguf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, object],
    said: str,
) -> None:
    """All of it was written to timing.json."""
    make_runner_lie(monkeypatch, tmp_path, f"if name == 'ready': event.update({change!r})")
    with pytest.raises(FalseAnswerError) as caught:
        rows_on(load_profile("local"), tiny_gguf, tmp_path / "out")
    assert said in str(caught.value)


def test_the_prompt_that_a_file_stores_is_the_one_that_is_asked(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_runner_lie(monkeypatch, tmp_path, "if name == 'ready': event['prompt'] = 'Another {question}'")
    with pytest.raises(FalseAnswerError, match="it asks with another prompt than it was sent"):
        rows_on(load_profile("local"), tiny_gguf, tmp_path / "out", prompt=None)


def test_one_question_has_one_prompt(tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_runner_lie(
        monkeypatch, tmp_path, "if name == 'wave': event['completions'][0]['prompt_ids_sha'] = '%016x' % n_waves"
    )
    with pytest.raises(FalseAnswerError, match="'p0' has other ids than that of the same question before"):
        rows_on(load_profile("local"), tiny_gguf, tmp_path / "out", num_return_sequences=2)


def test_fields_that_no_version_knows_are_not_kept(
    honest: bytes, tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their names were written to the rows, and half a surrogate pair in one ended every later call."""
    lie = "if name == 'wave': event['completions'][0].update({'x\\ud800': 1, 'correct': True, 'extra': {}})"
    make_runner_lie(monkeypatch, tmp_path, lie)
    assert rows_on(load_profile("local"), tiny_gguf, tmp_path / "out") == honest
    assert not any(row.extra for row in read_rows(tmp_path / "out"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("event['best'] = event['best'][:1]", "1 tokens for 3 positions"),
        ("event['leads'] = event['leads'][:1]", "1 leads for 3 positions"),
        ("event['best'] = [10**400] * 3", "the field 'best' of Scores must be from 0 to"),
        ("event['best'] = [10**6] * 3", "it sent the token 1000000, which has no logit"),
        ("event['leads'] = [10**300] * 3", "the field 'leads' of Scores must be from 0 to"),
        ("event['text_ids'] = [2**40]", "the field 'text_ids' of Scores must be from 0 to"),
        ("event['prompt_ids'] = [-5]", "the field 'prompt_ids' of Scores must be from 0 to"),
        ("event['prompt'] = '\\ud800'", "the field 'prompt' of Scores is not valid Unicode"),
        ("event['unreadable'] = '\\ud800'", "the field 'unreadable' of Scores is not valid Unicode"),
        ("event['logits'] = '!' * len(event['logits'])", "its logits are not 2 rows"),
        ("if n_waves == 0: event['logits'] = 'AAAA' * 4 * number", "its logits are not 2 rows"),
    ],
)
def test_scores_are_held_against_the_text(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, said: str
) -> None:
    """Fewer scores than positions ended in a traceback, or in a certificate."""
    make_runner_lie(monkeypatch, tmp_path, f"if name == 'scores':\n    {change}")
    text = Score("t", "1+1?", "1+1?", (5, 6, 7), (8, 9, 10), (0, 2))
    settings = Settings(Decoding(8, batch_size=2, threads=1))
    with (
        pytest.raises(FalseAnswerError) as caught,
        open_session(load_profile("local"), tiny_gguf, settings=settings) as session,
    ):
        list(session.score([text]))
    assert said in str(caught.value)
