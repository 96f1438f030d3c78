"""The prompt of a student: rendered once, kept when work is resumed, and refused in one sentence if it fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from fdd_edge.cli import cli
from fdd_edge.config_file import load_config
from fdd_edge.errors import FddError
from fdd_edge.operations import fine_tune
from fdd_edge.pipeline.start import started
from fdd_edge.records import Problem, write_jsonl
from fdd_edge.resolve.prompts import chat_prompt, file_prompt, pin_prompt
from fdd_edge.resolve.student import Student, open_student

CLOCK = "Now: {{ strftime_now('%f') }} {{ messages[0].content }}\n"
"""A template that prints microseconds, which differ between two renderings as two dates do."""


@pytest.fixture
def student(tiny_student: Student, tmp_path: Path) -> Student:
    """A student whose chat template prints the time."""
    folder = Path(shutil.copytree(tiny_student.folder, tmp_path / "student"))
    (folder / "chat_template.jinja").write_text(CLOCK, encoding="utf-8")
    return open_student(str(folder))


def test_a_resumed_run_keeps_the_chat_prompt_it_began_with(student: Student, tmp_path: Path) -> None:
    """The template was rendered at every start: a run that was resumed the next day was made again from scratch."""
    name = f"student.model_name_or_path={student.folder}"
    config, source = load_config("smoke", [f"output_dir={tmp_path / 'run'}", name, "student.prompt=chat"])
    templates = []
    for _ in range(2):
        with started(config, source, parity=False) as run:
            templates.append(run.template)
    assert "Now: " in templates[0]
    assert templates[1] == templates[0]


def test_a_chat_prompt_is_not_kept_for_another_student(student: Student) -> None:
    first = pin_prompt("chat", student.folder, "one", None)
    assert pin_prompt("chat", student.folder, "one", first._asdict()) == first
    assert pin_prompt("chat", student.folder, "other", first._asdict()).template != first.template


def test_an_edited_prompt_file_is_noticed(student: Student, tmp_path: Path) -> None:
    path = tmp_path / "prompt.txt"
    path.write_text("Q: {question}", encoding="utf-8")
    first = pin_prompt(str(path), student.folder, student.sha256, None)
    path.write_text("Frage: {question}", encoding="utf-8")
    assert pin_prompt(str(path), student.folder, student.sha256, first._asdict()).template == "Frage: {question}"


def test_a_byte_order_mark_is_not_read(tmp_path: Path) -> None:
    """A prompt saved by Notepad put U+FEFF before every question."""
    (path := tmp_path / "prompt.txt").write_bytes("Q: {question}".encode("utf-8-sig"))
    assert file_prompt(str(path)) == "Q: {question}"
    path.write_text("\ufeff\ufeffQ: \ufeff{question}\n\ufeffA:", encoding="utf-8")
    assert file_prompt(str(path)) == "Q: {question}\nA:"


def test_a_byte_order_mark_of_a_chat_template_is_not_read(student: Student) -> None:
    (student.folder / "chat_template.jinja").write_text("\ufeffQ: {{ messages[0].content }}", encoding="utf-8")
    assert chat_prompt(student.folder) == "Q: {question}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Q: {{question}}", r"contains \{\{question\}\}; write \{question\}, with one pair of braces"),
        ("Q: { question }", r"contains \{ question \}; write \{question\}"),
        ("Q: {input}", r"does not contain \{question\}; it contains \{input\} instead"),
        ("Q:", r"does not contain \{question\}\.$"),
        # These were filled with the signs around them, or not at all.
        ("Q: ${question}", r"contains \$\{question\}; write \{question\}, with one pair of braces and nothing else"),
        ("Q: #{question}", r"contains #\{question\}; write \{question\}"),
        ("Q: {question!r}", r"contains \{question!r\}; write \{question\}"),
        ("Q: {question} {question:>5}", r"contains \{question:>5\}; write \{question\}"),
        ("Q: {{ question | trim }}", r"contains \{\{ question \| trim \}\}; write \{question\}"),
        ("Q: $question", r"it contains \$question instead\. Write \{question\}\.$"),
        ("Q: <question>", r"it contains <question> instead\. Write \{question\}\.$"),
        ("Q: %(question)s", r"it contains %\(question\)s instead"),
        ("Q: {}", r"it contains \{\} instead"),
        ("Q: {0}", r"it contains \{0\} instead"),
        ("Q: %s", r"it contains %s instead"),
        ("Q: [question]", r"it contains \[question\] instead"),
        ("Q: {Question}", r"it contains \{Question\} instead"),
        ("Q: {{ messages[0].content }}", r"it contains \{\{ messages\[0\]\.content \}\} instead"),
    ],
)
def test_braces_of_another_tool_are_pointed_out(text: str, message: str, tmp_path: Path) -> None:
    (path := tmp_path / "prompt.txt").write_text(text, encoding="utf-8")
    with pytest.raises(FddError, match=message):
        file_prompt(str(path))


@pytest.mark.parametrize("other", ["{% if x %}", "{{#system}}", "{input}", "{{> part}}", "<% if x %>", "{name:>5}"])
def test_directives_of_other_tools_are_said(other: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (path := tmp_path / "prompt.txt").write_text(f"{other} {{question}}", encoding="utf-8")
    assert file_prompt(str(path)) == f"{other} {{question}}"
    assert f"also contains {other}, which is not replaced" in caplog.text


@pytest.mark.parametrize(
    "text", ['{"a": 1} {question}', r"\boxed{} \frac{1}{2} {question}", "[{question}] $5", "{question}?"]
)
def test_braces_of_latex_and_json_are_nothing_of_that(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (path := tmp_path / "prompt.txt").write_text(text, encoding="utf-8")
    assert file_prompt(str(path)) == text
    assert caplog.text == ""


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_named(encoding: str, tmp_path: Path) -> None:
    (path := tmp_path / "prompt.txt").write_text("Q: {question}", encoding=encoding)
    with pytest.raises(FddError, match="it is UTF-16 text without a byte order mark; save it as UTF-8"):
        file_prompt(str(path))


def test_other_words_in_braces_are_left_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (path := tmp_path / "prompt.txt").write_text('{system} {"a": 1} {question}', encoding="utf-8")
    assert file_prompt(str(path)) == '{system} {"a": 1} {question}'
    assert "also contains {system}, which is not replaced" in caplog.text


def test_an_interrupted_train_keeps_its_chat_prompt(
    student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Problem("p", "Tom had 2 figs.", 2, "test", program="answer = 2").to_row()
    write_jsonl(tmp_path / "d.jsonl", [row])
    words = ["train", "smoke", "--data", str(tmp_path / "d.jsonl"), "-o", str(tmp_path / "out")]
    words += ["--set", f"student.model_name_or_path={student.folder}", "--set", "student.prompt=chat"]
    words += ["--set", "training.threads=1"]

    def interrupt(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fine_tune, "merge", interrupt)
        assert CliRunner().invoke(cli, words).exit_code != 0
    began = json.loads((tmp_path / ".out.partial" / "prompt.json").read_text(encoding="utf-8"))["template"]
    ended = CliRunner().invoke(cli, words)
    assert ended.exit_code == 0, ended.output
    assert "training on" not in ended.output  # it was killed while it merged: only that is done again
    card = json.loads((tmp_path / "out" / "merged" / "fdd_edge.json").read_text(encoding="utf-8"))
    assert card["prompt_template"] == began
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["adapter", "merged"]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{ raise_exception('no users here.') }}", "no users here"),
        ("{{ messages + 1 }}", "can only concatenate list"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "maximum recursion depth exceeded"),
        ("{% if %}", "Expected an expression"),
    ],
)
def test_a_template_that_fails_is_a_sentence(student: Student, source: str, why: str) -> None:
    """These were tracebacks."""
    (student.folder / "chat_template.jinja").write_text(source, encoding="utf-8")
    with pytest.raises(FddError, match=rf"cannot be rendered: .*{why}.*; use the prompt plain or a file") as caught:
        chat_prompt(student.folder)
    assert caught.value.exit_code == 2
