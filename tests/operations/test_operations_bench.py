"""What a file costs on a target: every figure is present or reported missing, and compared with the budgets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")

from fdd_edge.operations.bench import Measurement, measure, read_measurement, write_measurement
from fdd_edge.targets import TargetRuntime, load_profile


def test_every_figure_of_a_local_file(tiny_gguf: Path) -> None:
    measured = measure(tiny_gguf, runtime=TargetRuntime(load_profile("local"), "gguf"), threads=1)
    assert (measured.target, measured.transport, measured.threads) == ("local", "local", 1)
    assert measured.bytes == tiny_gguf.stat().st_size
    assert measured.load_seconds > 0
    assert measured.first_token_seconds > 0
    assert measured.prompt_tokens_per_second
    assert measured.batch_tokens_per_second
    assert measured.peak_rss_bytes > measured.bytes
    assert measured.device.runtime == "llama-cpp-python"
    assert measured.broken_budgets == []
    assert Measurement.from_dict(json.loads(json.dumps(measured.to_dict()))) == measured


def test_budgets_that_are_exceeded_are_named(tiny_gguf: Path, tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    budgets = {"max_size_mb": 0.001, "max_rss_mb": 1, "min_tokens_per_s": 1e9}
    path.write_text(json.dumps({"extends": "local", "budgets": budgets}))
    runtime = TargetRuntime(load_profile(str(path)), "gguf")
    out = tmp_path / "bench.json"
    budgets_of = runtime.profile.budgets
    write_measurement(out, artifact=tiny_gguf, runtime=runtime, threads=1, flash_attention=True, budgets=budgets_of)
    assert read_measurement(out).flash_attention
    size, memory, speed = read_measurement(out).broken_budgets
    assert size.endswith("MB on disk, at most 0.001 MB allowed")
    assert memory.endswith("MB of memory, at most 1 MB allowed")
    assert speed.endswith("tokens/s, at least 1e+09 required")
