"""The figures of one evaluation, read from its folder, as JSON."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

from pydantic import TypeAdapter

from fdd_edge.evaluation import CutReplies, ScoredReply, Summary
from fdd_edge.intervals import wilson
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.operations.figures import EvaluationFigures, evaluation_figures
from fdd_edge.records import write_jsonl

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
        "ci95": list(wilson(3, 8)),
        "cut": {"at_limit": 0, "context_full": 0},
    }
    assert (row["n"], row["correct"], row["no_answer"]) == (8, 3, 4)
    assert (row["target"], row["recipe"], row["dataset"], row["change"]) == ("local", "gguf-q8_0", "valid", None)
    assert (row["bytes"], row["problems_per_second"], row["emulated"]) == (400_000, 48.0, False)


def test_cut_replies_are_counted_by_what_cut_them(tmp_path: Path) -> None:
    """They were hidden among the replies without a number."""
    verdicts = dict.fromkeys(map(str, Verdict), 0) | {"unfinished": 3, "no_program": 1}
    replies = [
        ScoredReply(f"p{n}", 0, "so", None, None, verdict, 9, n, "0" * 16, question="?", gold=1)
        for n, verdict in (
            (64, Verdict.unfinished),
            (40, Verdict.unfinished),
            (63, Verdict.unfinished),
            (20, Verdict.no_program),
        )
    ]
    write_jsonl(tmp_path / "rows.jsonl", (reply.to_row() for reply in replies))
    (tmp_path / "timing.json").write_text(json.dumps(TIMING))
    summary = Summary(4, 0, 0.0, wilson(0, 4), 4, verdicts).to_row()
    for settings, cut in (({"max_new_tokens": 64}, CutReplies(1, 2)), ({}, CutReplies(3, 0))):
        # The second one is an evaluation of a version that did not write how it asked.
        (tmp_path / "summary.json").write_text(json.dumps(summary | {"settings": settings}))
        figures = evaluation_figures(tmp_path, "local", "gguf-q8_0", "valid")
        assert figures.cut == cut
        assert figures.no_answer == 4
        assert figures.to_row()["cut"] == {"at_limit": cut.at_limit, "context_full": cut.context_full}


def test_figures_of_a_version_that_counted_no_cut_replies_are_read() -> None:
    figures = EvaluationFigures(
        target="local", recipe="gguf-q8_0", dataset="valid", n=4, distinct=4, correct=1, ci95=(0.1, 0.5), no_answer=2,
        problems_per_second=None, emulated=False, bytes=400_000, peak_rss_bytes=None,
    )  # fmt: skip
    row = figures.to_row()
    assert "cut" not in row
    assert TypeAdapter(EvaluationFigures).validate_python(row) == figures
    counted = {**row, "cut": {"at_limit": 1, "context_full": 0}}
    assert TypeAdapter(EvaluationFigures).validate_python(counted).cut == CutReplies(1)
