"""A data file takes memory and time by what is asked of it, and a hostile one ends in one sentence."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from fdd_edge.data import _content, _file_limits, _json_array, _rows, open_data, read_dataset
from fdd_edge.data._content import open_content
from fdd_edge.errors import FddError

LINE = json.dumps({"question": "What is 1 + 1?" + " " * 80, "answer": 2}) + "\n"
ARRAY = "[" + ",".join([LINE] * 20_000) + "]"


def peak(path: Path, limit: int) -> tuple[int, int]:
    """Return the number of problems and the peak of Python's own memory in bytes."""
    tracemalloc.start()
    try:
        return len(read_dataset(path, limit=limit).problems), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", ["jsonl", "json", "jsonl.gz"])
def test_a_limit_reads_only_the_beginning(tmp_path: Path, suffix: str) -> None:
    """All of the file was held several times over for its first five problems."""
    path = tmp_path / f"set.{suffix}"
    text = (ARRAY if suffix == "json" else LINE * 20_000).encode()
    path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text + b"this is not JSON")
    problems, memory = peak(path, limit=5)
    assert problems == 5
    assert memory < 2_000_000 < len(text)


@pytest.mark.parametrize("text", [LINE * 3000, "[" + ",\r\n".join([LINE] * 3000) + " ] \n", "\n" * 9000 + LINE * 20])
def test_pieces_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = tmp_path / "set.json"
    path.write_bytes(text.encode())
    whole = read_dataset(path)
    monkeypatch.setattr(_content, "_CHUNK", 7)
    assert read_dataset(path) == whole


@pytest.mark.parametrize("text", ["[1, 2.5e3, -Infinity, true, null]", '["\\u00e9", "\\ud83d\\ude00", "a\\"]"]', "[]"])
@pytest.mark.parametrize("length", [1, 2, 3, 1000])
def test_an_array_cut_anywhere(text: str, length: int) -> None:
    pieces = [text[start : start + length] for start in range(0, len(text), length)]
    found = list(_json_array.JsonArray(Path("a.json"), pieces, json.JSONDecoder()).items())
    assert found == json.loads(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{}\n\n{}]", "set.json:3 is not valid JSON: Expecting ',' delimiter."),
        ("[{},\n", "set.json:2 is not valid JSON: Expecting value."),
        ("[{}]\n]", "set.json:2 is not valid JSON: Extra data."),
        ('[{},\n{"a" 1}' + " " * 99 + "]", "set.json:2 is not valid JSON: Expecting ':' delimiter."),
        ("[{},\n1]", "set.json, item 2, is not a JSON object."),
        ("[" * 100_000, "set.json:1 is nested too deeply."),
        ('{"a": ' * 100_000, "set.json:1 is nested too deeply."),
    ],
)
def test_faults_keep_their_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "set.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FddError) as caught:
        open_data(path)
    assert str(caught.value) == f"{tmp_path}/{message}"


@pytest.mark.parametrize(("start", "what"), [("{", "is longer than"), ("[{", "begins an item longer than")])
def test_one_row_without_end(tmp_path: Path, start: str, what: str) -> None:
    """It is read as far as a row can go."""
    path = tmp_path / "set.json"
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{start}"question": "')
        for _ in range(64):
            file.write("x" * (1 << 20))
    tracemalloc.start()
    with pytest.raises(FddError, match=rf"set\.json:1 {what} 16 MB, too long for a row of problems\.$"):
        read_dataset(path)
    assert tracemalloc.get_traced_memory()[1] < 4 * _file_limits.ROW
    tracemalloc.stop()


def test_a_gzip_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_file_limits, "UNPACKED", 1 << 20)
    path = tmp_path / "set.jsonl.gz"
    path.write_bytes(gzip.compress(LINE.encode() * 100_000))
    with pytest.raises(FddError, match=r"set\.jsonl\.gz unpacks to more than \d+ MB, which is \d+ times its own"):
        read_dataset(path)
    assert len(read_dataset(path, limit=5).problems) == 5


def test_xml_must_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rows, "WHOLE", 1 << 20)
    path = tmp_path / "set.xml"
    path.write_text("<a>" + "x" * (1 << 20), encoding="utf-8")
    with pytest.raises(FddError, match=r"and XML must be in memory whole; split it\.$"):
        read_dataset(path)


def repeated(path: Path, question: str, n: int) -> Path:
    """Write a Parquet file with the same question n times, which takes as much room as once."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    indices = pyarrow.array([0]).take(pyarrow.array([0] * 1000))
    questions = pyarrow.chunked_array([pyarrow.DictionaryArray.from_arrays(indices, [question])] * (n // 1000))
    answers = pyarrow.chunked_array([pyarrow.array([1] * 1000)] * (n // 1000))
    parquet.write_table(pyarrow.table({"question": questions, "answer": answers}), path, compression="zstd")
    return path


def test_parquet_is_read_as_far_as_the_limit(tmp_path: Path) -> None:
    problems, memory = peak(repeated(tmp_path / "set.parquet", "How many?", 1_000_000), limit=5)
    assert problems == 5
    assert memory < 2_000_000


def test_parquet_that_unpacks_to_too_much(tmp_path: Path) -> None:
    """A few kilobytes of a long text, a million times."""
    path = repeated(tmp_path / "set.parquet", "How many? " * 10_000, 1_000_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(FddError, match=r"cannot be read: it unpacks to more than \d+ MB, and has [\d,]+ bytes"):
        read_dataset(path)


def test_parquet_with_a_text_that_fills_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fdd_edge.data import _parquet

    path = repeated(tmp_path / "set.parquet", "x" * (64 << 20), 1000)
    monkeypatch.setattr(_parquet, "PARQUET_MEMORY", 256 << 20)
    with pytest.raises(FddError, match=r"cannot be read: it (takes more than 256 MB of memory|unpacks to more than)"):
        read_dataset(path, limit=1)


def test_an_endless_stream_is_read_as_far_as_the_limit(tmp_path: Path) -> None:
    rows = iter(lambda: LINE, None)
    found: Iterator[object] = _rows._line_rows(Path("endless"), rows)
    assert len(list(islice(found, 3))) == 3
    with pytest.raises(FddError, match="no text at all"), open_content(Path("/dev/zero")) as content:
        list(_rows._line_rows(content.path, content.texts()))
