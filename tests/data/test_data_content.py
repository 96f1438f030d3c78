"""Gzipped files, pipes and standard input are read as files are, and only once."""

from __future__ import annotations

import gzip
import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from fdd_edge.data import _content, read_dataset
from fdd_edge.errors import FddError
from fdd_edge.operations.user_problems import read_user_problems
from fdd_edge.resolve.dataset import DatasetOptions, check_set, fetch_set, read_set

ROWS = b'{"question": "What is 1 + 1?", "answer": 2}\n{"question": "Why?", "answer": "so"}\n'
PACKED = gzip.compress(ROWS, mtime=0)
"""Without the time, which would give a test another name in each process."""

RECORDS = b'{"id": "a", "question": "1 + 1?", "answer": 2, "source": "me", "origin": "complex", "round": 3}\n'


def give_stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


@contextmanager
def pipe(path: Path, content: bytes) -> Iterator[Path]:
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=[content], daemon=True)
    writer.start()
    yield path
    writer.join(timeout=60)


@pytest.mark.parametrize("name", ["set.jsonl.gz", "set.gz", "set.jsonl"])
def test_a_gzipped_file_is_read_and_named_like_the_file_in_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(ROWS))
    (tmp_path / "plain").mkdir()
    plain = tmp_path / "plain" / "set.jsonl"
    plain.write_bytes(ROWS)
    assert read_dataset(tmp_path / name) == read_dataset(plain)
    assert not DatasetOptions("data/set.jsonl.gz").is_on_hub
    spec = DatasetOptions(str(tmp_path / name))
    check_set(spec)
    assert read_set(spec, fetch_set(spec).files, seed=0).problems[0].id == "set-1"


def test_a_gzipped_parquet_file(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist([{"question": "1 + 1?", "answer": 2}]), tmp_path / "a.parquet")
    packed = tmp_path / "a.parquet.gz"
    packed.write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    assert read_dataset(packed).problems == read_dataset(tmp_path / "a.parquet").problems


@pytest.mark.parametrize("content", [ROWS, PACKED], ids=["plain", "gzipped"])
def test_standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    give_stdin(monkeypatch, content)
    spec = DatasetOptions("-")
    problems, skipped, _ = read_set(spec, fetch_set(spec).files, seed=0)
    assert [(problem.id, problem.answer) for problem in problems] == [("stdin-1", 2)]
    assert skipped == [{"set": "stdin", "item": "line 2", "reason": "not numeric: 'so'"}]


def test_a_pipe(tmp_path: Path) -> None:
    with pipe(tmp_path / "63", ROWS) as path:
        spec = DatasetOptions(str(path))
        problems, *_ = read_set(spec, fetch_set(spec).files, seed=0)
    assert [problem.id for problem in problems] == ["stdin-1"]


def test_records_from_a_pipe_standard_input_and_gzip_keep_their_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pipe(tmp_path / "pipe", RECORDS) as path:
        found = [read_user_problems(path)]
    give_stdin(monkeypatch, RECORDS)
    found.append(read_user_problems("-"))
    (tmp_path / "records.jsonl.gz").write_bytes(gzip.compress(RECORDS))
    found.append(read_user_problems(tmp_path / "records.jsonl.gz"))
    assert [[(p.id, p.source, p.origin, p.round) for p in problems] for problems in found] == [
        [("a", "me", "complex", 3)]
    ] * 3


def test_errors_name_standard_input_and_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    give_stdin(monkeypatch, ROWS + b'{"question": "?"}')
    with pytest.raises(FddError, match=r"^standard input:3 lacks the field 'answer' \(format jsonl\)\.$"):
        read_dataset(Path("-"))
    give_stdin(monkeypatch, RECORDS.replace(b'"id": "a", ', b""))
    with pytest.raises(FddError, match=r"^standard input:1 lacks the field 'id'\.$"):
        read_user_problems("-")
    with pytest.raises(FddError, match=r"^standard input has no problems\.$"):
        read_dataset(Path("-"))


def test_a_pipe_without_a_writer_is_waited_for_aloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`eval --data PIPE` waited without a word."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    said = threading.Event()

    def warn(text: str) -> None:
        assert text == f"Waiting for {path}: nothing was written to it yet. Ctrl-C stops this."
        said.set()
        path.write_bytes(RECORDS)

    monkeypatch.setattr(_content, "warn", warn)
    monkeypatch.setattr(_content, "_PATIENCE", 0.01)
    assert len(read_dataset(path).problems) == 1
    assert said.is_set()


def test_blanks_without_end_are_not_called_a_file_without_problems(tmp_path: Path) -> None:
    """Of three gigabytes of blanks, packed into three megabytes, only the first sixteen megabytes were read."""
    (tmp_path / "set.jsonl.gz").write_bytes(gzip.compress(b" " * (17 << 20)))
    with pytest.raises(
        FddError, match=r"set\.jsonl\.gz begins with more than 16 MB of blanks; it holds no problems\.$"
    ):
        read_dataset(tmp_path / "set.jsonl.gz")


def test_a_run_refuses_what_it_could_not_read_again(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in ("-", str(tmp_path / "pipe")):
        with pytest.raises(FddError) as caught:
            check_set(DatasetOptions(path))
        assert str(caught.value) == f"{path} is a pipe, and a run reads its data again when it resumes; name a file."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (PACKED[:-9], "set.gz is not a complete gzip file: "),
        (PACKED[:12] + b"\xff" * 30, "set.gz is not a complete gzip file: "),
        (gzip.compress(PACKED, mtime=0), "set.gz is packed with gzip twice; unpack it once."),
        (b"PK\x03\x04rest", "set.gz is a zip archive; unpack it, or pack it with gzip, which is read as it is."),
        (b"\xfd7zXZ\x00", "set.gz is a xz archive; unpack it, or pack it with gzip, which is read as it is."),
    ],
)
def test_damaged_and_other_archives(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "set.gz").write_bytes(content)
    with pytest.raises(FddError) as caught:
        read_dataset(tmp_path / "set.gz")
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(message)
    assert "\n" not in str(caught.value)
