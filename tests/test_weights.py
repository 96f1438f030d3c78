"""Which files hold a folder's weights: every reader must take the same ones."""

from __future__ import annotations

import json
import shutil
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
    from fdd_edge.operations.export import count_parameters
    from fdd_edge.resolve.student import open_student

    clean = open_student("tiny").folder
    folder = Path(shutil.copytree(clean, tmp_path / "student"))
    shutil.copyfile(clean / SINGLE, folder / "stale-00001-of-00002.safetensors")
    (folder / "adapter_model.safetensors").write_bytes(b"no safetensors at all")
    assert count_parameters(folder) == count_parameters(clean)
    assert hf_names(folder) == hf_names(clean)
