"""Converted students are kept in the cache, and checked before they are used again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fdd_edge.artifacts.gguf import write_float_gguf
from fdd_edge.errors import FddError
from fdd_edge.resolve.student import Student, open_student


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "students"


@pytest.fixture
def model(tiny_student: Student, tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    write_float_gguf(tiny_student.folder, tiny_student.vocab, path, metadata={})
    return path


@pytest.mark.parametrize("damage", ["flipped bit", "file missing", "another student's"])
def test_a_damaged_conversion_is_made_again(
    cache: Path, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    """Another student under the same name was exported, and its certificate passed."""
    folder = open_student(str(model)).folder
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    assert open_student(str(model)).folder == folder
    assert "made again" not in capsys.readouterr().err
    if damage == "flipped bit":
        weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    elif damage == "file missing":
        (folder / "config.json").unlink()
    else:
        other = bytearray(model.read_bytes())
        other[-40:] = bytes(40)
        (tmp_path / "other.gguf").write_bytes(other)
        another = open_student(str(tmp_path / "other.gguf")).folder
        shutil.rmtree(folder)
        shutil.copytree(another, folder)
    assert open_student(str(model)).folder == folder
    assert weights.read_bytes() == whole
    assert f"{folder} has been damaged or changed, so it is made again." in capsys.readouterr().err
    assert all(not path.name.startswith(".") for path in cache.iterdir())


def test_merges_of_tokens_that_are_missing_are_told_in_a_sentence(cache: Path, tiny_gguf: Path) -> None:
    """The tokenizer's own exception came through as a traceback."""
    with pytest.raises(FddError, match=r"has a damaged vocabulary: the merge .* is of 'he', which is not a token"):
        open_student(str(tiny_gguf))
