"""Which changes of a student's folder make its adapters anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fdd_edge.resolve.student import Student, open_student
from fdd_edge.resolve.student_hash import hash_student


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
