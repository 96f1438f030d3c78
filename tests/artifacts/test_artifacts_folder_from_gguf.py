"""A GGUF file as a student: every key and every tensor is used or refused by name, in one piece or in several."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")
pytest.importorskip("llama_cpp", reason="needs: pip install 'fdd-edge[gguf]'")

from architectures import Case
from safetensors.numpy import load_file, save_file

from fdd_edge.artifacts.facts import describe_model, model_bytes
from fdd_edge.artifacts.gguf import stored_tensors, write_float_gguf, write_folder_from_gguf
from fdd_edge.artifacts.gguf.architectures.llama import LLAMA3_SCALINGS
from fdd_edge.artifacts.gguf.reader import open_gguf
from fdd_edge.artifacts.gguf.vocab_tables import copy_keys, read_vocab
from fdd_edge.errors import FddError
from fdd_edge.ondevice.model_files import artifact_files, hash_model
from fdd_edge.resolve.gguf_source import check_same_ids, check_same_model
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.students.tokenizer import rebuild_tokenizer

Tensors = dict[str, np.ndarray]


def write_gguf(
    source: Path,
    out: Path,
    *,
    keys: Mapping[str, Any] | None = None,
    edit: Callable[[Tensors], object] = lambda tensors: None,
    only: Callable[[int, int], bool] = lambda number, count: True,
) -> Path:
    """Write a copy of a float GGUF with other keys (None leaves one out) and other tensors, or only some of them."""
    import gguf

    changed = dict(keys or {})
    reader = open_gguf(source)
    writer = gguf.GGUFWriter(out, "llama")
    for name, found in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture" or name in changed:
            continue
        kind = found.types[0]
        sub_type = found.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, found.contents(), kind, sub_type=sub_type)
    for name, value in changed.items():
        if isinstance(value, str):
            writer.add_string(name, value)
        elif isinstance(value, float):
            writer.add_float32(name, value)
        elif isinstance(value, list):
            writer.add_array(name, value)
        elif value is not None:
            writer.add_uint32(name, value)
    tensors = {name: tensor.load() for name, tensor in stored_tensors(source).items()}
    edit(tensors)
    for number, (name, array) in enumerate(tensors.items()):
        if only(number, len(tensors)):
            writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


@pytest.fixture(scope="module")
def source(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny student as a float GGUF of somebody else's."""
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    write_float_gguf(tiny_student.folder, tiny_student.vocab, path, metadata={})
    return path


def imported(path: Path, out: Path) -> tuple[dict[str, Any], Tensors]:
    out.mkdir()
    write_folder_from_gguf(path, out)
    return json.loads((out / "config.json").read_text(encoding="utf-8")), load_file(out / "model.safetensors")


def assert_same_model(folder: Path, path: Path, out: Path) -> dict[str, Any]:
    config, weights = imported(path, out)
    expected = load_file(folder / "model.safetensors")
    assert weights.keys() == expected.keys()
    assert all(np.array_equal(weights[name], array) for name, array in expected.items())
    original = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    computed = {"hidden_size", "num_attention_heads", "num_key_value_heads", "rope_theta", "vocab_size", "rms_norm_eps"}
    computed |= {"num_hidden_layers", "intermediate_size", "max_position_embeddings", "tie_word_embeddings", "head_dim"}
    for key in computed & original.keys():
        assert config[key] == pytest.approx(original[key]), key
    return config


def test_a_file_comes_back_as_the_folder_it_was_made_from(source: Path, tiny_student: Student, tmp_path: Path) -> None:
    assert_same_model(tiny_student.folder, source, tmp_path / "folder")


def test_biases_and_a_head_of_its_own_come_back(
    architecture_student: Callable[[Case], Student], tmp_path: Path
) -> None:
    """Biases of a GGUF were dropped, and the certificate compared with the model without them."""
    student = architecture_student(Case("llama", tied=False, biases=True))
    write_float_gguf(student.folder, student.vocab, tmp_path / "m.gguf", metadata={})
    config = assert_same_model(student.folder, tmp_path / "m.gguf", tmp_path / "folder")
    assert (config["attention_bias"], config["mlp_bias"], config["tie_word_embeddings"]) == (True, True, False)


@pytest.mark.parametrize("scaling", LLAMA3_SCALINGS, ids=["3.1", "3.2"])
def test_the_factors_of_llama_3_come_back(scaling: dict[str, Any], tiny_student: Student, tmp_path: Path) -> None:
    """The factors of scaled RoPE were dropped."""
    folder = Path(shutil.copytree(tiny_student.folder, tmp_path / "student"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"rope_scaling": scaling}), encoding="utf-8")
    write_float_gguf(folder, tiny_student.vocab, tmp_path / "m.gguf", metadata={})
    assert assert_same_model(folder, tmp_path / "m.gguf", tmp_path / "folder")["rope_scaling"] == scaling


def without(name: str) -> Callable[[Tensors], object]:
    return lambda tensors: tensors.pop(name)


def plus(name: str, *shape: int) -> Callable[[Tensors], object]:
    return lambda tensors: tensors.update({name: np.ones(shape, np.float32)})


NO_WIDTHS = dict.fromkeys(("llama.attention.key_length", "llama.attention.value_length", "llama.rope.dimension_count"))


def not_finite(name: str) -> Callable[[Tensors], object]:
    return lambda tensors: tensors.update({name: np.full_like(tensors[name], np.nan)})


def as_type(name: str, kind: type[np.generic]) -> Callable[[Tensors], object]:
    return lambda tensors: tensors.update({name: tensors[name].astype(kind)})


@pytest.mark.parametrize(
    ("keys", "edit", "message"),
    [
        ({"llama.rope.scaling.type": "linear"}, None, r"has llama\.rope\.scaling\.type 'linear', .* supported: 'none'"),
        ({"llama.rope.scaling.factor": 4.0}, None, r"has the key llama\.rope\.scaling\.factor, which is not supported"),
        ({"llama.attention.sliding_window": 8}, None, r"has the key llama\.attention\.sliding_window"),
        ({"llama.expert_count": 4}, None, r"has llama\.expert_count 4"),
        ({"llama.embedding_length": None}, None, r"lacks the key llama\.embedding_length"),
        ({"llama.context_length": None}, None, r"lacks the key llama\.context_length"),
        ({"llama.vocab_size": 7}, None, r"has llama\.vocab_size 7, but \d+ tokens"),
        ({"llama.rope.dimension_count": 8}, None, r"has llama\.rope\.dimension_count 8, but heads of width"),
        ({"llama.feed_forward_length": [8, 9]}, None, r"a different llama\.feed_forward_length in each layer"),
        ({}, without("blk.1.ffn_down.weight"), r"lacks the tensor blk\.1\.ffn_down\.weight"),
        ({}, without("output_norm.weight"), r"lacks the tensor output_norm\.weight"),
        ({}, plus("blk.0.attn_qkv.weight", 4, 4), r"holds the tensor blk\.0\.attn_qkv\.weight, which is not supported"),
        ({}, plus("blk.0.attn_q.bias", 128), r"holds blk\.0\.attn_q\.bias but not blk\.\d\.attn_"),
        (
            {},
            plus("blk.0.attn_output.bias", 128),
            r"holds blk\.0\.attn_output\.bias but not blk\.0\.attn_q\.bias: a",
        ),
        (
            {"llama.attention.head_count": 128, **NO_WIDTHS},
            None,
            r"head_count 128 .*: heads of width 1, which must be even",
        ),
        ({}, not_finite("blk.0.attn_q.weight"), r"the tensor blk\.0\.attn_q\.weight holds numbers that are not finite"),
        ({}, not_finite("token_embd.weight"), r"the tensor token_embd\.weight holds numbers that are not finite"),
        (
            {},
            as_type("blk.0.attn_q.weight", np.float64),
            r"stores the tensor blk\.0\.attn_q\.weight as F64, from",
        ),
        ({}, as_type("blk.1.ffn_up.weight", np.int8), r"m\.gguf stores the tensor blk\.1\.ffn_up\.weight as I8, from"),
        ({}, as_type("blk.0.attn_norm.weight", np.int32), r"stores the tensor blk\.0\.attn_norm\.weight as I32, from"),
        ({}, plus("rope_freqs.weight", 16), r"holds rope_freqs\.weight with factors that are not those of Llama"),
        ({}, plus("output_norm.weight", 5), r"output_norm\.weight has the shape \(5,\), and its keys say \(128,\)"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    keys: dict[str, Any], edit: Callable[[Tensors], object] | None, message: str, source: Path, tmp_path: Path
) -> None:
    """transformers' reader ignored such keys and tensors, and filled missing ones with random numbers."""
    path = write_gguf(source, tmp_path / "m.gguf", keys=keys, edit=edit or (lambda tensors: None))
    with pytest.raises(FddError, match=message):
        imported(path, tmp_path / "folder")


def test_another_model_in_llama_cpp_is_refused(source: Path, tiny_student: Student, tmp_path: Path) -> None:
    """What is read is held against the file itself: first the tensors, then what llama.cpp computes with it."""
    check_same_model(source, tiny_student.folder, tiny_student.vocab)
    rotated = write_gguf(source, tmp_path / "m.gguf", keys={"llama.rope.freq_base": 50.0})
    with pytest.raises(FddError, match=r"llama\.cpp computes something else with this file"):
        check_same_model(rotated, tiny_student.folder, tiny_student.vocab)

    def nudge(tensors: Tensors) -> None:
        tensors["blk.0.attn_q.weight"] = tensors["blk.0.attn_q.weight"] + np.float32(1e-3)

    with pytest.raises(FddError, match=r"the tensor blk\.0\.attn_q\.weight does not survive"):
        check_same_model(write_gguf(source, tmp_path / "n.gguf", edit=nudge), tiny_student.folder, tiny_student.vocab)


def in_16_bits(source: Path, out: Path, kind: str) -> Path:
    """Write a file with its matrices in another type."""
    import gguf

    reader, chosen = open_gguf(source), gguf.GGMLQuantizationType[kind]
    writer = gguf.GGUFWriter(out, "llama")
    copy_keys(reader, writer, "", leave_out=[name for name in reader.fields if name.startswith(("GGUF.", "general.a"))])
    for tensor in reader.tensors:
        is_matrix = len(tensor.shape) > 1
        data = gguf.quants.quantize(tensor.data, chosen) if is_matrix else tensor.data
        writer.add_tensor(tensor.name, data, raw_dtype=chosen if is_matrix else None)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


@pytest.mark.parametrize("kind", ["BF16", "F16"])
def test_a_file_of_16_bits_is_compared_with_one_of_its_type(kind: str, source: Path, tmp_path: Path) -> None:
    """llama.cpp rounds activations to BF16 too, by which the file differed from its own weights, and was refused."""
    student = open_student(str(in_16_bits(source, tmp_path / "m.gguf", kind)))
    config = student.folder / "config.json"
    changed = Path(shutil.copytree(student.folder, tmp_path / "changed"))
    content = json.loads(config.read_text(encoding="utf-8"))
    # Less than what BF16 makes of the activations.
    (changed / "config.json").write_text(json.dumps(content | {"rms_norm_eps": 2e-4}), encoding="utf-8")
    with pytest.raises(FddError, match=r"llama\.cpp computes something else with this file"):
        check_same_model(tmp_path / "m.gguf", changed, student.vocab)


def test_a_key_by_which_llama_cpp_reads_other_tokens_is_refused(source: Path, tmp_path: Path) -> None:
    """A model's name is such a key: Phi-3's special tokens drop the spaces after them."""
    vocab = in_16_bits(source, tmp_path / "m.gguf", "F16")
    folder = tmp_path / "folder"
    rebuild_tokenizer(folder, **read_vocab(vocab)._replace(pre="gpt-2")._asdict())
    with pytest.raises(FddError, match=r"m\.gguf: llama\.cpp reads .* as other tokens than its vocabulary says"):
        check_same_ids(vocab, folder)


@pytest.mark.parametrize(("pre", "named"), [("bloom", "bloom"), (None, "default")])
def test_a_pre_tokenizer_that_is_not_supported_is_told_of_the_file(
    pre: str | None, named: str, source: Path, tmp_path: Path
) -> None:
    """A file without the key was read as gpt-2, and llama.cpp splits its texts in another way."""
    path = write_gguf(source, tmp_path / "m.gguf", keys={"tokenizer.ggml.pre": pre})
    with pytest.raises(FddError, match=rf"m\.gguf: The pre-tokenizer '{named}' is not supported yet"):
        open_student(str(path))


def split(source: Path, folder: Path, stem: str = "m") -> list[Path]:
    """Write a model in three pieces, as llama-gguf-split does."""
    pieces = []
    for number in range(3):
        keys = {"split.no": number, "split.count": 3, "split.tensors.count": len(stored_tensors(source))}
        path = folder / f"{stem}-{number + 1:05d}-of-00003.gguf"
        pieces.append(write_gguf(source, path, keys=keys, only=lambda i, n, part=number: i * 3 // n == part))  # type: ignore[misc]
    return pieces


def test_all_pieces_are_one_model(source: Path, tiny_student: Student, tmp_path: Path) -> None:
    """`export` read the first piece, and filled the rest of the model with random numbers."""
    pieces = split(source, tmp_path)
    assert artifact_files(pieces[0]) == pieces
    assert model_bytes(pieces[0]) == describe_model(pieces[0]).bytes == sum(p.stat().st_size for p in pieces)
    assert describe_model(pieces[0]).parameters == describe_model(source).parameters
    before = hash_model(pieces[0])
    assert_same_model(tiny_student.folder, pieces[0], tmp_path / "folder")
    with pieces[2].open("ab") as file:
        file.write(b"\0")
    assert hash_model(pieces[0]) != before


def test_a_piece_that_is_missing_is_named(source: Path, tmp_path: Path) -> None:
    pieces = split(source, tmp_path)
    with pytest.raises(FddError, match=r"is not the first of its 3 pieces; name m-00001-of-00003\.gguf"):
        open_student(str(pieces[1]))
    pieces[1].unlink()
    with pytest.raises(FddError, match=r"one of 3 pieces of a model, and m-00002-of-00003\.gguf is not next to it"):
        open_student(str(pieces[0]))
    renamed = pieces[0].rename(tmp_path / "model.gguf")
    with pytest.raises(FddError, match=r"llama\.cpp expects NAME-00001-of-00003\.gguf"):
        open_student(str(renamed))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("model.layers.1.mlp.down_proj.weight"), r"lacks the tensor model\.layers\.1\.mlp\.down_proj"),
        (lambda w: w.pop("model.norm.weight"), r"lacks the tensor model\.norm\.weight"),
        (
            lambda w: w.update({"model.layers.0.self_attn.q_proj.bias": np.ones(128, np.float32)}),
            r"holds the tensor .*q_proj\.bias",
        ),
        (
            lambda w: w.update({"model.norm.weight": np.ones(127, np.float32)}),
            r"model\.norm\.weight has the shape \(127,\)",
        ),
        (
            lambda w: w.update({"model.norm.weight": np.ones(128, np.int8)}),
            r"stores model\.norm\.weight as I8: it is quantized",
        ),
    ],
)
def test_a_folder_holds_exactly_the_tensors_of_its_config(
    change: Callable[[Tensors], object], message: str, tiny_student: Student, tmp_path: Path
) -> None:
    """A missing matrix was filled with random numbers, trained, and merged."""
    folder = Path(shutil.copytree(tiny_student.folder, tmp_path / "student"))
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(FddError, match=message):
        open_student(str(folder))


@pytest.mark.parametrize("key", ["vocab_size", "max_position_embeddings", "num_hidden_layers"])
def test_a_config_without_a_size_is_refused(key: str, tiny_student: Student, tmp_path: Path) -> None:
    """It ended in a KeyError, or in transformers' default."""
    folder = Path(shutil.copytree(tiny_student.folder, tmp_path / "student"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del config[key]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(FddError, match=rf"lacks {key} in its config\.json"):
        open_student(str(folder))
