"""Which attention a runner decodes with: as told, or whichever a measurement finds faster."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")

from fdd_edge.ondevice import attention_trial
from fdd_edge.ondevice.attention_trial import AttentionTrial, choose_attention
from fdd_edge.ondevice.llamacpp import Model
from fdd_edge.ondevice.protocol import Decoding, RunnerError, Settings


def chosen(
    file: Path,
    *,
    batch_size: int = 4,
    flash: bool | None = None,
    kv: Literal["f16", "f32"] = "f16",
    measured: bool = True,
) -> AttentionTrial:
    decoding = Decoding(batch_size=batch_size, threads=1, flash_attention=flash)
    with Model(str(file)) as model:
        return choose_attention(model, Settings(decoding, kv=kv, choose_attention=measured))


@pytest.mark.parametrize("flash", [True, False])
def test_what_is_asked_for_is_not_measured(flash: bool, tiny_gguf: Path) -> None:
    assert chosen(tiny_gguf, flash=flash) == (flash, None, None)


def test_it_is_measured_for_a_batch(tiny_gguf: Path) -> None:
    found = chosen(tiny_gguf)
    assert found.standard_seconds is not None
    assert found.flash_seconds is not None
    assert 0 < found.standard_seconds < 10
    assert 0 < found.flash_seconds < 10


def test_it_is_standard_where_nobody_asked_for_a_measurement(tiny_gguf: Path) -> None:
    """Then a session depends on its settings alone."""
    assert chosen(tiny_gguf, measured=False) == (False, None, None)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([1.0, 0.9, 1.1, 0.9], (True, 1.0, 0.9)),
        ([1.0, 0.97, 1.0, 0.97], (False, 1.0, 0.97)),
        ([1.0, 1.5, 1.0, 1.5], (False, 1.0, 1.5)),
        ([1.0, 0.9, 0.9, 0.9], (False, 0.9, 0.9)),
    ],
)
def test_it_has_to_be_worth_it_both_times(
    seconds: list[float], expected: AttentionTrial, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On some CPUs flash attention takes longer; where both are alike, the one that rounds less is taken."""
    times = iter(seconds)
    monkeypatch.setattr(attention_trial, "_step_seconds", lambda *_: next(times))
    assert chosen(tiny_gguf) == expected


def test_nothing_is_measured_where_it_does_not_matter(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(tiny_gguf, batch_size=1) == (False, None, None)
    with monkeypatch.context() as patched:
        patched.setattr(attention_trial, "is_emulated", lambda: True)
        assert chosen(tiny_gguf) == (False, None, None)
    with monkeypatch.context() as patched:
        patched.setattr(Model, "keeps_state", True)
        assert chosen(tiny_gguf) == (False, None, None)
    monkeypatch.setattr(attention_trial, "_CELLS", 100_000)
    assert chosen(tiny_gguf) == (False, None, None)


def test_exact_comparisons_use_standard_attention(tiny_gguf: Path) -> None:
    """With a cache in float32, certificates compare runtimes; flash attention rounds to float16 whatever it holds."""
    assert chosen(tiny_gguf, kv="f32") == (False, None, None)
    assert not chosen(tiny_gguf, kv="f32", flash=True).flash


def test_a_file_without_flash_attention_is_decoded_without(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Model.open_context

    def open_context(self: Model, *arguments: object, flash: bool = False) -> object:
        if flash:
            raise RunnerError("bad_artifact", "llama.cpp cannot run this model.")
        return original(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Model, "open_context", open_context)
    assert chosen(tiny_gguf) == (False, None, None)
