"""Folders that are not the model they say: one sentence before anything is trained or exported, never other logits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")

from safetensors.numpy import load_file, save_file

from fdd_edge.artifacts.onnx.seq2seq_weights import seq2seq_tensors
from fdd_edge.errors import FddError
from fdd_edge.resolve.model_file import find_model_file
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.runs.fingerprint import Json
from fdd_edge.students.float_model import Reference
from fdd_edge.students.load import load_model

Tensors = dict[str, np.ndarray]

CROSS = "decoder.block.0.layer.1.EncDecAttention.q.weight"
UNREAD_BIAS = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
UP, NORM, EMBEDDINGS, HEAD = (
    *("model.layers.0.mlp.up_proj.weight", "model.norm.weight"),
    *("model.embed_tokens.weight", "lm_head.weight"),
)
COPY = "encoder.embed_tokens.weight"


@pytest.fixture
def llama(tiny_student: Student, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_student.folder, tmp_path / "m"))


@pytest.fixture
def t5(tiny_t5: Student, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_t5.folder, tmp_path / "m"))


def change_weights(folder: Path, change: Callable[[Tensors], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def change_config(folder: Path, keys: dict[str, Json], name: str = "config.json") -> None:
    """Change keys; None removes one."""
    content = json.loads((folder / name).read_text(encoding="utf-8")) | keys
    (folder / name).unlink()
    kept = {key: value for key, value in content.items() if value is not None}
    (folder / name).write_text(json.dumps(kept), encoding="utf-8")


def shard(folder: Path, change: Callable[[dict[str, str], dict[str, Tensors]], object]) -> None:
    """Split the weights into two files, with an index, after changing index and files."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    index = {name: f"m-{1 + i % 2}.safetensors" for i, name in enumerate(sorted(weights))}
    files = {
        file: {n: weights[n] for n in index if index[n] == file} for file in ("m-1.safetensors", "m-2.safetensors")
    }
    change(index, files)
    for file, content in files.items():
        save_file(content, folder / file, {"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}), encoding="utf-8")


def refused(folder: Path, sentence: str, family: str = "gguf") -> None:
    with pytest.raises(FddError, match=sentence) as caught:
        open_student(str(folder), families=[family])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: w.pop(CROSS), f"lacks the tensor {CROSS}"),
        (lambda w: w.update({"foo.weight": np.ones(3, np.float32)}), r"holds the tensor foo\.weight, which its arch"),
        (lambda w: w.update({CROSS: w[CROSS].astype(np.int8)}), f"stores {CROSS} as I8: it is quantized"),
        (lambda w: w[CROSS].fill(np.nan), f"{CROSS} holds nan at .0, 0., which is not a finite number"),
    ],
)
def test_an_encoder_decoder_holds_exactly_its_tensors(
    change: Callable[[Tensors], object], sentence: str, t5: Path
) -> None:
    """`export --no-parity` and `train` took a T5 whose missing matrix transformers had filled with random numbers."""
    change_weights(t5, change)
    refused(t5, sentence, "onnx")


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"d_ff": 100}, r"wi\.weight has the shape \(256, 128\), and its config.json says \(100, 128\)"),
        ({"vocab_size": 700}, r"shared\.weight has the shape"),
        ({"vocab_size": None}, "lacks vocab_size, and a default could be wrong"),
        ({"tie_word_embeddings": False}, r"lacks the tensor lm_head\.weight; .*tie_word_embeddings"),
        ({"decoder_start_token_id": None}, "must name the id that the decoder starts with"),
        ({"is_encoder_decoder": None}, 'must say "is_encoder_decoder": true'),
        ({"feed_forward_proj": "gated-x-y"}, "does not describe a model that transformers can build: ValueError"),
        ({"model_type": "mt5"}, "names T5ForConditionalGeneration and the model_type 'mt5'"),
    ],
)
def test_a_config_that_is_not_of_its_encoder_decoder(keys: dict[str, Json], sentence: str, t5: Path) -> None:
    change_config(t5, keys)
    refused(t5, sentence, "onnx")


def test_old_encoder_decoders_store_tensors_that_nobody_reads(t5: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Their artifacts failed parity, which missed the copies of the embedding."""
    plain = [name for name, _ in seq2seq_tensors(t5)]
    bias = {UNREAD_BIAS: np.ones((32, 4), np.float32)}
    change_weights(t5, lambda w: w.update({COPY: w["shared.weight"], HEAD: 2 * w["shared.weight"], **bias}))
    open_student(str(t5), families=["onnx"])
    assert f"{t5} holds a lm_head.weight that differs from its embeddings" in capsys.readouterr().err
    read = dict(seq2seq_tensors(t5))
    assert list(read) == plain
    np.testing.assert_array_equal(read[HEAD], read["shared.weight"])
    change_weights(t5, lambda w: w.update({COPY: 2 * w["shared.weight"]}))
    for _ in range(2):
        open_student(str(t5), families=["onnx"])
        assert f"holds {COPY}, a copy of shared.weight that differs from it" in capsys.readouterr().err
    assert load_model(t5).get_encoder().embed_tokens.weight.equal(load_model(t5).get_parameter("shared.weight"))


def test_an_encoder_decoder_may_say_that_it_has_no_longest_text(t5: Path) -> None:
    content = json.loads((t5 / "config.json").read_text(encoding="utf-8")) | {"n_positions": None}
    (t5 / "config.json").unlink()
    (t5 / "config.json").write_text(json.dumps(content), encoding="utf-8")
    assert Reference(t5).context == 512


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: w[EMBEDDINGS][-1].fill(np.inf), rf"{EMBEDDINGS} holds inf at \[\d+, 0\]"),
        (lambda w: w.update({HEAD: w[EMBEDDINGS][:10]}), r"lm_head\.weight has the shape \(10, 128\)"),
        (
            lambda w: w.update({f"_orig_mod.{name}": w.pop(name) for name in list(w)}),
            r"holds _orig_mod\.model\.embed_tokens\.weight: save the model again without the prefix '_orig_mod\.'",
        ),
        (
            lambda w: w.update({name.removeprefix("model."): w.pop(name) for name in list(w)}),
            r"holds embed_tokens\.weight: it was saved without its head",
        ),
        (
            lambda w: w.update({UP.replace("weight", "qweight"): w.pop(UP)}),
            r"stores .*up_proj\.weight as .*up_proj\.qweight: it is quantized",
        ),
    ],
)
def test_weights_of_a_decoder_that_are_not_its_model(
    change: Callable[[Tensors], object], sentence: str, llama: Path
) -> None:
    change_weights(llama, change)
    refused(llama, sentence)


def name_the_other(index: dict[str, str], files: dict[str, Tensors]) -> None:
    index[NORM] = next(file for file in files if file != index[NORM])


def store_twice(index: dict[str, str], files: dict[str, Tensors]) -> None:
    other = next(file for file in files if file != index[NORM])
    files[other][NORM] = files[index[NORM]][NORM] + 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda index, files: index.update(foo="m-1.safetensors"),
            "names the tensor foo, which is in none of its files",
        ),
        (lambda index, files: index.pop(NORM), rf"holds the tensor {NORM}, which its .*index\.json does not name"),
        (name_the_other, rf"says that the tensor {NORM} is in m-\d\.safetensors, and it is in m-\d\.safetensors"),
        (store_twice, rf"holds the tensor {NORM} twice, in m-1\.safetensors and in m-2\.safetensors"),
    ],
)
def test_an_index_that_does_not_fit_its_shards(
    change: Callable[[dict[str, str], dict[str, Tensors]], object], sentence: str, llama: Path
) -> None:
    shard(llama, change)
    refused(llama, sentence)


def test_shards_that_fit_their_index_are_read(llama: Path) -> None:
    shard(llama, lambda index, files: None)
    assert open_student(str(llama)).folder == llama


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"architectures": None}, "lacks architectures, so it does not say which model this is"),
        (
            {"model_type": "qwen2"},
            "names LlamaForCausalLM and the model_type 'qwen2', and a LlamaForCausalLM has 'llama'",
        ),
        ({"model_type": None}, "lacks model_type; a LlamaForCausalLM has 'llama': add it"),
        (
            {"architectures": ["LlamaForSequenceClassification"]},
            "LlamaForSequenceClassification, which is not supported",
        ),
        ({"is_encoder_decoder": True}, "a LlamaForCausalLM has no encoder"),
        ({"tie_word_embeddings": "false"}, "tie_word_embeddings must be true or false, not 'false'"),
        ({"tie_word_embeddings": None}, r"lacks the tensor lm_head\.weight; .*tie_word_embeddings"),
        ({"rope_theta": "10000"}, "rope_theta must be a positive number"),
        ({"rope_scaling": "linear"}, "has the rope_scaling 'linear' in its config.json, which must be an object"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "whose low_freq_factor is None"),
        ({"partial_rotary_factor": 0.5}, "rotates a part of each head"),
        ({"sliding_window": 4}, "has a sliding_window in its config.json, which this architecture does not have"),
        ({"layer_types": ["sliding_attention"] * 2}, r"has a layer of sliding_attention \(layer_types\)"),
        ({"layer_types": ["full_attention"]}, "has layer_types in its config.json that are not one for each layer"),
        ({"num_key_value_heads": 3}, "has 4 attention heads and 3 of keys and values"),
        ({"hidden_act": 5}, "has the activation 5"),
    ],
)
def test_a_config_that_is_not_of_its_decoder(keys: dict[str, Json], sentence: str, llama: Path) -> None:
    change_config(llama, keys)
    refused(llama, sentence)


def test_the_width_of_a_head_must_be_stated_where_it_is_not_derived(llama: Path) -> None:
    """transformers takes 128 for a Qwen3, other readers the width divided by the heads."""
    change_config(llama, {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "head_dim": None})
    refused(llama, "This Qwen3ForCausalLM lacks head_dim in its config.json")


def test_more_tokens_than_embeddings(llama: Path) -> None:
    """It was an IndexError in the middle of a certificate."""
    change_weights(llama, lambda w: w.update({EMBEDDINGS: w[EMBEDDINGS][:600]}))
    change_config(llama, {"vocab_size": 600})
    refused(llama, r"has 600 embeddings, and its tokenizer \d+ tokens: .*resize_token_embeddings")


def test_an_end_of_reply_without_an_embedding(llama: Path) -> None:
    change_config(llama, {"eos_token_id": [0, 9999]}, "generation_config.json")
    refused(llama, r"generation_config\.json: eos_token_id names the id 9999, and the model has")


def test_an_end_of_reply_that_a_gguf_does_not_know_is_announced(
    llama: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change_config(llama, {"eos_token_id": [0, 52]}, "generation_config.json")
    open_student(str(llama))
    assert "says that the ids [52] end a reply too. A GGUF file cannot say that" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_pointer_of_git_lfs_is_called_so(name: str, llama: Path) -> None:
    (llama / name).unlink()
    (llama / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1512000\n")
    refused(llama, "is a Git LFS pointer, not the file itself: run `git lfs pull`")


def test_a_link_to_nothing_is_called_so(llama: Path) -> None:
    (llama / "model.safetensors").unlink()
    (llama / "model.safetensors").symlink_to("../blobs/nothing")
    refused(llama, r"model\.safetensors is a link to \.\./blobs/nothing, which does not exist")


def test_the_model_that_train_wrote_is_named_not_its_adapter(llama: Path, tmp_path: Path) -> None:
    """`export OUT` of what `train -o OUT` had written said that it holds no model."""
    shutil.copytree(llama, tmp_path / "trained" / "merged")
    (tmp_path / "trained" / "adapter").mkdir()
    (tmp_path / "trained" / "adapter" / "adapter_config.json").write_text("{}")
    refused(tmp_path / "trained", r"no config\.json; its subfolder .*trained/merged has one: name that")


def test_a_model_in_a_subfolder_is_named(llama: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "models--o--m" / "snapshots" / "1234"
    snapshot.parent.mkdir(parents=True)
    llama.rename(snapshot)
    refused(tmp_path / "models--o--m", rf"no config\.json; its subfolder .*{snapshot.name} has one: name that")
    (tmp_path / "x" / "onnx").mkdir(parents=True)
    (tmp_path / "x" / "onnx" / "model.onnx").touch()
    with pytest.raises(FddError, match=r"Its subfolder .*x/onnx is one: name that"):
        find_model_file(str(tmp_path / "x"))
