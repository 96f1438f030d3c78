"""CSV and TSV files: a header with the names of the columns, then a row per problem."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fdd_edge.data import Columns, read_dataset
from fdd_edge.errors import FddError
from fdd_edge.resolve.dataset import DatasetOptions

CSV = 'question,answer,program\n"Ana has 3, Ben 2.\nHow many?",5,answer = 3 + 2\nHalf of 8?,"4 pens",\n,,\n'


def answers(path: Path, columns: Columns | None = None) -> list[tuple[str, int | float, str | None]]:
    return [(p.question, p.answer, p.program) for p in read_dataset(path, columns=columns).problems]


@pytest.mark.parametrize("name", ["set.csv", "SET.CSV", "set.csv.gz", "set.gz"])
def test_the_header_names_the_columns(tmp_path: Path, name: str) -> None:
    """CSV was "not in a known data format"."""
    (path := tmp_path / name).write_bytes(gzip.compress(CSV.encode()) if name.endswith("gz") else CSV.encode())
    assert answers(path) == [("Ana has 3, Ben 2.\nHow many?", 5, "answer = 3 + 2"), ("Half of 8?", 4, None)]
    assert not DatasetOptions("data/set.csv").is_on_hub


@pytest.mark.parametrize("sign", ["\t", ";"])
def test_other_separators_a_byte_order_mark_and_windows_line_ends(tmp_path: Path, sign: str) -> None:
    text = f"question{sign}answer\r\nOne, two, how many?{sign}2\r\n"
    (path := tmp_path / "set.tsv").write_text(text, encoding="utf-8-sig", newline="")
    assert answers(path) == [("One, two, how many?", 2, None)]


def test_formats_and_named_columns_apply(tmp_path: Path) -> None:
    (path := tmp_path / "set.csv").write_text('problem,solution\n"1 + 1?",It is \\boxed{2}\n', encoding="utf-8")
    assert answers(path) == [("1 + 1?", 2, None)]
    (path := tmp_path / "own.csv").write_text("ask,reply\n1 + 1?,2\n", encoding="utf-8")
    assert answers(path, Columns("ask", "reply")) == [("1 + 1?", 2, None)]
    with pytest.raises(FddError, match=r"its first line has the columns 'ask', 'reply'; name those"):
        read_dataset(path)


def test_standard_input_is_a_table_if_it_begins_like_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(CSV.encode())))
    assert [problem.id for problem in read_dataset(Path("-")).problems] == ["stdin-2", "stdin-4"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('question,answer\n"Never closed,5\nNext?,6\n', "set.csv:2 is not valid CSV: unexpected end of data."),
        (
            "question,answer\nOne, two?,5\n",
            "set.csv:2 has 3 cells, and its header has 2: put a cell that contains the separator into quotes.",
        ),
        ("question,question\nA?,5\n", "set.csv:1 names the column 'question' twice; rename one."),
        ("question,answer\n", "set.csv has no problems."),
        ("question,answer\n,5\n", "set.csv:2 has a 'question' that is not text (format jsonl)."),
        ("question,answer\nWhy?\n", "set.csv has no problem with a numeric answer (1 skipped: not numeric: None)."),
    ],
)
def test_what_is_wrong_names_the_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "set.csv").write_text(text, encoding="utf-8")
    with pytest.raises(FddError) as caught:
        read_dataset(tmp_path / "set.csv")
    assert str(caught.value).replace(f"{tmp_path}/", "") == message
