"""The attention of an evaluation: measured on the target once, kept, and part of what the evaluation depends on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lying import make_runner_lie

pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")

from fdd_edge.ondevice.protocol import Decoding, Settings
from fdd_edge.operations import attention_choice
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.attention_choice import decide_attention, measure_attention
from fdd_edge.operations.evaluate import evaluate_file
from fdd_edge.records import Problem
from fdd_edge.runs.fingerprint import plain
from fdd_edge.targets import FalseAnswerError, TargetRuntime, load_profile, open_session

ASKING = Asking(Decoding(max_new_tokens=6, batch_size=4, threads=1), prompt="{question}=")
LOCAL = TargetRuntime(load_profile("local"), "gguf")
PROBLEMS = [Problem(f"p{n}", f"{n} + {n}", 2 * n, "test") for n in range(4)]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The sessions that are opened to measure, with an empty cache."""
    found: list[Any] = []

    @contextmanager
    def counted(*arguments: Any, **options: Any) -> Iterator[Any]:
        found.append(arguments)
        with open_session(*arguments, **options) as session:
            yield session

    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(attention_choice, "open_session", counted)
    return found


def test_a_target_is_measured_once_for_all_files_of_a_shape(
    opened: list[Any], tiny_gguf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise chance could decide that one of two quantizations is decoded otherwise than the other."""
    first = decide_attention(ASKING, LOCAL, tiny_gguf)
    assert first.decoding.flash_attention is not None
    assert "local: 4 replies at a time are " in capsys.readouterr().err
    other = tmp_path / "other.gguf"
    other.write_bytes(tiny_gguf.read_bytes() + b"\0")
    assert decide_attention(ASKING, LOCAL, other) == first
    assert len(opened) == 1
    decide_attention(replace(ASKING, decoding=replace(ASKING.decoding, batch_size=5)), LOCAL, tiny_gguf)
    assert len(opened) == 2


def test_a_damaged_choice_is_measured_again(opened: list[Any], tiny_gguf: Path, tmp_path: Path) -> None:
    decide_attention(ASKING, LOCAL, tiny_gguf)
    (kept,) = (tmp_path / "cache" / "attention").iterdir()
    kept.write_text('{"flash": true')
    decide_attention(ASKING, LOCAL, tiny_gguf)
    assert len(opened) == 2
    assert json.loads(kept.read_text()).keys() == {"flash", "standard_seconds", "flash_seconds"}


@pytest.mark.parametrize("flash", [True, False])
def test_what_is_asked_for_is_not_measured(opened: list[Any], flash: bool, tiny_gguf: Path) -> None:
    asking = ASKING.with_attention(flash=flash)
    assert decide_attention(asking, LOCAL, tiny_gguf).decoding.flash_attention is flash
    assert not opened


def test_an_emulated_board_is_not_measured() -> None:
    """Its times are the emulator's, and the measurement would take a minute."""
    board = load_profile("rpi5-emulated")
    assert not ASKING.leaves_attention_open(TargetRuntime(board, "gguf"))
    assert not ASKING.leaves_attention_open(TargetRuntime(load_profile("local"), "onnx"))


def test_a_pool_is_measured_on_the_first_board_that_answers(
    tiny_gguf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "away.yaml").write_text('{"transport": "ssh", "host": "nobody.invalid", "threads": 1}')
    (tmp_path / "here.yaml").write_text('{"transport": "local", "threads": 1}')
    (tmp_path / "pool.yaml").write_text('{"transport": "pool", "pool": ["./away.yaml", "./here.yaml"]}')
    pool = TargetRuntime(load_profile(str(tmp_path / "pool.yaml")), "gguf")
    measure_attention(tmp_path / "choice.json", artifact=tiny_gguf, runtime=pool, threads=1, batch_size=4)
    assert json.loads((tmp_path / "choice.json").read_text())["flash_seconds"] > 0
    said = capsys.readouterr().err
    assert "Measuring another board of the pool." in said
    assert "here: 4 replies at a time are " in said


def test_the_choice_is_part_of_an_evaluation(tiny_gguf: Path) -> None:
    """It changes the last bits of logits, and so a text now and then."""
    with_flash, without = (
        evaluate_file(tiny_gguf, PROBLEMS, None, runtime=LOCAL, asking=ASKING.with_attention(flash=flash))
        for flash in (True, False)
    )
    assert with_flash.evaluation.facts.settings["flash_attention"] is True
    assert with_flash.evaluation.timing.target["flash_attention"] is True
    assert without.evaluation.facts.settings["flash_attention"] is False
    assert with_flash.evaluation.facts.fingerprint != without.evaluation.facts.fingerprint


def test_a_stored_evaluation_is_shown_when_the_cache_is_empty(
    opened: list[Any], tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second measurement could choose otherwise, and the folder would be refused."""
    out = tmp_path / "out"
    before = evaluate_file(tiny_gguf, PROBLEMS, out, runtime=LOCAL, asking=ASKING)
    assert len(opened) == 1
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path / "other"))
    again = evaluate_file(tiny_gguf, PROBLEMS, out, runtime=LOCAL, asking=ASKING)
    assert again.completions == before.completions
    assert len(opened) == 1


def test_standard_attention_is_what_it_was_before_there_was_a_choice() -> None:
    """What was decoded then is not outdated."""
    asked = plain(ASKING.decoding)
    assert isinstance(asked, dict)
    assert "flash_attention" not in asked
    assert asked == plain(ASKING.with_attention(flash=False).decoding)
    assert plain(ASKING.with_attention(flash=True).decoding) == asked | {"flash_attention": True}


@pytest.mark.parametrize("flash", [True, False])
def test_a_runner_that_decodes_otherwise_is_refused(
    flash: bool, tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_runner_lie(monkeypatch, tmp_path, f'if name == "ready": event["flash_attention"] = {not flash}')
    settings = Settings(replace(ASKING.decoding, flash_attention=flash))
    with (
        pytest.raises(FalseAnswerError, match=f"{'without' if flash else 'with'} flash attention"),
        open_session(load_profile("local"), tiny_gguf, settings=settings, prompt="{question}"),
    ):
        pass
