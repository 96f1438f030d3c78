"""Folders that say two things: the one that counts is used everywhere, and it is said which one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")

from fdd_edge.artifacts.gguf import DeviceVocab, gguf_tensors
from fdd_edge.artifacts.onnx import onnx_tensors
from fdd_edge.artifacts.vocab import open_vocab
from fdd_edge.errors import FddError
from fdd_edge.ondevice.vocabulary import CHAT_TEMPLATE_KEY, Vocabulary
from fdd_edge.operations.merge import merge
from fdd_edge.resolve.model import open_float_model
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.runs.fingerprint import Json
from fdd_edge.students.load import load_model
from fdd_edge.students.tokenizer import load_tokenizer

TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
OTHER = "{{ tools }}" + TEMPLATE
VALUES = "model.layers.0.self_attn.v_proj.weight"


@pytest.fixture
def student_copy(tiny_student: Student, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_student.folder, tmp_path / "model"))


def change(path: Path, **keys: Json) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | keys), encoding="utf-8")


def write_adapter(model: Path, out: Path, base: str) -> np.ndarray:
    """Write an adapter of a model; return the values matrix of its first layer with the adapter merged."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    adapted = get_peft_model(load_model(model), LoraConfig(r=2, target_modules=["v_proj"], init_lora_weights=False))
    adapted.peft_config["default"].base_model_name_or_path = base
    adapted.save_pretrained(out, save_embedding_layers=False)
    weight: np.ndarray = adapted.merge_and_unload().get_parameter(VALUES).detach().numpy()
    return weight


def values_of(folder: Path) -> np.ndarray:
    """Return the same matrix as torch loads it."""
    weight: np.ndarray = load_model(folder).get_parameter(VALUES).detach().numpy()
    return weight


def template_of(student: Student) -> str | None:
    with DeviceVocab(student.vocab) as device:
        return device.chat_template


def test_an_adapter_next_to_merged_weights_is_not_applied(
    student_copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """transformers loads the base that adapter_config.json names, and applies the adapter a second time."""
    merged = values_of(student_copy)
    write_adapter(student_copy, student_copy, base=str(tmp_path / "model"))
    student = open_student(str(student_copy))
    assert (
        f"{student_copy} holds an adapter next to the weights of a model: the weights count" in capsys.readouterr().err
    )
    assert student.name == "model"
    np.testing.assert_array_equal(values_of(student.folder), merged)


@pytest.mark.parametrize("base", ["model", "absolute"])
def test_an_adapter_without_a_model_is_merged_into_the_base_that_it_names(
    base: str, student_copy: Path, tmp_path: Path
) -> None:
    wanted = write_adapter(student_copy, tmp_path / "adapter", str(student_copy) if base == "absolute" else base)
    model = open_float_model(str(tmp_path / "adapter"), prompt=None)
    np.testing.assert_allclose(values_of(model.student.folder), wanted, atol=1e-6)
    assert not np.allclose(wanted, values_of(student_copy))
    assert (model.student.name, model.base, model.trained) == ("adapter", "model", False)
    assert model.student.sha256 != open_student(str(student_copy)).sha256


def test_the_tokenizer_next_to_an_adapter_counts(student_copy: Path, tmp_path: Path) -> None:
    write_adapter(student_copy, tmp_path / "adapter", "model")
    tokenizer = load_tokenizer(student_copy)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(tmp_path / "adapter")
    assert template_of(open_student(str(tmp_path / "adapter"))) == TEMPLATE


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"base_model_name_or_path": "nowhere"}, "its base 'nowhere' is not found. Set base_model_name_or_path in"),
        ({"base_model_name_or_path": None}, "its base None is not found"),
        ({"peft_type": "PROMPT_TUNING"}, "is an adapter of the type 'PROMPT_TUNING', which is not supported yet"),
        ({"target_modules": ["v_proj", "q_proj"]}, "lacks base_model.model.model.layers.0.self_attn.q_proj.lora_A"),
        ({"target_modules": ["q_proj"]}, "lacks base_model.model.model.layers.0.self_attn.q_proj.lora_A"),
        ({"r": 3}, "does not fit its base .*size mismatch"),
        ({"layers_to_transform": [0]}, "holds base_model.model.model.layers.1.self_attn.v_proj.lora_A"),
    ],
)
def test_an_adapter_that_cannot_be_merged_is_refused_by_name(
    keys: dict[str, Json], sentence: str, student_copy: Path, tmp_path: Path
) -> None:
    write_adapter(student_copy, tmp_path / "adapter", "model")
    change(tmp_path / "adapter" / "adapter_config.json", **keys)
    with pytest.raises(FddError, match=sentence):
        open_student(str(tmp_path / "adapter"))


def make_merged(student: Student, tmp_path: Path) -> Path:
    write_adapter(student.folder, tmp_path / "adapter", "tiny")
    merge(tmp_path / "merged", adapter=tmp_path / "adapter", student=student, template="{question}", qat_recipe=None)
    return tmp_path / "merged"


def forget_tokenizer(folder: Path) -> None:
    """Turn a merged student into one of an earlier version."""
    card = json.loads((folder / "fdd_edge.json").read_text(encoding="utf-8"))
    assert card.pop("tokenizer_sha256")
    (folder / "fdd_edge.json").write_text(json.dumps(card), encoding="utf-8")


def add_template(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")


def change_eos(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(len(tokenizer) - 1)
    tokenizer.save_pretrained(folder)


def change_merges(folder: Path) -> None:
    model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    change(folder / "tokenizer.json", model=model | {"merges": model["merges"][:-40]})


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("train_on", [add_template, change_eos, change_merges])
def test_a_vocabulary_of_an_earlier_training_does_not_count(
    train_on: Callable[[Path], None],
    earlier: bool,
    tiny_student: Student,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Another trainer wrote a new tokenizer next to vocab.gguf, and every GGUF had the old one."""
    folder = make_merged(tiny_student, tmp_path)
    if earlier:
        forget_tokenizer(folder)
    assert open_student(str(folder)).vocab == folder / "vocab.gguf"
    assert "vocab.gguf was made" not in capsys.readouterr().err
    train_on(folder)
    student = open_student(str(folder))
    assert f"{folder}/vocab.gguf was made from other tokenizer files" in capsys.readouterr().err
    tokenizer = load_tokenizer(folder)
    text = "Ana has 3 pens and 12 hats.\nprint(answer)"
    with DeviceVocab(student.vocab) as device:
        assert device.chat_template == tokenizer.chat_template
        assert device.eos == tokenizer.eos_token_id
        assert device.encode(text) == tokenizer(text, add_special_tokens=False)["input_ids"]


def test_tokenizer_files_that_say_the_same_in_other_words_change_nothing(
    tiny_student: Student, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_merged(tiny_student, tmp_path)
    change(folder / "tokenizer_config.json", padding_side="left")
    assert open_student(str(folder)).vocab == folder / "vocab.gguf"
    assert "vocab.gguf was made" not in capsys.readouterr().err


def templates_in_config(folder: Path) -> None:
    both = [{"name": "default", "template": TEMPLATE}, {"name": "tool_use", "template": OTHER}]
    change(folder / "tokenizer_config.json", chat_template=both)


def templates_in_files(folder: Path) -> None:
    add_template(folder)
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool_use.jinja").write_text(OTHER, encoding="utf-8")


@pytest.mark.parametrize("write", [templates_in_config, templates_in_files])
def test_of_several_chat_templates_the_default_one_counts(
    write: Callable[[Path], None], student_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(student_copy)
    student = open_student(str(student_copy))
    assert "has several chat templates (default, tool_use): the default one counts" in capsys.readouterr().err
    assert template_of(student) == TEMPLATE
    assert load_tokenizer(student.folder).chat_template == TEMPLATE
    assert open_float_model(str(student_copy), prompt="chat").template == "<user>{question}"
    assert Vocabulary(student_copy).metadata(CHAT_TEMPLATE_KEY) == TEMPLATE


def test_without_a_default_one_no_chat_template_is_used(student_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(student_copy / "tokenizer_config.json", chat_template=[{"name": "rag", "template": OTHER}])
    assert template_of(open_student(str(student_copy))) is None
    assert "(rag): none is named default, so none is used" in capsys.readouterr().err
    assert Vocabulary(student_copy).metadata(CHAT_TEMPLATE_KEY) is None


def test_a_chat_template_in_its_own_file_counts(student_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(student_copy / "tokenizer_config.json", chat_template=OTHER)
    add_template(student_copy)
    assert template_of(open_student(str(student_copy))) == TEMPLATE
    assert "the chat template in chat_template.jinja counts, not the other one" in capsys.readouterr().err


def test_a_tokenizer_of_transformers_5_is_read(student_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokenizer, text = load_tokenizer(student_copy), "Ana has 3 pens.<|end|><|x|>"
    ids, end = tokenizer(text)["input_ids"], tokenizer.eos_token
    extra: Json = [end, {"__type": "AddedToken", "content": "<|x|>"}]
    change(student_copy / "tokenizer_config.json", tokenizer_class="TokenizersBackend", extra_special_tokens=extra)
    student = open_student(str(student_copy))
    read = load_tokenizer(student.folder)
    assert read.additional_special_tokens == [end]
    assert read(text)["input_ids"] == ids
    assert "lists '<|x|>' under extra_special_tokens, and tokenizer.json does not hold it" in capsys.readouterr().err


@pytest.mark.parametrize("special", [False, True])
def test_a_token_without_an_embedding_is_text_everywhere(
    special: bool, student_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """GGUF files dropped it without a word, ONNX files gave it to the model, which failed, and training did too."""
    tokenizer = load_tokenizer(student_copy)
    rows = len(tokenizer)
    tokenizer.add_tokens(["<step>"], special_tokens=special)
    tokenizer.save_pretrained(student_copy)
    student = open_student(str(student_copy), families=("gguf", "onnx"))
    assert "the model has no embedding for '<step>', so that is read as text" in capsys.readouterr().err
    read = load_tokenizer(student.folder)("a <step> b", add_special_tokens=False)["input_ids"]
    assert len(load_tokenizer(student.folder)) == rows and max(read) < rows
    for vocab in student.vocabs:
        with open_vocab(vocab) as device:
            assert (device.encode("a <step> b"), len(device.pieces)) == (read, rows)


def test_an_unknown_tokenizer_class_is_named(student_copy: Path) -> None:
    change(student_copy / "tokenizer_config.json", tokenizer_class="LaterTokenizer")
    with pytest.raises(FddError, match="names the tokenizer_class 'LaterTokenizer'"):
        open_student(str(student_copy))


def test_dropout_and_truncation_of_a_tokenizer_are_not_part_of_a_student(student_copy: Path) -> None:
    model = json.loads((student_copy / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    cut: Json = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    change(student_copy / "tokenizer.json", truncation=cut, model=model | {"dropout": 0.5})
    read = json.loads((open_student(str(student_copy)).folder / "tokenizer.json").read_text(encoding="utf-8"))
    assert (read["truncation"], read["model"]["dropout"]) == (None, None)


def test_of_a_head_that_differs_from_tied_embeddings_the_embeddings_count(
    student_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(student_copy / "model.safetensors")
    embedding = weights["model.embed_tokens.weight"]
    save_file(
        weights | {"lm_head.weight": embedding + 1}, student_copy / "model.safetensors", metadata={"format": "pt"}
    )
    student = open_student(str(student_copy))
    assert "holds a lm_head.weight that differs from its embeddings" in capsys.readouterr().err
    assert "output.weight" not in dict(gguf_tensors(student.folder))
    np.testing.assert_array_equal(dict(onnx_tensors(student.folder))["lm_head.weight"], embedding)
    np.testing.assert_array_equal(load_model(student.folder).get_output_embeddings().weight.detach(), embedding)
