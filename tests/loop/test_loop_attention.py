"""A run that lets its target choose the attention: once, for all rounds, and again only if the choice is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import fdd_edge

pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")

pytestmark = pytest.mark.slow

SMALL = Path(__file__).with_name("small.yaml")


def run(out: Path) -> str:
    ran = fdd_edge("run", SMALL, "--no-parity", "--set", "decoding.flash_attention=null", "-o", out)
    assert ran.returncode == 0, ran.stderr
    return ran.stderr


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_all_rounds_decode_with_the_attention_that_was_measured_first(tmp_path: Path) -> None:
    """Rounds are compared with one another, so chance must not choose for each of them."""
    out = tmp_path / "run"
    kept = out / "round-00/eval/local/attention.json"
    assert run(out).count("local: 8 replies at a time are ") == 1
    assert read(kept).keys() == {"flash", "standard_seconds", "flash_seconds"}
    summaries = [*out.glob("round-*/eval/local/*/*/summary.json")]
    assert {path.relative_to(out).parts[0] for path in summaries} == {"round-00", "round-01"}
    for path in summaries:
        assert read(path)["settings"]["flash_attention"] is read(kept)["flash"], path
    benches = [*out.glob("round-*/eval/local/*/bench.json")]
    assert [read(path)["flash_attention"] for path in benches] == 2 * [read(kept)["flash"]]
    assert "is made again" not in run(out)
    # The files of the first round are gone by now, and it is measured with one of them.
    kept.unlink()
    assert run(out).count("local: 8 replies at a time are ") == 1
    assert kept.is_file()
