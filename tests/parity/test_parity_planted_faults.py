"""Planted faults: each fails its certificate under its own item, and a copy without the fault passes every item.

Each is planted twice: for a certificate of all prompts, and for one of a run, which begins with a few.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from fdd_edge import parity
from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.gguf import quantize_gguf
from fdd_edge.artifacts.gguf.reader import open_gguf
from fdd_edge.artifacts.recipe import load_recipe
from fdd_edge.errors import FddError
from fdd_edge.ondevice.families import GGUF
from fdd_edge.operations.certify import certify_file, packaged_prompts, reference_of
from fdd_edge.operations.export import export_from_student
from fdd_edge.parity import ITEMS, Certificate, Item, ReferenceOutputs
from fdd_edge.records import Problem
from fdd_edge.resolve.prompts import file_prompt
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.targets import TargetRuntime, load_profile

Edit = Callable[[str, np.ndarray], np.ndarray]
"""Returns the bytes to write instead of a tensor's."""


class Good(NamedTuple):
    """A student, its outputs, its file, and its outputs for the few prompts with which a run begins."""

    student: Student
    reference: ReferenceOutputs
    template: str
    file: Path
    few: ReferenceOutputs | None = None


def make_good(student: Student, template: str, folder: Path) -> Good:
    """Let a student answer the packaged prompts, and export it."""
    reference = reference_of(student, [], template=template, trained=True, threads=1)
    few = reference_of(student, [], template=template, trained=True, few=True, threads=1)
    export_float(student, folder, ArtifactLabels("tiny", template))
    return Good(student, reference, template, folder / GGUF.model_file, few)


def export_float(student: Student, out: Path, labels: ArtifactLabels) -> None:
    export_from_student(out, merged=None, student=student, labels=labels, recipe=load_recipe("gguf-f32"))


@pytest.fixture(scope="module")
def good(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> Good:
    return make_good(tiny_student, file_prompt("plain"), tmp_path_factory.mktemp("good") / "float")


@pytest.fixture(scope="module")
def good_with_bos(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> Good:
    """A student whose prompt begins with BOS, as chat templates do."""
    folder = Path(shutil.copytree(tiny_student.folder, tmp_path_factory.mktemp("bos") / "student"))
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"bos_token": "<|end|>"}))
    student = open_student(str(folder))
    return make_good(student, "<|end|>" + file_prompt("plain"), folder.parent / "float")


def compare(good: Good, file: Path, recipe: str = "gguf-f32") -> Certificate:
    """Return the certificate of all prompts, after the one of a run was seen to say the same."""
    named, runtime = load_recipe(recipe), TargetRuntime(load_profile("local"), "gguf")
    certify = partial(certify_file, file, good.student.folder, recipe=named, runtime=runtime, threads=1)
    if good.few is None:
        return certify(good.reference)
    of_a_run = certify(good.few, answer_all=lambda: good.reference)
    if of_a_run.prompts["answered"] == 64:
        return of_a_run  # all prompts were compared in the end, with these very outputs
    certificate = certify(good.reference)
    assert of_a_run.passed and certificate.passed, certificate.failed
    return certificate


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


def after_reading(monkeypatch: pytest.MonkeyPatch, then: Callable[[], object]) -> None:
    """Do something once the file has been run."""
    real = parity.read_file

    def read_file(*args: Any, **options: Any) -> Any:
        outputs = real(*args, **options)
        then()
        return outputs

    monkeypatch.setattr("fdd_edge.operations.certify.read_file", read_file)


def test_a_file_that_was_not_the_one_compared_gets_no_certificate(
    good: Good, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file was hashed after all comparisons, so one that was moved to its name meanwhile had passed."""
    model, other = tmp_path / "model.gguf", tmp_path / "other.gguf"
    shutil.copy(good.file, model)
    rewrite(good.file, other, edit=lambda name, data: data * 2)
    after_reading(monkeypatch, lambda: other.replace(model))
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FddError, match=r"model\.gguf was changed while it was being compared"):
        compare(good, model)
    assert not (tmp_path / "cache" / "certificates").exists()


def test_a_reference_that_changes_meanwhile_gives_no_certificate(
    good: Good, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(good.student.folder, tmp_path / "student"))
    copy = good._replace(student=open_student(str(folder)))
    notes = folder / "config.json"
    after_reading(monkeypatch, lambda: notes.write_text(notes.read_text() + " "))
    with pytest.raises(FddError, match="student was changed while it was being compared"):
        compare(copy, good.file)
    monkeypatch.undo()
    with pytest.raises(FddError, match="student was changed while it was being compared"):
        compare(copy, good.file)  # changed since the reference's outputs were computed


def unpermuted(good: Good) -> Edit:
    """Leave the rows of q and k in the order of transformers."""
    from safetensors.numpy import load_file

    weights = load_file(good.student.folder / "model.safetensors")

    def edit(name: str, data: np.ndarray) -> np.ndarray:
        for part, theirs in (("attn_q", "q_proj"), ("attn_k", "k_proj")):
            if f".{part}." in name:
                return np.asarray(weights[f"model.layers.{name.split('.')[1]}.self_attn.{theirs}.weight"])
        return data

    return edit


def shifted(good: Good) -> Edit:
    """Put the weights of the second layer into the first."""
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


def test_a_copy_without_a_fault_passes_every_item(good: Good, tmp_path: Path) -> None:
    """Written by the function that plants the faults, with nothing changed."""
    certificate = compare(good, rewrite(good.file, tmp_path / "copy.gguf"))
    assert tuple(item.name for item in certificate.items) == ITEMS
    assert failed(certificate) == []
    assert certificate.prompts["answered"] == 64


def test_a_copy_of_a_quantized_file_passes_every_item(good: Good, tmp_path: Path) -> None:
    for kind in ("q8_0", "q4_0"):
        quantize_gguf(good.file, tmp_path / "q.gguf", kind, recipe=f"gguf-{kind}")
        certificate = compare(good, rewrite(tmp_path / "q.gguf", tmp_path / f"copy-{kind}.gguf"), f"gguf-{kind}")
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
    """EOS swapped, one more EOS id, BOS added, a newline in the template, a wrong or no pre-tokenizer, another RoPE."""
    found = failed(compare(good, rewrite(good.file, tmp_path / "planted.gguf", keys=fault)))
    assert found[0] == first
    assert set(found) <= {first} | others


@pytest.mark.parametrize("key", ["tokens", "token_type"])
def test_a_token_that_is_written_differently_fails_under_vocabulary(good: Good, tmp_path: Path, key: str) -> None:
    """Renamed, or made a control token: no prompt contains it, so it used to pass, and the replies were garbage."""
    asked = {token for reply in good.reference.replies for token in reply.prompt_ids}
    token = next(t for reply in good.reference.answered for t in reply.ids[:-1] if t not in asked)
    values = list(open_gguf(good.file).get_field(KEYS + key).contents())
    values[token] = "GARBAGE" if key == "tokens" else 3
    certificate = compare(good, rewrite(good.file, tmp_path / "planted.gguf", keys={KEYS + key: values}))
    assert failed(certificate)[0] == "vocabulary"
    # A control token is looked for in every text, before all others.
    assert set(failed(certificate)) <= {"vocabulary", "prompt_ids", "answers"}
    assert (item(certificate, "vocabulary").first_difference or {})["token"] == token


def test_another_chat_template_fails_under_its_own_item(good: Good, tmp_path: Path) -> None:
    """In a chat, the prompt would differ from the certificate's."""
    written = str(open_gguf(good.file).get_field("tokenizer.chat_template").contents())
    keys = {"tokenizer.chat_template": written.replace("Program:", "Program:\\n")}
    certificate = compare(good, rewrite(good.file, tmp_path / "planted.gguf", keys=keys))
    assert failed(certificate) == ["chat_template"]
    assert "Program:\\n" in item(certificate, "chat_template").failure_message


def test_a_student_as_it_came_keeps_its_own_chat_template(tiny_student: Student, good: Good, tmp_path: Path) -> None:
    reference = reference_of(tiny_student, [], template=good.template, trained=False, threads=1)
    export_float(tiny_student, tmp_path, ArtifactLabels("x", good.template, trained=False))
    for file in (tmp_path / GGUF.model_file, good.file):
        assert failed(compare(good._replace(reference=reference), file)) == []


def test_a_newline_in_the_template_shows_both_texts(good: Good, tmp_path: Path) -> None:
    keys = {"fdd_edge.prompt_template": "Question: {question}\n\nProgram:\n"}
    difference = item(compare(good, rewrite(good.file, tmp_path / "planted.gguf", keys=keys)), "prompt_bytes")
    assert difference.first_difference is not None
    assert str(difference.first_difference["reference"]).endswith("\nProgram:\n")
    assert "\n\nProg" in str(difference.first_difference["file"])
    assert "\n" not in difference.failure_message


def test_a_doubled_bos_fails_under_bos(good_with_bos: Good, tmp_path: Path) -> None:
    """A template that begins with BOS, and a converter that added another one."""
    keys = {"fdd_edge.prompt_template": "<|end|>" + good_with_bos.template}
    certificate = compare(good_with_bos, rewrite(good_with_bos.file, tmp_path / "planted.gguf", keys=keys))
    assert failed(certificate)[0] == "bos"
    assert set(failed(certificate)) <= {"bos", "prompt_bytes", "answers"}
    difference = item(certificate, "bos").first_difference or {}
    assert (difference["reference begins with"], difference["file with"]) == (1, 2)
    assert failed(compare(good_with_bos, rewrite(good_with_bos.file, tmp_path / "copy.gguf"))) == []


def test_unpermuted_rows_are_named(good: Good, tmp_path: Path) -> None:
    certificate = compare(good, rewrite(good.file, tmp_path / "planted.gguf", edit=unpermuted(good)))
    assert failed(certificate)[0] == "tensors"
    assert {"tensors", "logits"} <= set(failed(certificate))
    difference = item(certificate, "tensors").first_difference or {}
    assert difference["tensor"] in ("blk.0.attn_k.weight", "blk.0.attn_q.weight")
    assert difference["holds"] == "the same rows in another order"
    assert item(certificate, "tensors").figures["wrong"] == 4


def test_a_shifted_layer_is_named(good: Good, tmp_path: Path) -> None:
    certificate = compare(good, rewrite(good.file, tmp_path / "planted.gguf", edit=shifted(good)))
    assert failed(certificate)[0] == "tensors"
    assert {"tensors", "logits"} <= set(failed(certificate))
    difference = item(certificate, "tensors").first_difference or {}
    assert difference["holds"] == str(difference["tensor"]).replace("blk.0.", "blk.1.")


@pytest.mark.parametrize("edit", [broken_head, silent_head])
@pytest.mark.parametrize("kind", ["q8_0", "q4_0"])
def test_a_broken_head_of_a_quantized_file_is_named(good: Good, tmp_path: Path, edit: Edit, kind: str) -> None:
    """Wide bounds must still detect something: only the head is wrong, and the file loads and writes."""
    quantize_gguf(good.file, tmp_path / "q.gguf", kind, recipe=f"gguf-{kind}")
    certificate = compare(good, rewrite(tmp_path / "q.gguf", tmp_path / "planted.gguf", edit=edit), f"gguf-{kind}")
    assert {"tensors", "logits", "greedy_tokens"} <= set(failed(certificate))
    assert (item(certificate, "tensors").first_difference or {})["tensor"] == "token_embd.weight"


def test_a_head_that_is_no_number_is_a_failed_certificate(good: Good, tmp_path: Path) -> None:
    """It used to be an error of the runner, which cannot decode such a file."""
    spoil: Edit = lambda name, data: np.full_like(data, np.nan) if name == "output_norm.weight" else data  # noqa: E731
    certificate = compare(good, rewrite(good.file, tmp_path / "planted.gguf", edit=spoil))
    assert {"tensors", "logits", "answers"} <= set(failed(certificate))
    assert "not finite" in item(certificate, "logits").summary
    json.dumps(certificate.to_dict(), allow_nan=False)


def test_another_models_file_with_fewer_ids_is_a_failed_certificate(good: Good, tiny_gguf: Path) -> None:
    """It used to be an error of the runner, which got ids that the file does not have."""
    certificate = compare(good, tiny_gguf)
    assert {"prompt_ids", "tensors", "logits", "greedy_tokens", "stops"} <= set(failed(certificate))
    assert "the file cannot read" in item(certificate, "logits").summary
    assert "it has no token" in item(certificate, "greedy_tokens").failure_message


def test_a_certificate_that_compares_nothing_has_not_passed(good: Good) -> None:
    """``all`` of an empty list is true."""
    assert not replace(compare(good, good.file), items=()).passed


def test_a_certificate_survives_its_file(good: Good, tmp_path: Path) -> None:
    certificate = compare(good, good.file)
    certificate.write(tmp_path / "parity.json")
    assert Certificate.read(tmp_path / "parity.json") == certificate


def test_a_prompt_without_room_for_a_reply_is_compared_in_bytes_and_ids(tiny_student: Student, tmp_path: Path) -> None:
    """It is longer than the context, and used to fail the whole certificate."""
    long = Problem("long", "Tom has 3 figs. " * 400, 3, "test")
    reference = reference_of(tiny_student, [long], template=file_prompt("plain"), trained=True, threads=1)
    encoded = [reply.id for reply in reference.replies if not reply.ids]
    assert [name for name in encoded if not name.startswith("packaged-")] == ["long"]
    export_float(tiny_student, tmp_path, ArtifactLabels("x", file_prompt("plain")))
    file = tmp_path / GGUF.model_file
    certificate = compare(Good(tiny_student, reference, "", file), file)
    assert failed(certificate) == []
    assert certificate.prompts["answered"] == 64
    assert certificate.prompts["encoded"] == len(packaged_prompts()) + 1


@pytest.mark.parametrize(("wrong", "judged"), [(1, False), (12, True)])
def test_a_tie_in_the_only_answer_is_no_fault(good: Good, wrong: int, judged: bool) -> None:
    """A student whose replies hardly ever gave a number used to fail by the one that did: 0 of 1 is below 90 %."""
    replies = [replace(r, answer=None if i >= wrong else -1e6 - i) for i, r in enumerate(good.reference.replies)]
    reference = replace(good.reference, replies=tuple(replies))
    answers = item(compare(good._replace(reference=reference, few=None), good.file), "answers")
    n = answers.figures["n"]
    assert isinstance(n, int)
    assert n >= wrong
    assert answers.passed == (n < 10)
    assert ("too few to judge" in answers.summary) == (n < 10)
    assert not judged or not answers.passed
