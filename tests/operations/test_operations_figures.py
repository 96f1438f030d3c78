"""The figures of one evaluation, read from its folder, as JSON."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

from fdd_edge.evaluation import Summary
from fdd_edge.intervals import wilson
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.operations.figures import EvaluationFigures, evaluation_figures

TIMING = {
    "artifact_bytes": 400_000,
    "seconds": None,
    "problems_per_second": 48.0,
    "tokens_per_second": 100.0,
    "prompt_tokens_per_second": 900.0,
    "decode_tokens_per_second": 110.0,
    "prompt_tokens": 80,
    "decode_tokens": 40,
    "peak_rss_bytes": 62_000_000,
    "target": {"name": "local", "emulated": False},
}


def test_every_field_is_a_key_with_the_counts_of_the_summary(tmp_path: Path) -> None:
    verdicts = dict.fromkeys(map(str, Verdict), 0) | {"correct": 3, "wrong": 1, "no_program": 4}
    summary = Summary(8, 3, 3 / 8, wilson(3, 8), 8, verdicts)
    (tmp_path / "summary.json").write_text(json.dumps(summary.to_row()))
    (tmp_path / "timing.json").write_text(json.dumps(TIMING))
    figures = evaluation_figures(tmp_path, "local", "gguf-q8_0", "valid")
    row = figures.to_row()
    names = [field.name for field in fields(EvaluationFigures)]
    assert list(row) == names
    assert {name: row[name] for name in names} == {name: getattr(figures, name) for name in names} | {
        "ci95": list(wilson(3, 8))
    }
    assert (row["n"], row["correct"], row["no_answer"]) == (8, 3, 4)
    assert (row["target"], row["recipe"], row["dataset"], row["change"]) == ("local", "gguf-q8_0", "valid", None)
    assert (row["bytes"], row["problems_per_second"], row["emulated"]) == (400_000, 48.0, False)
