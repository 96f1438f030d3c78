"""The figures of one evaluation, as JSON."""

from __future__ import annotations

from dataclasses import fields

from fdd_edge.evaluation import Summary
from fdd_edge.intervals import wilson
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.operations.figures import EvaluationFigures


def test_every_field_is_a_key_with_the_counts_in_place_of_the_summary() -> None:
    verdicts = dict.fromkeys(map(str, Verdict), 0) | {"correct": 3, "wrong": 1, "no_program": 4}
    figures = EvaluationFigures(
        target="local",
        recipe="gguf-q8_0",
        dataset="valid",
        summary=Summary(8, 3, 3 / 8, wilson(3, 8), verdicts),
        problems_per_second=48.0,
        emulated=False,
        bytes=400_000,
        peak_rss_bytes=None,
        change=-0.125,
    )
    row = figures.to_row()
    names = [field.name for field in fields(EvaluationFigures) if field.name != "summary"]
    assert set(row) == {*names, "n", "correct", "ci95", "no_answer"}
    assert {name: row[name] for name in names} == {name: getattr(figures, name) for name in names}
    assert (row["n"], row["correct"], row["no_answer"]) == (8, 3, 4)
    assert row["ci95"] == list(wilson(3, 8))
