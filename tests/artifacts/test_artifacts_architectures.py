"""Every architecture: the float file computes what torch computes, with the token ids of training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from architectures import CASES, PARAMETERS, Case, device_logits, open_float, torch_logits, torch_reply

from fdd_edge import student_architectures
from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.gguf import DeviceVocab, check_architecture, describe_gguf, hf_names, read_vocab
from fdd_edge.artifacts.gguf.architectures import ARCHITECTURES
from fdd_edge.artifacts.gguf.write import write_float_gguf
from fdd_edge.artifacts.recipe import load_recipe
from fdd_edge.errors import FddError
from fdd_edge.ondevice.batching import Decoder
from fdd_edge.ondevice.families import GGUF
from fdd_edge.ondevice.llamacpp import Model
from fdd_edge.ondevice.prompt import make_prompt
from fdd_edge.ondevice.protocol import Decoding, Settings, Shot, Task, Wave
from fdd_edge.operations.export import export_from_student
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.students.load import load_model
from fdd_edge.students.tiny import TINY_ARCHITECTURES
from fdd_edge.students.tokenizer import encode_prompts, load_tokenizer
from fdd_edge.teachers.symbolic import generate

StudentMaker = Callable[[Case], Student]

PROMPTS = [f"Question: {problem.question}\nProgram:\n" for problem in generate("train", 32, seed=7)]
NEW_TOKENS = 16
HARD = "It's 1234567 + 89,012.50 =  3 apples;  you'll save 50%!\n\n  7th\tΩ naïve 東京 १२३ $4.99\n\n\n      x"


def float_file(student: Student, out: Path) -> Path:
    write_float_gguf(student.folder, student.vocab, out / "model.gguf", metadata={"fdd_edge.recipe": "gguf-f32"})
    return out / "model.gguf"


def export(student: Student, out: Path, template: str) -> None:
    labels = ArtifactLabels("x", template)
    export_from_student(out, merged=None, student=student, labels=labels, recipe=load_recipe("gguf-f32"))


def assert_parity(student: Student, path: Path, bound: float) -> None:
    """Compare the logits of 32 prompts and their greedy replies with torch, position by position."""
    device, model = open_float(path), load_model(student.folder).eval()
    ids = encode_prompts(load_tokenizer(student.folder), PROMPTS, adds_bos=student.adds_bos)
    said: set[int] = set()
    clear = 0
    assert min(map(len, ids)) > (model.config.to_dict().get("sliding_window") or 0), "a window that ends is tested"
    for prompt in ids:
        reply = torch_reply(model, prompt, NEW_TOKENS)
        theirs, ours = device_logits(device, prompt + reply), torch_logits(model, prompt + reply)
        error = np.linalg.norm(theirs - ours, axis=1) / np.linalg.norm(ours, axis=1)
        assert error.max() <= bound
        said.update(ours.argmax(axis=1).tolist())
        for at in range(len(prompt) - 1, len(prompt) + len(reply) - 1):
            second, best = np.sort(ours[at])[-2:]
            if best - second > 10 * np.abs(theirs[at] - ours[at]).max():
                clear += 1
                assert theirs[at].argmax() == ours[at].argmax() == (prompt + reply)[at + 1]
    assert len(said) >= 8, "a model that always says the same proves little"
    assert clear > 100


@pytest.mark.parametrize("case", PARAMETERS)
def test_the_float_file_computes_what_torch_computes(
    case: Case, architecture_student: StudentMaker, tmp_path: Path
) -> None:
    student = architecture_student(case)
    assert_parity(student, float_file(student, tmp_path), 5e-3 if case.architecture == "gemma3" else 1e-3)


def test_a_tied_llama_and_one_with_llama_3s_frequencies(tiny_student: Student, tmp_path: Path) -> None:
    assert_parity(tiny_student, float_file(tiny_student, tmp_path), 1e-3)
    scaled = tiny_student._replace(folder=Path(shutil.copytree(tiny_student.folder, tmp_path / "scaled")))
    change_config(
        scaled.folder,
        rope_scaling={
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    )
    assert check_architecture(scaled.folder).name == "llama"
    assert_parity(scaled, float_file(scaled, scaled.folder), 1e-3)


@pytest.mark.parametrize("case", PARAMETERS)
def test_the_biases_are_not_zero(case: Case, architecture_student: StudentMaker) -> None:
    from safetensors.torch import load_file

    weights = load_file(architecture_student(case).folder / "model.safetensors")
    biases = [tensor for name, tensor in weights.items() if name.endswith(".bias")]
    assert bool(biases) == (case.biases or case.architecture == "qwen2")
    assert all(bias.abs().mean() > 0.05 for bias in biases)
    assert ("lm_head.weight" in weights) == (not case.tied)


@pytest.mark.parametrize("case", PARAMETERS)
def test_names_map_tensors_back_to_modules(case: Case, architecture_student: StudentMaker, tmp_path: Path) -> None:
    import gguf
    from safetensors import safe_open

    student = architecture_student(case)
    names = hf_names(student.folder)
    written = {tensor.name for tensor in gguf.GGUFReader(float_file(student, tmp_path)).tensors}
    assert set(names) == written
    with safe_open(student.folder / "model.safetensors", framework="pt") as file:
        assert set(names.values()) == set(file.keys())
    assert names["blk.1.attn_q.weight"] == "model.layers.1.self_attn.q_proj.weight"


def test_half_precision_weights_become_the_same_numbers_in_float32(
    architecture_student: StudentMaker, tmp_path: Path
) -> None:
    import gguf
    import torch
    from safetensors.torch import load_file, save_file

    student = architecture_student(Case("qwen2"))
    folder = Path(shutil.copytree(student.folder, tmp_path / "half"))
    weights = {name: tensor.bfloat16() for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors")
    path = float_file(student._replace(folder=folder), tmp_path)
    names = hf_names(folder)
    for tensor in gguf.GGUFReader(path).tensors:
        wanted = weights[names[tensor.name]].to(torch.float32).numpy()
        assert np.array_equal(tensor.data, wanted), tensor.name


def test_every_architecture_is_written_under_its_own_name() -> None:
    """The list on the ground floor is the only one; the modules say how each is written, and tiny ones can be made."""
    assert {name: made.name for name, made in ARCHITECTURES.items()} == student_architectures.ARCHITECTURES
    assert student_architectures.GGUF_ARCHITECTURE in student_architectures.ARCHITECTURES.values()
    assert set(student_architectures.ARCHITECTURES.values()) == set(TINY_ARCHITECTURES) - {"t5"}, (
        "T5 is not exported as GGUF"
    )


@pytest.mark.parametrize(
    ("case", "pre"),
    [(Case("llama", tied=False, biases=True), "smollm"), (Case("qwen2"), "qwen2"), (Case("gemma3"), None)],
    ids=str,
)
def test_the_folders_tokenizer_and_the_files_give_the_same_ids(
    case: Case, pre: str | None, architecture_student: StudentMaker
) -> None:
    student = architecture_student(case)
    with DeviceVocab(student.vocab) as device:
        ids = load_tokenizer(student.folder)(HARD, add_special_tokens=False)["input_ids"]
        assert device.encode(HARD) == ids
        assert device.write_back(ids) == HARD.encode()
    if pre is not None:
        assert read_vocab(student.vocab).pre == pre


def test_gemmas_vocabulary_begins_texts_and_falls_back_to_bytes(architecture_student: StudentMaker) -> None:
    student = architecture_student(Case("gemma3"))
    assert student.adds_bos
    tokenizer = load_tokenizer(student.folder)
    with DeviceVocab(student.vocab) as device:
        (bos,) = encode_prompts(tokenizer, [""], adds_bos=True)[0]
        assert device.encode_prompt("Ω") == [
            bos,
            *(tokenizer.convert_tokens_to_ids(f"<0x{b:02X}>") for b in "Ω".encode()),
        ]
        assert device.encode_prompt("<bos>3") == device.encode_prompt("3")


def test_a_token_without_a_row_is_left_out(architecture_student: StudentMaker, tmp_path: Path) -> None:
    """Gemma 3's image placeholder: the file used to have more tokens than embeddings, and llama.cpp refused it."""
    student = architecture_student(Case("gemma3"))
    folder = Path(shutil.copytree(student.folder, tmp_path / "student"))
    size = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    tokenizer = load_tokenizer(folder)
    while len(tokenizer) <= size:
        tokenizer.add_tokens([f"<image_{len(tokenizer)}>"])
    tokenizer.save_pretrained(folder)
    opened = open_student(str(folder))
    export(opened, tmp_path / "out", "{question}")
    with DeviceVocab(tmp_path / "out" / GGUF.model_file) as device:
        assert device.encode("3 figs") == load_tokenizer(folder)("3 figs", add_special_tokens=False)["input_ids"]
    assert open_float(tmp_path / "out" / GGUF.model_file).n_vocab() == size
    tokenizer.eos_token = f"<image_{len(tokenizer) - 1}>"
    tokenizer.save_pretrained(folder)
    with pytest.raises(FddError, match=f"has {size} embeddings, but none for id {len(tokenizer) - 1}, which ends"):
        open_student(str(folder))


def test_replies_that_share_a_batch_are_those_of_one_alone(architecture_student: StudentMaker, tmp_path: Path) -> None:
    """Also with sliding windows, worked examples, and sequences that move into gaps."""
    student = architecture_student(Case("gemma3"))
    template = "Question: {question}\nProgram:\n"
    export(student, tmp_path, template)
    shots = tuple(Shot(f"Tom had {n} figs and ate {n // 2}.", f"answer = {n} - {n // 2}") for n in (4, 8))
    tasks = tuple(Task(f"{n}", 0, f"Ann had {n} figs{' and nuts' * (n % 4)}.") for n in range(14))
    replies = []
    with Model(str(tmp_path / GGUF.model_file)) as model:
        for sequences in (1, 5):
            settings = Settings(Decoding(24, sequences, threads=1), kv="f32")
            with Decoder(model, make_prompt(None, shots, model), settings) as decoder:
                replies.append([row.text for row in decoder.run(Wave(0, tasks)).completions])
    assert len(set(replies[0])) > 1
    assert replies[1] == replies[0]


def test_a_tokenizer_that_llama_cpp_reads_otherwise_is_refused(
    architecture_student: StudentMaker, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(architecture_student(Case("gemma3")).folder, tmp_path / "student"))
    spec = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    spec["model"]["merges"] = spec["model"]["merges"][::-1][:50]
    (folder / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    with pytest.raises(FddError, match=r"llama\.cpp's SentencePiece does not give the same ids as the tokenizer of"):
        open_student(str(folder))


def change_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | changes), encoding="utf-8")


@pytest.mark.parametrize(
    ("case", "changes", "sentence"),
    [
        ("llama", {"rope_scaling": {"rope_type": "yarn"}}, r"scaled RoPE, which is not supported yet \(yarn\)"),
        ("qwen2", {"rope_scaling": {"type": "linear"}}, "scaled RoPE, which is not supported yet"),
        ("qwen2", {"use_sliding_window": True}, "sliding windows"),
        ("qwen3", {"attention_bias": True}, "biases in its attention"),
        ("gemma3", {"hidden_activation": "gelu"}, "the activation gelu; llama.cpp computes gelu_pytorch_tanh"),
        ("gemma3", {"final_logit_softcapping": 30.0}, r"caps its logits \(final_logit_softcapping\)"),
        ("gemma3", {"use_bidirectional_attention": True}, "attends in both directions"),
        ("llama", {"quantization_config": {"bits": 4}}, "is quantized already"),
        ("llama", {"rope_parameters": {}}, "saved by transformers 5"),
        ("llama", {"architectures": ["MixtralForCausalLM"]}, r"is a MixtralForCausalLM, which is not supported yet\."),
        ("gemma3", {"architectures": ["Gemma3ForConditionalGeneration"]}, "Only the text model is supported"),
    ],
)
def test_what_llama_cpp_would_compute_otherwise_is_refused_before_training(
    case: str, changes: dict[str, Any], sentence: str, architecture_student: StudentMaker, tmp_path: Path
) -> None:
    found = next(c for c in CASES if c.architecture == case)
    folder = Path(shutil.copytree(architecture_student(found).folder, tmp_path / "student"))
    change_config(folder, **changes)
    with pytest.raises(FddError, match=sentence) as error:
        open_student(str(folder))
    assert "\n" not in str(error.value)


def test_an_untied_head_that_is_missing_is_refused(tiny_student: Student, tmp_path: Path) -> None:
    """llama.cpp would silently use the embeddings instead."""
    folder = Path(shutil.copytree(tiny_student.folder, tmp_path / "student"))
    change_config(folder, tie_word_embeddings=False)
    with pytest.raises(FddError, match=r"has no tensor lm_head\.weight"):
        write_float_gguf(folder, tiny_student.vocab, tmp_path / "model.gguf", metadata={})


def test_a_tensor_without_a_place_is_named(tiny_student: Student, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(tiny_student.folder, tmp_path / "student"))
    weights = folder / "model.safetensors"
    save_file(load_file(weights) | {"model.vision.weight": torch.zeros(2)}, weights)
    with pytest.raises(FddError, match=r"the tensor model\.vision\.weight, which a llama GGUF cannot store"):
        write_float_gguf(folder, tiny_student.vocab, tmp_path / "model.gguf", metadata={})


def test_numbers_and_texts_are_written_as_metadata(tiny_student: Student, tmp_path: Path) -> None:
    out = tmp_path / "model.gguf"
    metadata: dict[str, str | int] = {
        "general.license": "mit",
        "general.base_model.0.name": "SmolLM2",
        "fdd_edge.round": 3,
    }
    write_float_gguf(tiny_student.folder, tiny_student.vocab, out, metadata=metadata)
    facts = describe_gguf(out)
    assert (facts.license, facts.base, facts.round) == ("mit", "SmolLM2", 3)


def test_a_pre_tokenizer_that_llama_cpp_does_not_know_is_passed_over(
    tiny_student: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an older build, the search used to end with "cannot read the vocabulary"."""
    from fdd_edge.artifacts.gguf import pre_tokenizer as module

    with DeviceVocab(tiny_student.vocab) as device:
        wanted = {module.HARD_TEXT: device.encode(module.HARD_TEXT)}
    monkeypatch.setattr(module, "PRE_TOKENIZERS", ("of-tomorrow", *module.PRE_TOKENIZERS))
    assert module.find_pre(tiny_student.vocab, wanted) in module.PRE_TOKENIZERS[1:]
    monkeypatch.setattr(module, "PRE_TOKENIZERS", ("of-tomorrow",))
    with pytest.raises(FddError, match="cannot read the vocabulary"):
        module.find_pre(tiny_student.vocab, wanted)
