"""Merging an adapter into its student, with tokenizer, vocabulary and prompt next to the weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from fdd_edge.artifacts.recipe import GgufRecipe
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.operations.quantized_student import quantized_weights, round_weights
from fdd_edge.progress import announce
from fdd_edge.resolve.student import MODEL_CARD, Student
from fdd_edge.resolve.student_hash import hash_weights, student_files

__all__ = ["merge"]


def merge(out: Path, *, adapter: Path, student: Student, template: str, qat_recipe: GgufRecipe | None) -> None:
    """Merge an adapter into its student in float32.

    Quantization-aware training has seen rounded weights, so rounded weights are written: the folder is the model that
    was trained, and every artifact is made from it and compared with it.

    Args:
        out: Folder for the merged student.
        adapter: Folder of the adapter.
        student: The model that was trained.
        template: The prompt it was trained on.
        qat_recipe: The recipe whose rounding it was trained for.
    """
    from fdd_edge.students.adapter_merge import merge_adapter
    from fdd_edge.students.tokenizer_files import hash_tokenizer

    announce("merging ...")
    merge_adapter(student.folder, adapter, out)
    for vocab in student.vocabs:
        shutil.copy2(vocab, out / vocab.name)
    if qat_recipe is not None:
        with quantized_weights(student._replace(folder=out), qat_recipe, out) as quantized:
            round_weights(out, quantized, most=qat_recipe.parity.tensors)
    card = {
        "prompt_template": template,
        "base": student.name,
        "base_sha256": student.sha256,
        "base_revision": student.revision,
        "license": student.license,
        "quantization_aware": qat_recipe and qat_recipe.type,
        "tokenizer_sha256": hash_tokenizer(out),
        "vocab_size": parse_json((out / "config.json").read_text(encoding="utf-8"))["vocab_size"],
        "weights_sha256": hash_weights(student_files(out)),
    }
    (out / MODEL_CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
