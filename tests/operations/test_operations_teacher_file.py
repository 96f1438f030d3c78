"""A model file that cannot be a teacher is refused when the config is checked, not after the first training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import write_tiny_gguf

from fdd_edge.errors import FddError
from fdd_edge.operations.teacher_file import check_teacher_file, find_teacher_file, local_teacher_file
from fdd_edge.operations.teaching import name_teacher
from fdd_edge.teachers.language_model.teacher_options import GgufOptions

gguf = pytest.importorskip("gguf", reason="needs: pip install 'fdd-edge[gguf]'")


def write_without_vocabulary(path: Path, **labels: str) -> None:
    """Write what llama.cpp keeps next to models: a projector of images, an adapter, an importance matrix."""
    writer = gguf.GGUFWriter(path, labels.pop("architecture", "llama"))
    for key, value in labels.items():
        writer.add_string(f"general.{key}", value)
    writer.add_tensor("x", np.zeros((4, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lambda path: write_tiny_gguf(path, chat_template=None), "has no chat template, so it cannot be asked"),
        (
            lambda path: write_tiny_gguf(path, chat_template="{{ raise_exception('only with tools') }}"),
            "its chat template cannot be rendered: only with tools.",
        ),
        (lambda path: write_tiny_gguf(path, chat_template="{% for %}"), "its chat template cannot be rendered: "),
        (
            lambda path: write_without_vocabulary(path, architecture="clip"),
            "is not a model that writes text: it has no vocabulary, and says that it is 'clip'",
        ),
        (lambda path: write_without_vocabulary(path, type="adapter"), "and says that it is 'adapter'"),
        (lambda path: path.write_text("GGUF", encoding="ascii"), "is a damaged or truncated GGUF file."),
        (lambda path: path.write_text("hello", encoding="ascii"), "is not a GGUF file."),
        (lambda path: None, "does not exist."),
    ],
    ids=["no template", "refuses", "broken", "projector", "adapter", "cut off", "text", "missing"],
)
def test_a_file_that_cannot_be_asked_is_refused_in_a_sentence(
    write: Callable[[Path], object], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    write(path)
    with pytest.raises(FddError) as caught:
        name_teacher("own", {"own": GgufOptions(str(path))}, writer=True)
    assert str(path) in str(caught.value) and sentence in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["some/model-GGUF", "some/model-GGUF/of/q4.gguf"])
def test_a_hub_id_is_not_downloaded_when_a_config_is_checked(name: str) -> None:
    assert name_teacher("own", {"own": GgufOptions(name)}, writer=True).file is None


@pytest.mark.parametrize("name", ["models/missing.gguf", "some/model-GGUF/README.md", "../a/b.gguf"])
def test_what_is_no_hub_id_is_a_file_that_does_not_exist(name: str) -> None:
    """The first was taken for a repository."""
    with pytest.raises(FddError, match=rf"^{name} does not exist\.$"):
        local_teacher_file(GgufOptions(name))


def test_a_revision_is_one_of_the_hub(tiny_gguf: Path) -> None:
    with pytest.raises(FddError, match="revision \\('main'\\) applies to hub ids only"):
        local_teacher_file(GgufOptions(str(tiny_gguf), "main"))
    with pytest.raises(FddError, match="can have no revision 'a b'"):
        local_teacher_file(GgufOptions("some/model-GGUF", "a b"))


def test_a_folder_is_not_one_file(tmp_path: Path) -> None:
    with pytest.raises(FddError, match="is not a Hugging Face model folder"):
        local_teacher_file(GgufOptions(str(tmp_path)))


def test_a_chat_model_is_found_by_its_content(tiny_gguf: Path) -> None:
    check_teacher_file(tiny_gguf)
    found = find_teacher_file(GgufOptions(str(tiny_gguf)))
    assert (found.path, found.name) == (tiny_gguf, tiny_gguf.name) and found.address == f"gguf:{found.sha256}"
