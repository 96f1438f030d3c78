"""Planted faults: each fails its certificate under its own item, beside an unplanted twin that passes every item."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from fdd_edge.artifacts.gguf import quantize_gguf
from fdd_edge.artifacts.gguf.reader import open_gguf
from fdd_edge.artifacts.recipe import load_recipe
from fdd_edge.operations.certify import certify, reference_of
from fdd_edge.operations.export import export_float
from fdd_edge.parity import ITEMS, Certificate, Item, ReferenceOutputs
from fdd_edge.records import Problem
from fdd_edge.resolve.prompts import file_prompt
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.runs.layout import MODEL_FILE

Edit = Callable[[str, np.ndarray], np.ndarray]
"""What to write instead of a tensor's stored bytes."""


class Good(NamedTuple):
    """A student, what it answers, and its file."""

    student: Student
    record: ReferenceOutputs
    template: str
    file: Path


def make_good(student: Student, template: str, folder: Path) -> Good:
    """Have a student answer the packaged prompts, and export it."""
    record = reference_of(student, [], template=template, trained=True, threads=1)
    export_float(student.folder, student.vocab, folder, name="tiny", template=template, license=None)
    return Good(student, record, template, folder / MODEL_FILE)


@pytest.fixture(scope="module")
def good(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> Good:
    return make_good(tiny_student, file_prompt("plain"), tmp_path_factory.mktemp("good") / "float")


@pytest.fixture(scope="module")
def good_with_bos(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> Good:
    """A student whose prompt begins with the token that begins a text, as chat templates do."""
    folder = Path(shutil.copytree(tiny_student.folder, tmp_path_factory.mktemp("bos") / "student"))
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"bos_token": "<|end|>"}))
    student = open_student(str(folder))
    return make_good(student, "<|end|>" + file_prompt("plain"), folder.parent / "float")


def hold(good: Good, file: Path, recipe: str = "gguf-f32") -> Certificate:
    return certify(file, good.student.folder, good.record, load_recipe(recipe), target="local", threads=1)


def failed(certificate: Certificate) -> list[str]:
    return [item.name for item in certificate.failed]


def item(certificate: Certificate, name: str) -> Item:
    return next(item for item in certificate.items if item.name == name)


def rewrite(source: Path, out: Path, *, keys: Mapping[str, Any] | None = None, edit: Edit | None = None) -> Path:
    """Write a copy of a GGUF file with other metadata, or other tensor bytes."""
    import gguf

    changed = dict(keys or {})  # None leaves a key out
    reader = open_gguf(source)
    writer = gguf.GGUFWriter(out, "llama")
    for name, found in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture" or changed.get(name, "") is None:
            continue
        kind = found.types[0]
        sub_type = found.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, changed.pop(name, None) or found.contents(), kind, sub_type=sub_type)
    for name, value in changed.items():
        if value is None:
            continue
        writer.add_uint32(name, value)
    for tensor in reader.tensors:
        data = np.array(tensor.data)
        writer.add_tensor(tensor.name, edit(tensor.name, data) if edit else data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def unpermuted(good: Good) -> Edit:
    """Leave q and k rows as transformers has them."""
    from safetensors.numpy import load_file

    weights = load_file(good.student.folder / "model.safetensors")

    def edit(name: str, data: np.ndarray) -> np.ndarray:
        for part, theirs in (("attn_q", "q_proj"), ("attn_k", "k_proj")):
            if f".{part}." in name:
                return np.asarray(weights[f"model.layers.{name.split('.')[1]}.self_attn.{theirs}.weight"])
        return data

    return edit


def shifted(good: Good) -> Edit:
    """Let the first layer hold what belongs into the second."""
    tensors = {tensor.name: np.array(tensor.data) for tensor in open_gguf(good.file).tensors}
    return lambda name, data: tensors[name.replace("blk.0.", "blk.1.")]


def broken_head(name: str, data: np.ndarray) -> np.ndarray:
    """Shift the rows of the matrix that is both embedding and head by one."""
    return np.roll(data, 1, axis=0) if name == "token_embd.weight" else data


def silent_head(name: str, data: np.ndarray) -> np.ndarray:
    """Zero half of the rows of the head."""
    return (
        np.where(np.arange(len(data))[:, None] % 2, data, 0).astype(data.dtype) if name.startswith("token_") else data
    )


def test_the_unplanted_twin_passes_every_item(good: Good, tmp_path: Path) -> None:
    """GreedyReply again by the function that plants the faults, nothing changed."""
    certificate = hold(good, rewrite(good.file, tmp_path / "twin.gguf"))
    assert tuple(item.name for item in certificate.items) == ITEMS
    assert failed(certificate) == []
    assert certificate.prompts["answered"] == 64


def test_the_quantized_twin_passes_every_item(good: Good, tmp_path: Path) -> None:
    for kind in ("q8_0", "q4_0"):
        quantize_gguf(good.file, tmp_path / "q.gguf", kind, recipe=f"gguf-{kind}")
        certificate = hold(good, rewrite(tmp_path / "q.gguf", tmp_path / f"twin-{kind}.gguf"), f"gguf-{kind}")
        assert failed(certificate) == []


KEYS = "tokenizer.ggml."


@pytest.mark.parametrize(
    ("fault", "first", "others"),
    [
        ({f"{KEYS}eos_token_id": 5}, "eos_id", {"stop_ids"}),
        ({f"{KEYS}eot_token_id": 7}, "stop_ids", set()),
        ({f"{KEYS}add_bos_token": True}, "bos", {"prompt_ids", "answers"}),
        ({"fdd_edge.prompt_template": "Question: {question}\n\nProgram:\n"}, "prompt_bytes", {"answers"}),
        ({f"{KEYS}pre": "gpt-2"}, "prompt_ids", {"answers"}),
        ({f"{KEYS}pre": None}, "prompt_ids", {"answers"}),
        ({"llama.rope.freq_base": 500.0}, "logits", {"stops", "greedy_tokens", "answers"}),
    ],
)
def test_a_planted_key_fails_under_its_own_item(
    good: Good, tmp_path: Path, fault: dict[str, Any], first: str, others: set[str]
) -> None:
    """EOS swapped, another end, BOS put before, a newline in the template, no pre-tokenizer, another rotation."""
    found = failed(hold(good, rewrite(good.file, tmp_path / "planted.gguf", keys=fault)))
    assert found[0] == first
    assert set(found) <= {first} | others


@pytest.mark.parametrize("key", ["tokens", "token_type"])
def test_a_token_that_is_written_differently_fails_under_vocabulary(good: Good, tmp_path: Path, key: str) -> None:
    """Renamed, or a control token now: no prompt holds it, so the certificate passed, and the replies were garbage."""
    asked = {token for reply in good.record.replies for token in reply.prompt_ids}
    token = next(t for reply in good.record.answered for t in reply.ids[:-1] if t not in asked)
    values = list(open_gguf(good.file).get_field(KEYS + key).contents())
    values[token] = "GARBAGE" if key == "tokens" else 3
    certificate = hold(good, rewrite(good.file, tmp_path / "planted.gguf", keys={KEYS + key: values}))
    assert failed(certificate)[0] == "vocabulary"
    # A control token is looked for in every text, before all others.
    assert set(failed(certificate)) <= {"vocabulary", "prompt_ids", "answers"}
    assert (item(certificate, "vocabulary").first_difference or {})["token"] == token


def test_another_chat_template_fails_under_its_own_item(good: Good, tmp_path: Path) -> None:
    """A runtime that chats would ask another prompt than the certificate's."""
    written = str(open_gguf(good.file).get_field("tokenizer.chat_template").contents())
    keys = {"tokenizer.chat_template": written.replace("Program:", "Program:\\n")}
    certificate = hold(good, rewrite(good.file, tmp_path / "planted.gguf", keys=keys))
    assert failed(certificate) == ["chat_template"]
    assert "Program:\\n" in item(certificate, "chat_template").failure_message


def test_a_student_as_it_came_keeps_its_own_chat_template(tiny_student: Student, good: Good, tmp_path: Path) -> None:
    record = reference_of(tiny_student, [], template=good.template, trained=False, threads=1)
    facts: dict[str, Any] = {"name": "x", "template": good.template, "license": None, "trained": False}
    export_float(tiny_student.folder, tiny_student.vocab, tmp_path, **facts)
    for file in (tmp_path / MODEL_FILE, good.file):
        assert failed(hold(good._replace(record=record), file)) == []


def test_a_newline_in_the_template_shows_both_texts(good: Good, tmp_path: Path) -> None:
    keys = {"fdd_edge.prompt_template": "Question: {question}\n\nProgram:\n"}
    difference = item(hold(good, rewrite(good.file, tmp_path / "planted.gguf", keys=keys)), "prompt_bytes")
    assert difference.first_difference is not None
    assert difference.first_difference["reference"].endswith("\nProgram:\n")
    assert "\n\nProg" in difference.first_difference["file"]
    assert "\n" not in difference.failure_message


def test_a_doubled_bos_fails_under_bos(good_with_bos: Good, tmp_path: Path) -> None:
    """A template that begins with BOS, and a converter that wrote another before it."""
    keys = {"fdd_edge.prompt_template": "<|end|>" + good_with_bos.template}
    certificate = hold(good_with_bos, rewrite(good_with_bos.file, tmp_path / "planted.gguf", keys=keys))
    assert failed(certificate)[0] == "bos"
    assert set(failed(certificate)) <= {"bos", "prompt_bytes", "answers"}
    difference = item(certificate, "bos").first_difference or {}
    assert (difference["reference begins with"], difference["file with"]) == (1, 2)
    assert failed(hold(good_with_bos, rewrite(good_with_bos.file, tmp_path / "twin.gguf"))) == []


def test_unpermuted_rows_are_named(good: Good, tmp_path: Path) -> None:
    certificate = hold(good, rewrite(good.file, tmp_path / "planted.gguf", edit=unpermuted(good)))
    assert failed(certificate)[0] == "tensors"
    assert {"tensors", "logits"} <= set(failed(certificate))
    difference = item(certificate, "tensors").first_difference or {}
    assert difference["tensor"] in ("blk.0.attn_k.weight", "blk.0.attn_q.weight")
    assert difference["holds"] == "the same rows in another order"
    assert item(certificate, "tensors").figures["wrong"] == 4


def test_a_shifted_layer_is_named(good: Good, tmp_path: Path) -> None:
    certificate = hold(good, rewrite(good.file, tmp_path / "planted.gguf", edit=shifted(good)))
    assert failed(certificate)[0] == "tensors"
    assert {"tensors", "logits"} <= set(failed(certificate))
    difference = item(certificate, "tensors").first_difference or {}
    assert difference["holds"] == difference["tensor"].replace("blk.0.", "blk.1.")


@pytest.mark.parametrize("edit", [broken_head, silent_head])
@pytest.mark.parametrize("kind", ["q8_0", "q4_0"])
def test_a_broken_head_of_a_quantized_file_is_named(good: Good, tmp_path: Path, edit: Edit, kind: str) -> None:
    """Coarse bounds must be real: only the head is wrong, and the file loads and writes."""
    quantize_gguf(good.file, tmp_path / "q.gguf", kind, recipe=f"gguf-{kind}")
    certificate = hold(good, rewrite(tmp_path / "q.gguf", tmp_path / "planted.gguf", edit=edit), f"gguf-{kind}")
    assert {"tensors", "logits", "greedy_tokens"} <= set(failed(certificate))
    assert (item(certificate, "tensors").first_difference or {})["tensor"] == "token_embd.weight"


def test_a_head_that_is_no_number_is_a_failed_certificate(good: Good, tmp_path: Path) -> None:
    """It once was an error of the runner, which cannot decode such a file."""
    spoil: Edit = lambda name, data: np.full_like(data, np.nan) if name == "output_norm.weight" else data  # noqa: E731
    certificate = hold(good, rewrite(good.file, tmp_path / "planted.gguf", edit=spoil))
    assert {"tensors", "logits", "answers"} <= set(failed(certificate))
    assert "not finite" in item(certificate, "logits").summary
    json.dumps(certificate.to_row(), allow_nan=False)


def test_another_models_file_with_fewer_ids_is_a_failed_certificate(good: Good, tiny_gguf: Path) -> None:
    """It once was an error of the runner, which was asked to feed ids that the file does not have."""
    certificate = hold(good, tiny_gguf)
    assert {"prompt_ids", "tensors", "logits", "greedy_tokens", "stops"} <= set(failed(certificate))
    assert "the file cannot read" in item(certificate, "logits").summary
    assert "it has no token" in item(certificate, "greedy_tokens").failure_message


def test_a_certificate_that_compares_nothing_has_not_passed(good: Good) -> None:
    """All of no items is true."""
    assert not replace(hold(good, good.file), items=()).passed


def test_a_certificate_survives_its_file(good: Good, tmp_path: Path) -> None:
    certificate = hold(good, good.file)
    certificate.write(tmp_path / "parity.json")
    assert Certificate.read(tmp_path / "parity.json") == certificate


def test_a_prompt_without_room_for_a_reply_is_compared_in_bytes_and_ids(tiny_student: Student, tmp_path: Path) -> None:
    """It once would have failed the whole certificate, being longer than the context."""
    long = Problem("long", "Tom has 3 figs. " * 400, 3, "test")
    record = reference_of(tiny_student, [long], template=file_prompt("plain"), trained=True, threads=1)
    assert [reply.id for reply in record.replies if not reply.ids] == ["long"]
    export_float(
        tiny_student.folder, tiny_student.vocab, tmp_path, name="x", template=file_prompt("plain"), license=None
    )
    certificate = hold(Good(tiny_student, record, "", tmp_path / MODEL_FILE), tmp_path / MODEL_FILE)
    assert failed(certificate) == []
    assert certificate.prompts["answered"] == 64
    assert certificate.prompts["encoded"] == 65


@pytest.mark.parametrize(("wrong", "judged"), [(1, False), (12, True)])
def test_a_tie_in_the_only_answer_is_no_fault(good: Good, wrong: int, judged: bool) -> None:
    """A student whose replies hardly ever gave a number failed by the one that did: 0 of 1 is less than 90 %."""
    told = [replace(r, answer=None if at >= wrong else -1e6 - at) for at, r in enumerate(good.record.replies)]
    record = replace(good.record, replies=tuple(told))
    silent = hold(good._replace(record=record), good.file)
    answers = item(silent, "answers")
    n = answers.figures["n"]
    assert n >= wrong
    assert answers.passed == (n < 10)
    assert ("too few to judge" in answers.summary) == (n < 10)
    assert not judged or not answers.passed
