"""Adapters as students: the merged folder computes what PEFT computes, or the adapter is refused in a sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")

from fdd_edge.artifacts.gguf import DeviceVocab
from fdd_edge.errors import FddError
from fdd_edge.operations.merge import merge
from fdd_edge.resolve.model import open_float_model
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.runs.fingerprint import Json
from fdd_edge.students.load import load_model
from fdd_edge.students.tokenizer import load_tokenizer

TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
IDS = [5, 80, 12, 99, 301, 55, 13]
Tensors = dict[str, "torch.Tensor"]  # type: ignore[name-defined]  # noqa: F821 - torch is imported late


@pytest.fixture
def base(tiny_student: Student, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_student.folder, tmp_path / "base"))


def change(path: Path, **keys: Json) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | keys), encoding="utf-8")


def write_adapter(base: Path, out: Path, *, rows: int | None = None, **settings: object) -> np.ndarray:
    """Write an adapter with random weights; return the logits that PEFT computes with it."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    model = load_model(base)
    if rows is not None:
        model.resize_token_embeddings(rows, mean_resizing=False)
    chosen = {"r": 2, "lora_alpha": 4, "target_modules": ["v_proj"], "task_type": "CAUSAL_LM"} | settings
    adapted = get_peft_model(model, LoraConfig(**chosen)).eval()
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data += 0.2 * torch.randn_like(parameter)
    adapted.peft_config["default"].base_model_name_or_path = base.name
    embeddings = {*chosen["target_modules"], *chosen.get("modules_to_save", ())} & {"embed_tokens", "lm_head"}  # type: ignore[misc]
    adapted.save_pretrained(out, save_embedding_layers=bool(embeddings) or rows is not None)
    return logits(adapted)


def logits(model: object) -> np.ndarray:
    import torch

    with torch.no_grad():
        found: np.ndarray = model(torch.tensor([IDS])).logits[0].numpy()  # type: ignore[operator]
    return found


def change_tensors(adapter: Path, edit: Callable[[Tensors], Tensors]) -> None:
    """Change the tensors of an adapter."""
    from safetensors.torch import load_file, save_file

    path = adapter / "adapter_model.safetensors"
    save_file(edit(load_file(path)), path, metadata={"format": "pt"})


def without(part: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if part not in name}


@pytest.mark.parametrize(
    ("settings", "tied"),
    [
        ({"target_modules": ["v_proj", "lm_head"]}, False),
        ({"target_modules": ["v_proj", "embed_tokens"]}, False),
        ({"modules_to_save": ["lm_head"]}, False),
        ({"modules_to_save": ["embed_tokens"]}, False),
        ({"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True}, True),
        ({"trainable_token_indices": [5, 80]}, True),
        ({"use_dora": True}, True),
    ],
)
def test_a_merged_adapter_computes_what_peft_computes(
    settings: dict[str, Any], tied: bool, base: Path, tmp_path: Path
) -> None:
    """An adapter of one of two tied embeddings was merged into both, and every certificate passed."""
    wanted = write_adapter(base, tmp_path / "adapter", **settings)
    assert np.abs(wanted - logits(load_model(base))).max() > 0.05
    student = open_student(str(tmp_path / "adapter"))
    np.testing.assert_allclose(logits(load_model(student.folder)), wanted, atol=1e-4)
    config = json.loads((student.folder / "config.json").read_text(encoding="utf-8"))
    assert config.get("tie_word_embeddings", True) is tied


def test_embeddings_of_an_encoder_decoder_are_refused(tiny_t5: Student, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    base = Path(shutil.copytree(tiny_t5.folder, tmp_path / "base"))
    adapted = get_peft_model(load_model(base), LoraConfig(target_modules=["q", "shared"], task_type="SEQ_2_SEQ_LM"))
    adapted.peft_config["default"].base_model_name_or_path = "base"
    adapted.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    with pytest.raises(FddError, match="changes embeddings that several layers of an encoder-decoder share"):
        open_student(str(tmp_path / "adapter"), families=("onnx",))


def test_an_adapter_with_more_tokens_is_merged_with_them(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was refused, because its embeddings do not fit the base's."""
    adapter, size = tmp_path / "adapter", json.loads((base / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    wanted = write_adapter(base, adapter, rows=size + 1, modules_to_save=["embed_tokens", "lm_head"])
    tokenizer = load_tokenizer(base)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|new|>"]})
    tokenizer.save_pretrained(adapter)
    student = open_student(str(adapter))
    np.testing.assert_allclose(logits(load_model(student.folder)), wanted, atol=1e-4)
    assert f"was trained with {size + 1:,} tokens, its base with {size:,}" in capsys.readouterr().err
    with DeviceVocab(student.vocab) as device:
        assert device.encode("<|new|>") == tokenizer("<|new|>", add_special_tokens=False)["input_ids"]
        assert len(device.pieces) == size + 1


def test_padded_embeddings_without_a_tokenizer_get_a_vocabulary_of_their_own(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = json.loads((base / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    write_adapter(base, tmp_path / "adapter", rows=size + 8, target_modules=["embed_tokens", "lm_head"])
    with DeviceVocab(open_student(str(tmp_path / "adapter")).vocab) as device:
        assert len(device.pieces) == size + 8
    assert "vocab.gguf was made" not in capsys.readouterr().err


def test_new_tokens_whose_rows_are_not_stored_are_refused(base: Path, tmp_path: Path) -> None:
    size = json.loads((base / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    write_adapter(base, tmp_path / "adapter", rows=size + 8, target_modules=["embed_tokens"])
    change_tensors(tmp_path / "adapter", without("base_layer"))
    change_tensors(tmp_path / "adapter", without("lm_head"))
    with pytest.raises(FddError, match=rf"trained with {size + 8:,} tokens, its base has {size:,}.*merge_and_unload"):
        open_student(str(tmp_path / "adapter"))


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"target_modules": ["q_proj", "lm_head"]}, "lm_head.lora_B"),
        ({"target_modules": ["q_proj", "embed_tokens"]}, "embed_tokens.lora_embedding_B"),
        ({"modules_to_save": ["lm_head"]}, "lm_head"),
        ({"modules_to_save": ["input_layernorm"]}, "layers.1.input_layernorm"),
    ],
)
def test_an_adapter_without_one_of_its_tensors_is_refused(
    settings: dict[str, Any], part: str, base: Path, tmp_path: Path
) -> None:
    """Embeddings and heads were not looked at, and PEFT starts what is missing at nothing."""
    write_adapter(base, tmp_path / "adapter", **settings)
    change_tensors(tmp_path / "adapter", without(part))
    with pytest.raises(FddError, match=rf"The adapter .*adapter lacks base_model\.model\..*{part}"):
        open_student(str(tmp_path / "adapter"))


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"task_type": "SEQ_CLS"}, "is an adapter for the task 'SEQ_CLS', and only language models"),
        ({"task_type": ["CAUSAL_LM"]}, "is an adapter for the task"),
        ({"r": None}, "r must be a positive number, not None"),
        ({"lora_alpha": "16"}, "lora_alpha must be a positive number, not '16'"),
        ({"r": 3}, r"does not fit its base .*size mismatch for \S+: 2 x \d+ in its file, 3 x \d+ by its settings"),
        ({"r": 10**9}, "has the rank 1000000000, which is not that of any tensor"),
        ({"rank_pattern": {"v_proj": 10**9}}, "has the rank 1000000000"),
        ({"rank_pattern": 3}, "does not fit its base"),
        ({"target_modules": "("}, "does not fit its base"),
        ({"layer_replication": [[0, 1], [0, 1]]}, "with layer_replication, which cannot be merged"),
        ({"alora_invocation_tokens": [1]}, "with alora_invocation_tokens"),
        ({"megatron_config": {"a": 1}}, "with megatron_config"),
        ({"base_model_name_or_path": "~nobody/" + "x" * 300}, "its base .* is not found"),
    ],
)
def test_settings_that_cannot_be_merged_are_refused(
    keys: dict[str, Json], sentence: str, base: Path, tmp_path: Path
) -> None:
    write_adapter(base, tmp_path / "adapter")
    change(tmp_path / "adapter" / "adapter_config.json", **keys)
    with pytest.raises(FddError, match=sentence):
        open_student(str(tmp_path / "adapter"))


def with_nan(tensors: Tensors) -> Tensors:
    next(iter(tensors.values()))[0, 0] = float("nan")
    return tensors


def test_damaged_tensors_are_refused_by_name(base: Path, tmp_path: Path) -> None:
    """Each of these was a traceback."""
    adapter = tmp_path / "adapter"
    write_adapter(base, adapter)
    weights = adapter / "adapter_model.safetensors"
    whole = weights.read_bytes()
    change_tensors(adapter, with_nan)
    with pytest.raises(FddError, match=r"base_model\.\S+ holds a value that is not a number"):
        open_student(str(adapter))
    weights.write_bytes(whole[:-100])
    with pytest.raises(FddError, match=r"adapter_model.safetensors is damaged or truncated"):
        open_student(str(adapter))
    header = json.dumps({"__metadata__": {"format": "pt"}}).encode()
    weights.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(FddError, match="holds no tensors"):
        open_student(str(adapter))


def test_a_setting_of_a_newer_peft_is_said(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_adapter(base, tmp_path / "adapter")
    change(tmp_path / "adapter" / "adapter_config.json", off=False, twisted=True)
    open_student(str(tmp_path / "adapter"))
    assert "its setting twisted is ignored" in capsys.readouterr().err


def test_adapters_that_lead_back_to_themselves_are_refused(base: Path, tmp_path: Path) -> None:
    """They were followed until Python's stack was full."""
    for name, other in (("one", "two"), ("two", "one")):
        write_adapter(base, tmp_path / name)
        change(tmp_path / name / "adapter_config.json", base_model_name_or_path=other)
    with pytest.raises(FddError, match="one is an adapter, and so are its bases: they lead back to it"):
        open_student(str(tmp_path / "one"))


def test_an_adapter_of_an_adapter(base: Path, tmp_path: Path) -> None:
    write_adapter(base, tmp_path / "one")
    first = open_student(str(tmp_path / "one")).folder
    shutil.copytree(first, tmp_path / "merged-one")
    wanted = write_adapter(tmp_path / "merged-one", tmp_path / "two")
    change(tmp_path / "two" / "adapter_config.json", base_model_name_or_path="one")
    np.testing.assert_allclose(logits(load_model(open_student(str(tmp_path / "two")).folder)), wanted, atol=1e-4)


def test_shards_without_an_index_are_a_damaged_model_and_not_an_adapter(base: Path, tmp_path: Path) -> None:
    """The adapter was merged into its base, and the weights next to it were left out without a word."""
    write_adapter(base, base)
    (base / "model.safetensors").rename(base / "model-00001-of-00001.safetensors")
    with pytest.raises(FddError, match=r"has no model.safetensors and no model.safetensors.index.json"):
        open_student(str(base))


def test_an_adapter_in_a_named_subfolder_is_named(base: Path, tmp_path: Path) -> None:
    write_adapter(base, tmp_path / "checkpoint" / "default")
    with pytest.raises(FddError, match=r"checkpoint holds no model, but an adapter in its subfolder \S+default: name"):
        open_student(str(tmp_path / "checkpoint"))


def template_in_file(adapter: Path) -> None:
    (adapter / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")


def template_in_config(adapter: Path) -> None:
    (adapter / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE}), encoding="utf-8")


def template_with_tokenizer(adapter: Path) -> None:
    shutil.copy(adapter.parent / "base" / "tokenizer.json", adapter)
    shutil.copy(adapter.parent / "base" / "tokenizer_config.json", adapter)
    change(adapter / "tokenizer_config.json", chat_template=TEMPLATE)


@pytest.mark.parametrize("of_base", ["file", "config", None])
@pytest.mark.parametrize("write", [template_in_file, template_in_config, template_with_tokenizer])
def test_a_chat_template_next_to_an_adapter_counts(
    write: Callable[[Path], None],
    of_base: str | None,
    base: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It was dropped unless there was a tokenizer.json, and next to one the template of the base could count."""
    if of_base == "file":
        (base / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    if of_base == "config":
        change(base / "tokenizer_config.json", chat_template="{{ messages }}")
    write_adapter(base, tmp_path / "adapter")
    write(tmp_path / "adapter")
    student = open_student(str(tmp_path / "adapter"))
    with DeviceVocab(student.vocab) as device:
        assert device.chat_template == TEMPLATE
    assert load_tokenizer(student.folder).chat_template == TEMPLATE
    assert "next to the adapter counts" in capsys.readouterr().err


def test_other_settings_next_to_an_adapter_count(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = tmp_path / "adapter"
    change(base / "tokenizer_config.json", chat_template=TEMPLATE)
    write_adapter(base, adapter)
    tokenizer = load_tokenizer(base)
    other = tokenizer.convert_ids_to_tokens(len(tokenizer) - 1)
    shutil.copy(base / "tokenizer_config.json", adapter)
    change(adapter / "tokenizer_config.json", eos_token=other, chat_template=None)
    (adapter / "generation_config.json").write_text(json.dumps({"eos_token_id": [7, 8]}), encoding="utf-8")
    student = open_student(str(adapter))
    said = capsys.readouterr().err
    assert "tokenizer_config.json next to the adapter counts, not what its base has" in said
    assert "The end tokens in generation_config.json next to the adapter count" in said
    loaded = load_tokenizer(student.folder)
    assert (loaded.eos_token, loaded.chat_template) == (other, TEMPLATE)
    assert load_model(student.folder).generation_config.eos_token_id == [7, 8]


def test_what_is_the_same_next_to_an_adapter_is_not_said(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_adapter(base, tmp_path / "adapter")
    shutil.copy(base / "tokenizer_config.json", tmp_path / "adapter")
    shutil.copy(base / "generation_config.json", tmp_path / "adapter")
    open_student(str(tmp_path / "adapter"))
    assert "next to the adapter" not in capsys.readouterr().err


def make_merged(student: Student, tmp_path: Path) -> Path:
    write_adapter(student.folder, tmp_path / "adapter")
    merge(tmp_path / "merged", adapter=tmp_path / "adapter", student=student, template="Q: {question}", qat_recipe=None)
    return tmp_path / "merged"


@pytest.mark.parametrize("earlier", [False, True])
def test_the_vocabulary_of_a_padded_model_is_made_anew(
    earlier: bool, tiny_student: Student, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The old one was copied into the artifact, which llama.cpp could not load."""
    folder = make_merged(tiny_student, tmp_path)
    card = json.loads((folder / "fdd_edge.json").read_text(encoding="utf-8"))
    if earlier:
        del card["vocab_size"]
        (folder / "fdd_edge.json").write_text(json.dumps(card), encoding="utf-8")
    assert open_student(str(folder)).vocab == folder / "vocab.gguf"
    model = load_model(folder)
    size = model.config.vocab_size + 64
    model.resize_token_embeddings(size, mean_resizing=False)
    model.save_pretrained(folder)
    with DeviceVocab(open_student(str(folder)).vocab) as device:
        assert len(device.pieces) == size
    assert "or for another number of tokens, than those next to it" in capsys.readouterr().err


def test_a_student_that_another_trainer_went_on_with_is_said_to_be_one(
    tiny_student: Student, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its artifacts claimed quantization-aware training, and nobody said whose prompt they hold."""
    folder = make_merged(tiny_student, tmp_path)
    change(folder / "fdd_edge.json", quantization_aware="q4_0")
    assert open_float_model(str(folder), prompt=None).quantization_aware == "q4_0"
    assert "fdd_edge.json is older" not in capsys.readouterr().err
    model = load_model(folder)
    model.get_input_embeddings().weight.data += 0.1
    model.save_pretrained(folder)
    found = open_float_model(str(folder), prompt=None)
    assert (found.template, found.quantization_aware) == ("Q: {question}", None)
    said = capsys.readouterr().err
    assert "fdd_edge.json is older than the weights next to it" in said
    assert "choose that with --prompt" in said
    open_float_model(str(folder), prompt="plain")
    assert "--prompt" not in capsys.readouterr().err
