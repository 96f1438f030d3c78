"""Which changes of a student's folder make its adapters anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fdd_edge.resolve.student import Student, open_student
from fdd_edge.resolve.student_hash import hash_files, hash_student, student_files, trained_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "student"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"hidden_size": 8, "eos_token_id": 2}))
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "merges.txt").write_text("a b")
    return folder


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("generation_config.json", json.dumps({"temperature": 0.7, "max_length": 99, "eos_token_id": 2})),
        ("README.md", "# A model"),
        ("LICENSE.txt", "Apache"),
        (".gitattributes", "*.safetensors filter=lfs"),
        (".cache/huggingface/download/config.json.metadata", "1"),
        ("trainer_state.json", "{}"),
        ("assets/loss.png", "png"),
    ],
)
def test_files_that_change_nothing_of_the_model_do_not_count(folder: Path, name: str, text: str) -> None:
    """An edited generation config or model card used to throw a finished adapter away."""
    before = hash_student(folder)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    assert hash_student(folder) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("generation_config.json", json.dumps({"eos_token_id": [2, 7]})),
        ("config.json", json.dumps({"hidden_size": 9, "eos_token_id": 2})),
        ("model.safetensors", "other weights"),
        ("merges.txt", "a c"),
        ("vocab.gguf", "vocabulary"),
        ("chat_template.jinja", "{{ messages }}"),
    ],
)
def test_files_that_the_model_is_made_of_count(folder: Path, name: str, text: str) -> None:
    before = hash_student(folder)
    (folder / name).write_text(text)
    assert hash_student(folder) != before


def test_a_student_is_the_same_under_another_license(tiny_student: Student, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_student.folder, tmp_path / "tiny")
    before = open_student(str(copy)).fingerprint()
    (copy / "README.md").write_text("---\nlicense: mit\n---\n")
    after = open_student(str(copy))
    assert (after.license, after.fingerprint()) == ("mit", before)


def trained(folder: Path) -> str:
    return hash_files(trained_files(student_files(folder)))


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (
            "config.json",
            {"hidden_size": 8},
            {"transformers_version": "9.9", "torch_dtype": "bfloat16", "hidden_size": 8},
        ),
        ("config.json", {"a": 1, "dtype": "float32"}, {"_name_or_path": "/x", "a": 1}),
        ("tokenizer_config.json", {"eos_token": "</s>"}, {"eos_token": "</s>", "foo": "bar", "model_max_length": 9}),
        ("tokenizer.json", {"model": {}}, {"model": {}, "truncation": {"max_length": 5}, "padding": None}),
        ("special_tokens_map.json", {"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ],
)
def test_how_a_file_was_saved_does_not_count(
    folder: Path, name: str, before: dict[str, object], after: dict[str, object]
) -> None:
    """Each of these threw a finished adapter away."""
    (folder / name).write_text(json.dumps(before))
    one = hash_student(folder)
    (folder / name).write_text(json.dumps(after, indent=4))
    assert hash_student(folder) == one


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer_config.json", {"eos_token": "</s>", "chat_template": "{{ messages }}"}),
        ("generation_config.json", {"eos_token_id": [2, 7]}),
        ("chat_template.json", {"chat_template": "x"}),
    ],
)
def test_what_only_artifacts_depend_on_makes_no_adapter_anew(
    folder: Path, name: str, content: dict[str, object]
) -> None:
    """A chat template is not trained on unless it is the prompt; ids that end replies are not trained on at all."""
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>"}))
    adapter, model = trained(folder), hash_student(folder)
    (folder / name).write_text(json.dumps(content))
    assert trained(folder) == adapter
    assert hash_student(folder) != model


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", {"hidden_size": 9, "eos_token_id": 2}),
        ("tokenizer_config.json", {"add_bos_token": True}),
        ("tokenizer_config.json", {"additional_special_tokens": ["<x>"]}),
        ("tokenizer_config.json", {"tokenizer_class": "LlamaTokenizer"}),
        ("tokenizer.json", {"model": {"vocab": {"a": 1}}}),
    ],
)
def test_what_changes_ids_or_weights_makes_adapters_anew(folder: Path, name: str, content: dict[str, object]) -> None:
    before = trained(folder)
    (folder / name).write_text(json.dumps(content))
    assert trained(folder) != before


def test_a_student_names_its_files_in_its_fingerprint(tiny_student: Student) -> None:
    shown = tiny_student.fingerprint()["files"]
    assert isinstance(shown, dict)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= shown.keys()
    assert tiny_student.to_train().to_train() == tiny_student.to_train()
