"""Reading a file whose broken rows are skipped rather than an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdd_edge.data import Skipped, read_dataset, read_leniently
from fdd_edge.errors import FddError

GOOD = '{"id": "a", "question": "What is 1 + 1?", "answer": 2, "program": "answer = 1 + 1"}'


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "set.jsonl"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"question": "cut', "is not valid JSON: Unterminated string starting at"),
        ("[1]", "is not a JSON object"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"question": "\\ud800", "answer": 1}', "contains half a surrogate pair (\\ud800 to \\udfff); remove it"),
        ('{"question": "Q?"}', "lacks the field 'answer' (format jsonl)"),
        ('{"question": 7, "answer": 1}', "has a 'question' that is not text (format jsonl)"),
        (GOOD, "has the same id as an earlier row: 'a'"),
        ('{"question": "Q?", "answer": "many"}', "not numeric: 'many'"),
    ],
)
def test_a_broken_row_is_skipped_by_its_line(line: str, reason: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"{GOOD}\n\n{line}\n")
    dataset = read_leniently(path, name="s")
    assert [problem.id for problem in dataset.problems] == ["s-a"]
    assert dataset.skipped == [Skipped("line 3", reason)]


def test_the_first_row_may_be_the_broken_one(tmp_path: Path) -> None:
    """A line that ends inside an object may begin an object that is printed over several lines; not here."""
    dataset = read_leniently(write(tmp_path, f'{{"question":\n{GOOD}\n'))
    assert (dataset.format, len(dataset.problems), [s.item for s in dataset.skipped]) == ("jsonl", 1, ["line 1"])


def test_there_may_be_no_problem_at_all(tmp_path: Path) -> None:
    dataset = read_leniently(write(tmp_path, '{"text": "a"}\n{\n'))
    assert dataset.problems == []
    assert dataset.skipped[0].reason == "lacks the field 'question' (format jsonl)"


def test_a_good_file_is_read_as_ever(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert read_leniently(path) == read_dataset(path)
    with pytest.raises(FddError, match=r"set.jsonl:2 is not a JSON object\."):
        read_dataset(write(tmp_path, f"{GOOD}\n[1]"))
