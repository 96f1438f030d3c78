"""The table of model families: which file belongs to which, and which module runs it."""

import importlib
from pathlib import Path

import pytest

from fdd_edge.ondevice.families import FAMILIES, GGUF, ONNX, ONNX_SEQ2SEQ, DeviceFamily, device_family
from fdd_edge.ondevice.model_files import artifact_files, find_model, hash_model, model_in


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("model.gguf", GGUF),
        ("SmolLM2-135M.Q4_0.gguf", GGUF),
        ("model.onnx", ONNX),
        ("another.onnx", ONNX),
        ("decoder_model.onnx", ONNX_SEQ2SEQ),
        ("model.bin", GGUF),  # llama.cpp refuses it
    ],
)
def test_a_file_belongs_to_a_family_by_its_name(name: str, family: DeviceFamily) -> None:
    assert device_family(f"folder/{name}") is family
    assert device_family(Path(name)) is family


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
def test_every_family_has_a_runtime_that_opens_its_models(family: DeviceFamily) -> None:
    pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")
    pytest.importorskip("onnxruntime", reason="needs: pip install 'fdd-edge[onnx]'")
    runtime = importlib.import_module(f"fdd_edge.ondevice.{family.runtime}")
    assert callable(runtime.open_model)
    # The name that a recipe uses also names a family, with the same packages.
    assert FAMILIES[family.recipe_family].packages == family.packages


def test_the_model_of_a_folder_is_its_graph_else_its_gguf(tmp_path: Path) -> None:
    assert find_model(tmp_path) == tmp_path / "model.gguf"
    assert model_in(tmp_path) == str(tmp_path), "there is none"
    for name in ("model.gguf", "model.onnx"):
        (tmp_path / name).write_bytes(name.encode())
        assert find_model(tmp_path) == tmp_path / name
        assert model_in(tmp_path) == str(tmp_path / name)
    assert model_in(tmp_path / "model.gguf") == str(tmp_path / "model.gguf")


def test_a_graph_is_hashed_with_the_files_that_belong_to_it(tmp_path: Path) -> None:
    for name in ("model.gguf", "model.onnx", "model.onnx.data", "tokenizer.json", "README.md"):
        (tmp_path / name).write_bytes(b"x")
    files = [file.name for file in artifact_files(tmp_path / "model.onnx")]
    assert files == ["model.onnx", "model.onnx.data", "tokenizer.json"]
    assert artifact_files(tmp_path / "model.gguf") == [tmp_path / "model.gguf"]
    before = hash_model(tmp_path / "model.onnx")
    (tmp_path / "README.md").write_bytes(b"y")
    assert hash_model(tmp_path / "model.onnx") == before
    (tmp_path / "tokenizer.json").write_bytes(b"y")
    assert hash_model(tmp_path / "model.onnx") != before
