"""``read_dataset``: names, limits, and the messages for files that are not data sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdd_edge.data import FORMATS, Dataset, read_dataset
from fdd_edge.errors import FddError
from fdd_edge.records import write_jsonl

KNOWN = ", ".join(FORMATS)
GOOD = '{"question": "What is 1 + 1?", "answer": 2}'


def read_bytes(tmp_path: Path, content: str | bytes, **options: Any) -> Dataset:
    path = tmp_path / "set.jsonl"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_dataset(path, **options)


def fault(tmp_path: Path, content: str | bytes, **options: Any) -> str:
    """Return the error message without the folder."""
    with pytest.raises(FddError) as caught:
        read_bytes(tmp_path, content, **options)
    return str(caught.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("svamp.json", "svamp"),
        ("gsm8k_test.dev.jsonl", "gsm8k_test-dev"),
        ("my set (1).jsonl", "my-set-1"),
        ("&.x", "data"),
    ],
)
def test_the_file_names_the_data_set(tmp_path: Path, file: str, name: str) -> None:
    (tmp_path / file).write_text(GOOD, encoding="utf-8")
    dataset = read_dataset(tmp_path / file)
    assert (dataset.name, dataset.problems[0].source, dataset.problems[0].id) == (name, name, f"{name}-1")


def test_byte_order_mark_blank_lines_and_windows_line_ends(tmp_path: Path) -> None:
    dataset = read_bytes(tmp_path, f"\ufeff\r\n{GOOD}\r\n\r\n{GOOD}\r\n")
    assert [problem.id for problem in dataset.problems] == ["set-2", "set-4"]


def test_limit_takes_the_first_problems_and_does_not_count_skipped_items(tmp_path: Path) -> None:
    rows = [{"question": f"{n}?", "answer": "no" if n == 1 else n} for n in range(5)]
    dataset = read_bytes(tmp_path, "\n".join(map(json.dumps, rows)), limit=2)
    assert [problem.answer for problem in dataset.problems] == [0, 2]
    assert dataset.skipped == [("line 2", "not numeric: 'no'")]
    assert len(read_bytes(tmp_path, "\n".join(map(json.dumps, rows)), limit=99).problems) == 4


def test_limit_must_be_positive(tmp_path: Path) -> None:
    assert fault(tmp_path, GOOD, limit=0) == "limit must be at least 1, not 0."


def test_an_unknown_format_suggests_the_closest_one(tmp_path: Path) -> None:
    assert (
        fault(tmp_path, GOOD, format="svmap")
        == f"There is no data format 'svmap'. Did you mean 'svamp'? Known: {KNOWN}. "
        "For a format of your own write module:function (docs/plugins.md)."
    )


@pytest.mark.parametrize("content", ["id,question\n1,2", "<html><p>404</p></html>", "42"])
def test_content_in_an_unknown_format(tmp_path: Path, content: str) -> None:
    assert fault(tmp_path, content) == f"set.jsonl is not in a known data format. Known: {KNOWN}."


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        ('{"question": "How many?", "result": 3}', "its first line has the columns 'question', 'result'"),
        ("[{}]", "its first item has no columns"),
    ],
)
def test_rows_in_an_unknown_format_are_described_by_their_columns(tmp_path: Path, content: str, keys: str) -> None:
    assert fault(tmp_path, content) == (
        f"set.jsonl is not in a known data format: {keys}; name those of the question and the answer with "
        "--question-field and --answer-field (`question_field` and `answer_field` in a config), or name one of the "
        f"formats {KNOWN}."
    )


def test_missing_file_folder_and_wrong_encoding(tmp_path: Path) -> None:
    with pytest.raises(FddError, match=r"nowhere\.json does not exist\.$"):
        read_dataset(tmp_path / "nowhere.json")
    with pytest.raises(FddError, match=r"cannot be read: Is a directory\.$"):
        read_dataset(tmp_path)
    assert fault(tmp_path, GOOD.encode("utf-16")) == "set.jsonl is not UTF-8 text (byte 0); convert it to UTF-8."


@pytest.mark.parametrize("content", ["", " \n", "[]", "\ufeff"])
def test_empty_files(tmp_path: Path, content: str) -> None:
    assert fault(tmp_path, content) == "set.jsonl has no problems."


def test_no_numeric_answer_at_all(tmp_path: Path) -> None:
    rows = [{"question": "?", "answer": answer} for answer in ["yes", "no", "yes", None, [1], "3:4"]]
    assert fault(tmp_path, json.dumps(rows)) == (
        "set.jsonl has no problem with a numeric answer "
        "(6 skipped: not numeric: 'yes' x2, not numeric: 'no', not numeric: None, ...)."
    )


def test_a_long_answer_is_shown_short(tmp_path: Path) -> None:
    dataset = read_bytes(tmp_path, f'{GOOD}\n{{"question": "?", "answer": "{"x" * 500}"}}')
    assert len(dataset.skipped[0].reason) == len("not numeric: ") + 60


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f'{GOOD}\n{{"question": ', "set.jsonl:2 is not valid JSON: Expecting value."),
        (f"{GOOD}\n\n[1]", "set.jsonl:3 is not a JSON object."),
        (f'[\n{GOOD},\n{{"a" 1}}\n]', "set.jsonl:3 is not valid JSON: Expecting ':' delimiter."),
        (f"[{GOOD}, 7]", "set.jsonl, item 2, is not a JSON object."),
        (f'{GOOD}\n{{"question": "?"}}', "set.jsonl:2 lacks the field 'answer' (format jsonl)."),
        (f'[{GOOD}, {{"answer": 1}}]', "set.jsonl, item 2, lacks the field 'question' (format jsonl)."),
        ('{"question": 3, "answer": 3}', "set.jsonl:1 has a 'question' that is not text (format jsonl)."),
        ('{"question": " ", "answer": 3}', "set.jsonl:1 has an empty 'question' (format jsonl)."),
        (
            '{"question": "?", "answer": 3, "depth": -1}',
            "set.jsonl:1 has a 'depth' that is not a non-negative integer (format jsonl).",
        ),
        (
            '{"question": "?", "answer": 3, "program": ["answer = 3"]}',
            "set.jsonl:1 has a 'program' that is not text (format jsonl).",
        ),
        (
            '{"question": "?", "answer": 3, "origin": "web"}',
            "set.jsonl:1 has the origin 'web'; it must be one of seed, complex, similar, own (format jsonl).",
        ),
        (
            '{"question": "?", "answer": 3, "id": [1]}',
            "set.jsonl:1 has an 'id' that is neither text nor a whole number (format jsonl).",
        ),
        (
            '{"sQuestion": "?", "lSolutions": 3}',
            "set.jsonl:1 has a 'lSolutions' that is not a list (format multiarith).",
        ),
        (
            "<a><Problem><Body>One <b>two</b></Body></Problem></a>",
            "set.jsonl, item 1, has elements inside <Body>, which may only contain text.",
        ),
        ("<a>\n<Problem>\n</a>", "set.jsonl:3 is not valid XML: mismatched tag: line 3, column 2."),
        (
            "<a><Problem><Body>B.</Body><Question>Q?</Question></Problem></a>",
            "set.jsonl, item 1, lacks the field 'answer' (format asdiv).",
        ),
    ],
)
def test_broken_rows_are_reported_with_their_position(tmp_path: Path, content: str, message: str) -> None:
    format = "asdiv" if "<Problem><Body>" in content else None
    assert fault(tmp_path, content, format=format) == message


def test_a_given_format_is_not_replaced_by_a_recognised_one(tmp_path: Path) -> None:
    assert fault(tmp_path, GOOD, format="svamp") == "set.jsonl:1 lacks the field 'Body' (format svamp)."


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [('"a"', '"a"', "a"), ("7", '"7"', "7"), ('"2"', "null", "2"), ('"set-a"', '"a"', "a")],
)
def test_an_id_twice(tmp_path: Path, first: str, second: str, shown: str) -> None:
    content = "\n".join(GOOD.replace("{", f'{{"id": {own_id}, ') for own_id in (first, second))
    assert fault(tmp_path, content) == f"set.jsonl:2 has the same id as an earlier row: {shown!r}."


@pytest.mark.parametrize("mark", ["<!DOCTYPE", "<!ENTITY"])
def test_xml_with_entities_is_refused(tmp_path: Path, mark: str) -> None:
    bomb = (
        f'<?xml version="1.0"?>\n{mark} lol [<!ENTITY a "ha"><!ENTITY b SYSTEM "file:///etc/hostname">]><a>&a;&b;</a>'
    )
    assert fault(tmp_path, bomb) == f"set.jsonl:2 contains {mark}>, which is not allowed; remove it."


def test_huge_numbers_are_not_numeric_and_rows_can_still_be_written(tmp_path: Path) -> None:
    answers = ["1e999", "NaN", "-Infinity", "9" * 5000]
    rows = [f'{{"question": "?", "answer": {answer}, "also": {answer}}}' for answer in answers]
    dataset = read_bytes(tmp_path, "\n".join([*rows, '{"question": "?", "answer": 1, "also": [NaN, 1e999]}']))
    assert [skipped.item for skipped in dataset.skipped] == ["line 1", "line 2", "line 3", "line 4"]
    assert dataset.skipped[0].reason == "not numeric: '1e999'"
    write_jsonl(tmp_path / "again.jsonl", [dataset.problems[0].to_row()])


def test_deep_nesting_and_half_surrogates(tmp_path: Path) -> None:
    nested = f'{{"question": "?", "answer": {"[" * 200_000}{"]" * 200_000}}}'
    assert fault(tmp_path, f"{GOOD}\n{nested}") == "set.jsonl:2 is nested too deeply."
    assert fault(tmp_path, r'{"question": "\ud800", "answer": 1}') == (
        "set.jsonl:1 contains half a surrogate pair (\\ud800 to \\udfff); remove it."
    )
    assert read_bytes(tmp_path, r'{"question": "\ud83c\udf4e?", "answer": 1}').problems[0].question == "🍎?"


@given(content=st.binary(max_size=60) | st.text(alphabet='[]{}",:<>!/ questionanswerProblem01\n', max_size=60))
def test_no_content_causes_anything_but_a_user_error(
    tmp_path_factory: pytest.TempPathFactory, content: str | bytes
) -> None:
    try:
        read_bytes(tmp_path_factory.mktemp("any"), content)
    except FddError as error:
        assert "\n" not in str(error)
