"""Model folders with links: those out of the folder are refused, before anything is read through them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fdd_edge.errors import FddError
from fdd_edge.resolve.student import Student
from fdd_edge.students.locate import locate


@pytest.fixture
def folder(tiny_student: Student, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_student.folder, tmp_path / "model")


@pytest.mark.parametrize(
    "name",
    ["notes.txt", "tokenizer.json", "chat_template.jinja", "README.md", "additional_chat_templates", "vocab.gguf"],
)
def test_a_link_out_of_a_model_folder_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    """What a stranger's folder links to, such as a key, would be in the exported file."""
    secret = tmp_path / "id_rsa"
    secret.write_text("secret")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to("../id_rsa" if name == "notes.txt" else secret)
    with pytest.raises(FddError, match=f"{name} is a link out of the model folder, which is not followed: put a copy"):
        locate(str(folder))


def test_a_link_in_a_folder_of_templates_is_refused(folder: Path) -> None:
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool.jinja").symlink_to("/etc/passwd")
    with pytest.raises(FddError, match=r"tool\.jinja is a link out of the model folder"):
        locate(str(folder))


def test_links_inside_and_to_weights_are_allowed(folder: Path, tmp_path: Path) -> None:
    (folder / "copy.json").symlink_to("config.json")
    (folder / "model.safetensors").rename(tmp_path / "weights.safetensors")
    (folder / "model.safetensors").symlink_to(tmp_path / "weights.safetensors")
    (folder / ".git").symlink_to(tmp_path)
    (tmp_path / "alias").symlink_to(folder)
    for path in (folder, tmp_path / "alias"):
        assert locate(str(path)).kind == "folder"


def test_the_hub_clients_links_are_allowed_into_their_own_repository_only(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "models--owner--name"
    snapshot, blobs, others = cache / "snapshots" / "abc", cache / "blobs", tmp_path / "hub" / "models--x--y" / "blobs"
    for place in (snapshot, blobs, others):
        place.mkdir(parents=True)
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(blobs / str(number))
        (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    assert locate(str(snapshot)).kind == "folder"
    (others / "0").write_text("{}")
    (snapshot / "notes.json").symlink_to("../../../models--x--y/blobs/0")
    with pytest.raises(FddError, match=r"notes\.json is a link out of the model folder"):
        locate(str(snapshot))
    (snapshot / "notes.json").unlink()
    (blobs / "secret").symlink_to("/etc/passwd")
    (snapshot / "notes.json").symlink_to("../../blobs/secret")
    with pytest.raises(FddError, match=r"notes\.json is a link out of the model folder"):
        locate(str(snapshot))
