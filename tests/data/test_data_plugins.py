"""Data formats of other packages, named as ``module:function`` or ``module:Class``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fdd_edge.data import FORMATS, load_format, read_dataset
from fdd_edge.errors import FddError
from fdd_edge.resolve.dataset import DatasetOptions, check_set

FORMAT = '''
from fdd_edge.data import Item, text_of, value_of


def read_quiz(row):
    return Item(text_of(row, "q"), value_of(row, "a"), extra={"level": row.get("level")})


class Quiz:
    """The same, as a class."""

    def matches(self, row):
        return "q" in row

    def read_row(self, row):
        return read_quiz(row)


def read_pair(row):
    return row["q"], row["a"]


def read_carelessly(row):
    return Item(row["question"], row["a"])


number = 3
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module with formats, and ``quiz.jsonl`` beside it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"plugin_format_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(FORMAT, encoding="utf-8")
    (tmp_path / "quiz.jsonl").write_text('{"q": "What is 1 + 1?", "a": "2 (things)", "level": 7}\n', encoding="utf-8")
    return name


@pytest.mark.parametrize("attribute", ["read_quiz", "Quiz"])
def test_a_function_or_a_class_of_another_package_reads_rows(attribute: str, module: str, tmp_path: Path) -> None:
    format = f"{module}:{attribute}"
    check_set(DatasetOptions(str(tmp_path / "quiz.jsonl"), format=format))
    dataset = read_dataset(tmp_path / "quiz.jsonl", format=format)
    (problem,) = dataset.problems
    assert (dataset.format, problem.id, problem.question, problem.answer) == (format, "quiz-1", "What is 1 + 1?", 2)
    assert problem.extra == {"level": 7}


def test_a_broken_row_is_reported_with_its_place(module: str, tmp_path: Path) -> None:
    (tmp_path / "quiz.jsonl").write_text('{"q": "What is 1 + 1?"}\n', encoding="utf-8")
    with pytest.raises(FddError, match=rf"quiz\.jsonl:1 lacks the field 'a' \(format {module}:read_quiz\)\."):
        read_dataset(tmp_path / "quiz.jsonl", format=f"{module}:read_quiz")


def test_an_error_of_the_format_itself_keeps_its_traceback_and_names_the_row(module: str, tmp_path: Path) -> None:
    with pytest.raises(KeyError) as caught:
        read_dataset(tmp_path / "quiz.jsonl", format=f"{module}:read_carelessly")
    assert caught.value.__notes__[0].endswith("quiz.jsonl:1")


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("read_pair", "must return an fdd_edge.data.Item, not tuple."),
        ("number", "is not a data format: it is neither a function nor an object with the method read_row. A data "),
        ("read_quizz", "has no 'read_quizz'. Did you mean 'read_quiz'?"),
    ],
)
def test_what_is_not_a_format_is_refused_in_a_sentence(
    attribute: str, message: str, module: str, tmp_path: Path
) -> None:
    with pytest.raises(FddError) as caught:
        read_dataset(tmp_path / "quiz.jsonl", format=f"{module}:{attribute}")
    assert message in str(caught.value)


def test_a_module_that_does_not_exist_is_found_before_a_run_starts(module: str, tmp_path: Path) -> None:
    spec = DatasetOptions(str(tmp_path / "quiz.jsonl"), format="no_such_package:read")
    with pytest.raises(FddError, match="The data format 'no_such_package:read' cannot be loaded: there is no module"):
        check_set(spec)


def test_built_in_formats_are_described_and_load_by_name() -> None:
    for name, known in FORMATS.items():
        assert known.description
        assert load_format(name) is known.reader


def test_the_example_of_the_docs_works(module: str, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
    (example,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def read_quiz" in block)
    (tmp_path / "quiz.py").write_text(example, encoding="utf-8")
    (problem,) = read_dataset(tmp_path / "quiz.jsonl", format="quiz:read_quiz").problems
    assert (problem.question, problem.answer, problem.extra) == ("What is 1 + 1?", 2, {"level": 7})
