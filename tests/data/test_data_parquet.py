"""Parquet files are read like JSON lines with the same content."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fdd_edge.data import read_dataset
from fdd_edge.errors import FddError
from fdd_edge.records import write_jsonl

pyarrow = pytest.importorskip("pyarrow", reason="needs: pip install 'fdd-edge[hub]'")

ROWS = [{"question": f"Ann has {n} pens. How many?", "answer": f"She has {n}.\n#### {n}"} for n in range(1, 6)]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    from pyarrow import Table, parquet

    parquet.write_table(Table.from_pylist(rows), path)
    return path


def test_the_same_problems_as_from_json_lines(tmp_path: Path) -> None:
    lines = tmp_path / "set.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    assert read_dataset(write(tmp_path / "set.parquet", ROWS)) == read_dataset(lines)


def test_rows_are_numbered_and_limited_across_parts(tmp_path: Path) -> None:
    parts = [write(tmp_path / f"{n}.parquet", rows) for n, rows in enumerate((ROWS[:2], ROWS[2:]))]
    whole = read_dataset(write(tmp_path / "set.parquet", ROWS))
    assert read_dataset(*parts, name="set") == whole
    assert [p.id for p in read_dataset(*parts, name="set", limit=3).problems] == ["set-1", "set-2", "set-3"]


def test_values_that_json_cannot_represent_can_be_written_again(tmp_path: Path) -> None:
    row = {
        "question": "How much?",
        "answer": Decimal("2.50"),
        "day": date(2024, 2, 29),
        "score": float("nan"),
        "picture": b"\x89PNG",
        "nested": [{"mark": b"x"}],
        "tags": ["a", "b"],
        "missing": None,
    }
    (problem,) = read_dataset(write(tmp_path / "set.parquet", [row])).problems
    assert problem.answer == 2.5
    assert problem.extra == {"day": "2024-02-29", "score": "NaN", "tags": ["a", "b"], "missing": None}
    write_jsonl(tmp_path / "again.jsonl", [problem.to_row()])


@pytest.mark.parametrize("keep", [4, 200])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, keep: int) -> None:
    path = write(tmp_path / "set.parquet", ROWS)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FddError, match=r"set\.parquet is not a complete Parquet file") as caught:
        read_dataset(path)
    assert "\n" not in str(caught.value)
