"""Which files hold a folder's weights: every reader must take the same ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fdd_edge.errors import FddError
from fdd_edge.safetensors_folder import INDEX, SINGLE, weight_files


def make(folder: Path, *names: str, index: dict[str, str] | None = None) -> Path:
    for name in names:
        (folder / name).write_bytes(b"")
    if index is not None:
        (folder / INDEX).write_text(json.dumps({"weight_map": index}), encoding="utf-8")
    return folder


def test_a_single_file_goes_before_an_index(tmp_path: Path) -> None:
    make(tmp_path, SINGLE, "old-00001-of-00002.safetensors", index={"a": "old-00001-of-00002.safetensors"})
    assert weight_files(tmp_path) == [tmp_path / SINGLE]


def test_shards_are_those_of_the_index(tmp_path: Path) -> None:
    make(tmp_path, "m-2.safetensors", "m-1.safetensors", "stale.safetensors", "adapter_model.safetensors")
    make(tmp_path, index={"a": "m-2.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors"})
    assert [file.name for file in weight_files(tmp_path)] == ["m-1.safetensors", "m-2.safetensors"]


def test_a_missing_shard_and_no_weights_are_named(tmp_path: Path) -> None:
    make(tmp_path, "adapter_model.safetensors", "pytorch_model.bin")
    with pytest.raises(FddError, match=r"no model\.safetensors .* can hold code"):
        weight_files(tmp_path)
    make(tmp_path, index={"a": "m-1.safetensors"})
    with pytest.raises(FddError, match=r"lacks m-1\.safetensors"):
        weight_files(tmp_path)


def test_files_beside_the_weights_are_no_part_of_the_model(tmp_path: Path) -> None:
    """A stray adapter once was an error of the export, and counted as weights."""
    pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")
    from fdd_edge.artifacts.gguf import hf_names
    from fdd_edge.resolve.student import open_student
    from fdd_edge.safetensors_folder import count_parameters

    clean = open_student("tiny").folder
    folder = Path(shutil.copytree(clean, tmp_path / "student"))
    shutil.copyfile(clean / SINGLE, folder / "stale-00001-of-00002.safetensors")
    (folder / "adapter_model.safetensors").write_bytes(b"no safetensors at all")
    assert count_parameters(folder) == count_parameters(clean)
    assert hf_names(folder) == hf_names(clean)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_weights_are_read_as_float32_whatever_their_format(dtype: str, tmp_path: Path) -> None:
    """Only bfloat16 needs torch."""
    torch = pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")
    from safetensors.torch import save_file

    from fdd_edge.safetensors_folder import count_parameters, open_tensors, tensor_names

    weights = {"b": torch.arange(6).reshape(2, 3).to(getattr(torch, dtype)), "a": torch.ones(4)}
    save_file(weights, tmp_path / SINGLE)
    assert tensor_names(tmp_path) == ["a", "b"]
    assert count_parameters(tmp_path) == 10
    with open_tensors(tmp_path) as tensors:
        assert "b" in tensors and "c" not in tensors
        assert tensors.shape("b") == (2, 3)
        assert tensors.load("b").dtype == "float32"
        assert tensors.load("b").tolist() == [[0, 1, 2], [3, 4, 5]]


def test_names_and_shapes_are_read_without_torch(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.ones(4, dtype=torch.bfloat16)}, tmp_path / SINGLE)
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from fdd_edge.safetensors_folder import count_parameters, tensor_names\n"
        "folder = Path(sys.argv[1])\n"
        "print(tensor_names(folder), count_parameters(folder), 'torch' in sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['a'] 4 False"
