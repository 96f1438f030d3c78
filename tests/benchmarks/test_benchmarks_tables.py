"""The tables of docs/results.md are those that the benchmarks print from their recorded results."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "benchmarks" / "results"


def printed_tables(
    name: str, recorded: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """Return the table rows that a benchmark prints from recorded results, without measuring anything."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))  # as when the script itself is run
    monkeypatch.setattr(sys, "argv", [name, "--seeds", "--with", str(recorded), "-o", str(out)])
    import_module(f"benchmarks.{name}").main()
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]


@pytest.mark.parametrize(("name", "recorded"), [("controls", "controls.jsonl"), ("quantization", "onnx.jsonl")])
def test_the_tables_of_the_results_are_those_of_the_recorded_runs(
    name: str, recorded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = printed_tables(name, RECORDED / recorded, tmp_path, monkeypatch, capsys)
    page = set((ROOT / "docs" / "results.md").read_text(encoding="utf-8").splitlines())
    assert len(rows) > 40
    assert [row for row in rows if row not in page] == []
