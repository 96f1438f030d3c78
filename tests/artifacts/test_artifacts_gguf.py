"""GGUF files: written from a Hugging Face folder, read by llama.cpp, quantized by recipe, described."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from fdd_edge.artifacts.artifact_card import read_card
from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.gguf import (
    DeviceVocab,
    copy_vocab,
    describe_gguf,
    predict_quantized,
    quantize_gguf,
    read_vocab,
    write_float_gguf,
)
from fdd_edge.artifacts.gguf.quantize import FILE_TYPES
from fdd_edge.artifacts.gguf.reader import open_gguf
from fdd_edge.artifacts.recipe import load_gguf_recipe, load_recipe, names_of
from fdd_edge.cli.tables import print_artifacts
from fdd_edge.errors import FddError
from fdd_edge.operations.export import export_from_student, quantize
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.safetensors_folder import count_parameters
from fdd_edge.students.load import load_model
from fdd_edge.students.tokenizer import load_tokenizer

HARD = "It's 1234567 + 89,012.50 =  3 apples;  you'll save 50%!\n\n  7th\tΩ naïve 東京 १२३ $4.99"
"""Two spaces before a digit: the tokenizer that transformers rebuilds from a GGUF splits these otherwise."""


@pytest.fixture(scope="session")
def float_gguf(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("float") / "model.gguf"
    metadata = {"general.license": "mit", "fdd_edge.prompt_template": "Q: {question}\n"}
    write_float_gguf(tiny_student.folder, tiny_student.vocab, out, metadata=metadata)
    return out


@pytest.mark.parametrize("name", names_of("gguf"))
def test_every_shipped_recipe_loads_and_makes_a_file_of_its_kind(name: str, float_gguf: Path, tmp_path: Path) -> None:
    recipe = load_gguf_recipe(name)
    assert recipe.name == name
    assert recipe.type in FILE_TYPES
    out = tmp_path / "model.gguf"
    coming = predict_quantized(float_gguf, recipe.type, recipe=recipe.name)
    quantize_gguf(float_gguf, out, recipe.type, recipe=recipe.name)
    facts = describe_gguf(out)
    assert (coming.bytes, coming.bits_per_weight, coming.types) == (facts.bytes, facts.bits_per_weight, facts.types)
    assert facts.recipe == name
    assert facts.prompt_template == "Q: {question}\n"
    assert facts.parameters == describe_gguf(float_gguf).parameters
    assert facts.bytes <= float_gguf.stat().st_size + 100


def test_a_files_own_recipe_is_replaced_in_the_prediction(tiny_student: Student, tmp_path: Path) -> None:
    """The float file above names no recipe, exported ones do; the predicted size is exact in both cases."""
    source, out = tmp_path / "f32.gguf", tmp_path / "out.gguf"
    metadata = {"fdd_edge.recipe": "gguf-f32"}
    write_float_gguf(tiny_student.folder, tiny_student.vocab, source, metadata=metadata)
    for name in ("short", "as-long-a-name-as-nobody-would-ever-give-to-a-recipe"):
        quantize_gguf(source, out, "q8_0", recipe=name)
        assert predict_quantized(source, "q8_0", recipe=name).bytes == out.stat().st_size


def test_types_that_cannot_be_had_are_named_with_the_reason(float_gguf: Path) -> None:
    """The tiny student is 128 wide, and K-quants have blocks of 256; its down projections fit."""
    assert predict_quantized(float_gguf, "q8_0", recipe="x").fallbacks == ()
    coming = predict_quantized(float_gguf, "q4_k_m", recipe="x")
    assert {(f.wanted, f.got, f.row, f.block) for f in coming.fallbacks} == {
        ("Q4_K", "Q5_0", 128, 256),
        ("Q6_K", "Q8_0", 128, 256),
    }
    fallen = sum(fallback.matrices for fallback in coming.fallbacks)  # the head too, of which llama.cpp says nothing
    assert fallen == coming.types["Q5_0"] + coming.types["Q8_0"]


def test_an_export_says_what_fell_back_and_where_it_comes_from(
    tiny_student: Student, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "gguf-f32"
    labels = ArtifactLabels("tiny", "{question}", license="mit", base="Base", round=2)
    export_from_student(source, merged=None, student=tiny_student, labels=labels, recipe=load_recipe("gguf-f32"))
    quantize(tmp_path / "q4", float_artifact=source, imatrix=None, recipe=load_recipe("gguf-q4_k_m"))
    assert "exporting gguf-q4_k_m: " in capsys.readouterr().err
    card = read_card(tmp_path / "q4")
    assert (card["license"], card["base"], card["round"]) == ("mit", "Base", 2)
    print_artifacts([card])
    said = " ".join(capsys.readouterr().out.split())
    assert re.search(
        r"gguf-q4_k_m: \d+ matrices are stored as Q5_0, Q8_0, because row length 128 is not a multiple of 256", said
    )


def test_a_quantization_that_does_not_fit_is_refused_before_it_is_written(
    float_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(FddError, match=r"q8 needs about .* of disk space, but only 0\.1 MB are free"):
        quantize(tmp_path / "q8", float_artifact=float_gguf.parent, imatrix=None, recipe=load_recipe("gguf-q8_0"))
    assert not (tmp_path / "q8").exists()


def test_there_are_at_least_ten_recipes() -> None:
    assert len(names_of("gguf")) >= 10


def test_the_float_file_gives_the_logits_of_torch(float_gguf: Path, tiny_student: Student) -> None:
    """Relative L2 error of the logits, position by position: rotary pairs, norms, head and vocabulary are in place."""
    import llama_cpp
    import torch

    ids = load_tokenizer(tiny_student.folder)("Question: Tom had 12 figs and 30 pears.")["input_ids"]
    model = llama_cpp.Llama(
        str(float_gguf), n_ctx=64, logits_all=True, verbose=False, n_threads=1, type_k=0, type_v=0, flash_attn=False
    )
    model.eval(ids)
    theirs = np.array(model.scores[: len(ids)])
    with torch.inference_mode():
        ours = load_model(tiny_student.folder)(torch.tensor([ids])).logits[0].numpy()
    error = np.linalg.norm(theirs - ours, axis=1) / np.linalg.norm(ours, axis=1)
    assert error.max() < 1e-3


def test_the_folders_tokenizer_and_the_files_give_the_same_ids(tiny_student: Student) -> None:
    device = DeviceVocab(tiny_student.vocab)
    assert device.encode(HARD) == load_tokenizer(tiny_student.folder)(HARD, add_special_tokens=False)["input_ids"]


def test_the_pre_tokenizer_is_found_by_its_ids(tiny_student: Student) -> None:
    assert read_vocab(tiny_student.vocab).pre == "smollm"


def test_a_student_imported_from_its_own_gguf_is_the_same_student(
    float_gguf: Path, tiny_student: Student, tmp_path: Path
) -> None:
    imported = open_student(str(float_gguf))
    again = tmp_path / "again.gguf"
    write_float_gguf(imported.folder, imported.vocab, again, metadata={})
    import gguf

    before, after = ({t.name: t.data for t in gguf.GGUFReader(p).tensors} for p in (float_gguf, again))
    assert before.keys() == after.keys()
    for name, weights in before.items():
        assert np.array_equal(weights, after[name]), name
    ids = [load_tokenizer(s.folder)(HARD, add_special_tokens=False)["input_ids"] for s in (imported, tiny_student)]
    assert ids[0] == ids[1]
    assert imported.license == "mit"


def test_the_vocabulary_is_copied_key_by_key(float_gguf: Path, tmp_path: Path) -> None:
    copy_vocab(float_gguf, tmp_path / "vocab.gguf")
    assert read_vocab(tmp_path / "vocab.gguf") == read_vocab(float_gguf)


@pytest.mark.parametrize("keep", [0, 3, 100, 0.5, 0.999])
def test_a_truncated_file_is_one_sentence(float_gguf: Path, tmp_path: Path, keep: float) -> None:
    whole = float_gguf.read_bytes()
    path = tmp_path / "cut.gguf"
    path.write_bytes(whole[: int(keep if keep > 1 else keep * len(whole))])
    with pytest.raises(FddError, match=r"cut\.gguf is (not a GGUF file|a damaged or truncated GGUF)") as error:
        describe_gguf(path)
    assert "\n" not in str(error.value)


def test_the_quick_reader_reads_what_gguf_reads(float_gguf: Path) -> None:
    import gguf

    ours, theirs = open_gguf(float_gguf), gguf.GGUFReader(float_gguf)
    assert {n: f.contents() for n, f in ours.fields.items()} == {n: f.contents() for n, f in theirs.fields.items()}
    for mine, its in zip(ours.tensors, theirs.tensors, strict=True):
        assert (mine.name, mine.tensor_type) == (its.name, its.tensor_type)
        assert np.array_equal(mine.data, its.data)


def test_a_file_that_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"PK\x03\x04" + b"0" * 100)
    with pytest.raises(FddError, match="is not a GGUF file"):
        open_student(str(tmp_path / "x.gguf"))


def test_an_unknown_recipe_names_the_near_one() -> None:
    with pytest.raises(FddError, match=r"no recipe named 'gguf-q4-0'\. Did you mean 'gguf-q4_0'\?"):
        load_gguf_recipe("gguf-q4-0")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        ("tokenizer.json", "has no tokenizer: tokenizer.json is missing"),
        ("config.json", "it has no config.json"),
        ("model.safetensors", "has no model.safetensors and no .*; other weight files are not read"),
    ],
)
def test_a_folder_that_lacks_a_file(tiny_student: Student, tmp_path: Path, spoil: str, sentence: str) -> None:
    folder = Path(shutil.copytree(tiny_student.folder, tmp_path / "student"))
    (folder / spoil).unlink()
    with pytest.raises(FddError, match=sentence):
        open_student(str(folder))


def test_an_unsupported_architecture_names_those_supported(tiny_student: Student, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_student.folder, tmp_path / "student"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["GPT2LMHeadModel"]}), encoding="utf-8")
    with pytest.raises(FddError, match=r"GPT2LMHeadModel, which is not supported yet\. Supported: Llama.*, Qwen2"):
        open_student(str(folder))


def test_damaged_safetensors_are_one_sentence(tiny_student: Student, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_student.folder, tmp_path / "student"))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(FddError, match=r"model\.safetensors is damaged or truncated"):
        count_parameters(folder)


@pytest.mark.parametrize("kind", ["f16", "q8_0"])
def test_a_weight_beyond_16_bits_is_named(kind: str, tiny_student: Student, tmp_path: Path) -> None:
    """llama.cpp only says that a validation failed."""
    from safetensors.numpy import load_file, save_file

    folder = Path(shutil.copytree(tiny_student.folder, tmp_path / "student"))
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.weight"][0, 0] = 1e8
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    write_float_gguf(folder, tiny_student.vocab, tmp_path / "float.gguf", metadata={})
    with pytest.raises(FddError, match=r"its weight blk\.0\.ffn_up\.weight reaches 1e\+08, and .* largest is 65504"):
        quantize_gguf(tmp_path / "float.gguf", tmp_path / "out.gguf", kind, recipe=f"gguf-{kind}")
    assert not (tmp_path / "out.gguf").exists()
