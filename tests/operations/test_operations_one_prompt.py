"""One evaluation has one prompt, also where a chat template prints the time and the evaluation is resumed later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sshd
from conftest import write_tiny_gguf

from fdd_edge.ondevice import protocol
from fdd_edge.ondevice.protocol import Decoding, Settings, Shot, Task, plan_waves
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.evaluate import evaluate
from fdd_edge.operations.evaluation_rows import read_rows
from fdd_edge.records import Problem
from fdd_edge.targets import Profile, TargetRuntime, load_profile, open_session

CLOCK = "{{ strftime_now('%f') }}{% for message in messages %} {{ message.content }}{% endfor %}"
"""Prints microseconds, which differ between two renderings as two dates do."""

SAME = [Problem(f"p{n}", "Tom has 3 apples and gets 4. How many?", 7, "test") for n in range(6)]
DECODING = Decoding(max_new_tokens=4, batch_size=1, threads=1, wave=1)
SETTINGS = Settings(DECODING)
WAVES = plan_waves([Task(p.id, 0, p.question) for p in SAME], 1)


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """A model whose chat template prints the time, and which stores no prompt."""
    return write_tiny_gguf(tmp_path / "clock.gguf", template=None, chat_template=CLOCK)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Server]:
    with sshd.serve(tmp_path_factory.mktemp("board") / "server") as running:
        yield running


class KilledError(Exception):
    """Stands for the end of the process."""


def kill_after(n_waves: int, monkeypatch: pytest.MonkeyPatch, **info: Any) -> None:
    """End the process as the next wave is to be written."""
    left = n_waves + 1  # the device comes first

    def encode(event: protocol.Event) -> str:
        nonlocal left
        left -= 1
        if left < 0:
            raise KilledError
        return protocol.encode(replace(event, **info) if isinstance(event, protocol.TargetInfo) else event)

    monkeypatch.setattr("fdd_edge.operations.kept_waves.encode", encode)


def prompts(folder: Path) -> set[str]:
    return {row.prompt_ids_sha for row in read_rows(folder)}


def ask(out: Path, model: Path, target: Profile, asking: Asking) -> None:
    out.mkdir(exist_ok=True)
    evaluate(out, artifact=model, problems=SAME, runtime=TargetRuntime(target, "gguf"), asking=asking)


@pytest.mark.parametrize("prompt", ["chat", None])
@pytest.mark.parametrize("examples", [(), (Shot("1 + 1?", "answer = 1 + 1"),)])
def test_a_resumed_evaluation_keeps_the_prompt_it_began_with(
    prompt: str | None, examples: tuple[Shot, ...], clock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of two days' prompts were reported as one evaluation."""
    asking, out = Asking(DECODING, prompt=prompt, examples=examples), tmp_path / "out"
    kill_after(2, monkeypatch)
    with pytest.raises(KilledError):
        ask(out, clock, load_profile("local"), asking)
    monkeypatch.undo()
    began = json.loads((out / "waves.jsonl").read_text().splitlines()[0])
    ask(out, clock, load_profile("local"), asking)
    assert len(read_rows(out)) == len(SAME)
    assert len(prompts(out)) == 1
    target = json.loads((out / "timing.json").read_text())["target"]
    assert (target["prompt"], target["rendered_at"]) == (began["prompt"], began["rendered_at"])


@pytest.mark.parametrize("kept", ["no time", "a wrong time"])
def test_waves_of_another_prompt_are_not_resumed(
    kept: str,
    clock: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A journal from before the time was kept, or with one that its prompt does not show, cannot be continued."""
    asking, out = Asking(DECODING, prompt="chat"), tmp_path / "out"
    kill_after(2, monkeypatch, rendered_at=None if kept == "no time" else "2001-01-01T00:00:00")
    with pytest.raises(KilledError):
        ask(out, clock, load_profile("local"), asking)
    monkeypatch.undo()
    ask(out, clock, load_profile("local"), asking)
    assert len(prompts(out)) == 1
    assert "prompt of local has changed, so the evaluation starts over" in capsys.readouterr().err


def test_runners_that_share_an_evaluation_render_one_prompt(clock: Path, tmp_path: Path) -> None:
    """Each process rendered the template itself, and one may start before midnight and one after it."""
    pair = load_profile("local").model_copy(update={"processes": 2})
    ask(tmp_path / "out", clock, pair, Asking(DECODING, prompt="chat"))
    assert len(prompts(tmp_path / "out")) == 1


def test_a_board_answers_from_its_waves_only_under_the_same_prompt(
    server: sshd.Server, clock: Path, tmp_path: Path
) -> None:
    """The board kept waves under the word chat, and gave those of yesterday's prompt to today's evaluation."""
    path = tmp_path / "board.yaml"
    path.write_text(json.dumps(server.profile(tmp_path / "home")))
    board = load_profile(str(path))

    def decode(moment: str) -> set[str]:
        with open_session(board, clock, settings=SETTINGS, prompt="chat", rendered_at=moment) as session:
            return {row.prompt_ids_sha for wave in session.complete(WAVES) for row in wave.completions}

    def kept() -> int:
        return len(list((tmp_path / "home" / "waves").glob("*.json")))

    first = decode("2026-01-01T23:59:59.000001")
    assert (len(first), kept()) == (1, len(WAVES))
    assert decode("2026-01-02T00:00:01.000002").isdisjoint(first)
    assert kept() == 2 * len(WAVES)
    assert decode("2026-01-01T23:59:59.000001") == first
    assert kept() == 2 * len(WAVES), "the same prompt was decoded again"


def test_an_evaluation_that_a_board_began_is_resumed_from_its_waves(
    server: sshd.Server, clock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "board.yaml"
    path.write_text(json.dumps(server.profile(tmp_path / "home")))
    board, out, asking = load_profile(str(path)), tmp_path / "out", Asking(DECODING, prompt="chat")
    kill_after(1, monkeypatch)
    with pytest.raises(KilledError):
        ask(out, clock, board, asking)
    monkeypatch.undo()
    kept = {file.name for file in (tmp_path / "home" / "waves").glob("*.json")}
    ask(out, clock, board, asking)
    assert len(prompts(out)) == 1
    waves = {file.name for file in (tmp_path / "home" / "waves").glob("*.json")}
    assert kept < waves
    assert len(waves) == len(WAVES), "a wave that the board had finished was decoded again under another key"
