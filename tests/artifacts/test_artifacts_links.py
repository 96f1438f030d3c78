"""A model in the hub client's cache: each file is a link to a blob whose name says nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="needs: pip install 'fdd-edge[onnx]'")

import fdd_edge
from fdd_edge.artifacts.onnx.stored_weights import stored_weights
from fdd_edge.ondevice.model_files import hash_model
from fdd_edge.resolve.model_file import certificate_paths
from fdd_edge.resolve.student import Student, open_student

Link = Callable[[Path], Path]


@pytest.fixture
def link(tmp_path: Path) -> Link:
    """Copies a folder into a cache like the hub client's; returns the folder of links."""

    def make(folder: Path) -> Path:
        blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / folder.name
        blobs.mkdir(exist_ok=True)
        snapshot.mkdir(parents=True)
        for i, path in enumerate(sorted(p for p in folder.iterdir() if p.is_file())):
            (blobs / f"{folder.name}{i}").write_bytes(path.read_bytes())
            (snapshot / path.name).symlink_to(f"../../blobs/{folder.name}{i}")
        return snapshot

    return make


@pytest.mark.parametrize("kind", ["fp32", "int4"])
def test_a_graph_of_links_is_asked_and_read(kind: str, tiny_onnx: dict[str, Path], link: Link) -> None:
    """Its link used to be followed, and llama.cpp was asked to read the blob; onnx refused links to weights."""
    model = link(tiny_onnx[kind].parent) / "model.onnx"
    question = "Tom has 3 figs and gets 4. How many?"
    assert fdd_edge.solve(model, question).text == fdd_edge.solve(tiny_onnx[kind], question).text
    assert hash_model(model) == hash_model(tiny_onnx[kind])
    wanted, found = stored_weights(tiny_onnx[kind]), stored_weights(model)
    assert found.keys() == wanted.keys()
    for name in wanted:
        np.testing.assert_array_equal(found[name].load(), wanted[name].load())


def test_a_gguf_of_a_link_is_asked(tiny_gguf: Path, link: Link) -> None:
    question = "Tom has 3 figs and gets 4. How many?"
    model = link(tiny_gguf.parent) / tiny_gguf.name
    assert fdd_edge.solve(model, question).text == fdd_edge.solve(tiny_gguf, question).text


def test_a_student_of_links_is_the_same_student(tiny_student: Student, link: Link) -> None:
    linked = open_student(str(link(tiny_student.folder)))
    assert linked.sha256 == tiny_student.sha256
    assert linked.vocab.read_bytes() == tiny_student.vocab.read_bytes()


def test_a_certificate_is_looked_for_next_to_a_link_and_next_to_its_file(link: Link, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model.gguf").touch()
    model = link(tmp_path / "out") / "model.gguf"
    assert {model.with_name("parity.json"), tmp_path / "blobs" / "parity.json"} <= set(certificate_paths(model))
