"""Models whose embeddings are padded past their tokenizer, and models that compute no numbers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")

from safetensors.numpy import load_file, save_file

from fdd_edge.errors import FddError
from fdd_edge.ondevice.protocol import SpecialIds
from fdd_edge.parity.prompt_items import vocabulary_item
from fdd_edge.parity.reference_outputs import ReferenceOutputs, Reply, Vocabulary
from fdd_edge.parity.reference_replies import ParityPrompt, compute_reference_outputs
from fdd_edge.resolve.student import Student


def test_a_reply_with_an_id_that_has_no_token_is_left_out() -> None:
    """It was an IndexError: the tokenizer of an ONNX folder knows nothing of the padding."""
    replies = (
        Reply("a", "q", None, "p", (0,), ids=(1, 2, 0), ended=True, text="bc"),
        Reply("b", "q", None, "p", (0,), ids=(1, 7), text="b"),
    )
    pieces = (b"", b"b", b"c")
    logits = np.zeros((0, 8), np.float32)
    special = SpecialIds(None, 0, (0,), False)
    reference = ReferenceOutputs("m", "0" * 64, special, Vocabulary(pieces, ()), 96, replies, logits)
    item = vocabulary_item(reference, pieces)
    assert (item.passed, item.summary) == (True, "3 tokens and 1 replies are written the same")


def test_a_reference_that_computes_no_numbers_is_refused(tiny_student: Student, tmp_path: Path) -> None:
    """Its figures were NaN, which a certificate cannot hold."""
    folder = Path(shutil.copytree(tiny_student.folder, tmp_path / "m"))
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][:] = 3e38
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    vocabulary = Vocabulary((), ())
    with pytest.raises(FddError, match="The logits of m are not finite numbers in float32"):
        compute_reference_outputs(
            folder, [ParityPrompt("a", "How many?", None)], name="m", sha256="0" * 64, template="{question}",
            eos_ids=[0], vocabulary=vocabulary,
        )  # fmt: skip
