"""Training on rounded weights: the grids are ggml's, bit for bit, and the file is the model that was trained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from architectures import Case

from fdd_edge import api
from fdd_edge.artifacts.gguf import QuantizedFile, hf_names, quantize_gguf, write_float_gguf
from fdd_edge.artifacts.recipe import GgufRecipe, load_gguf_recipe
from fdd_edge.errors import FddError
from fdd_edge.operations.merge import merge
from fdd_edge.operations.train import TrainingSetup, check_training, train_on
from fdd_edge.records import Problem
from fdd_edge.resolve.student import Student
from fdd_edge.students.batches import collate, to_rows
from fdd_edge.students.grids import GRIDS
from fdd_edge.students.load import load_model
from fdd_edge.students.lora_training import adapt, train_adapter
from fdd_edge.students.tokenizer import encode_examples, load_tokenizer
from fdd_edge.students.training_options import LoraOptions, ResolvedTraining, TrainingOptions

PAIRS = [
    (f"Question: Tom had {n} figs and got {k}.\nProgram:\n", f"answer = {n} + {k}") for n in (2, 3, 4) for k in (5, 9)
]
LORA = LoraOptions(4, 8, target_modules=("q_proj", "k_proj", "down_proj"))
OPTIONS = TrainingOptions(learning_rate=5e-3, per_device_train_batch_size=2)


def awkward(rows: int, columns: int) -> np.ndarray:
    """Return weights that are hard to round: zeros, ties, halves, one huge value, subnormal scales."""
    weights = np.random.default_rng(0).normal(0, 0.05, (rows, columns)).astype(np.float32)
    weights[0] = 0
    weights[1, :32] = np.tile([1.0, -1.0], 16)
    weights[2, :32] = np.tile([-1.0, 1.0], 16)
    weights[3, :32] = np.arange(-16, 16) / 2
    weights[4, :32] = np.arange(32) - 127 / 2
    weights[5, 7] = 1e4
    weights[6] *= 1e-7
    weights[7, :32] = (np.arange(32) + 0.5) / 127
    weights[7, 31] = 1
    return weights


@pytest.mark.parametrize("kind", ["q4_0", "q8_0", "f16"])
def test_rounding_is_ggmls_bit_for_bit(kind: str, tiny_student: Student, tmp_path: Path) -> None:
    """Every matrix of a model with awkward weights is compared with the output of llama.cpp's quantizer."""
    from gguf import GGUFReader
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "student"
    folder.mkdir()
    for path in tiny_student.folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    for name, tensor in tensors.items():
        if tensor.ndim == 2:
            tensors[name] = torch.from_numpy(awkward(*tensor.shape))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    write_float_gguf(folder, tiny_student.vocab, tmp_path / "f32.gguf", metadata={})
    quantize_gguf(tmp_path / "f32.gguf", tmp_path / "small.gguf", kind, recipe="test")
    file = QuantizedFile(tmp_path / "small.gguf", folder)
    compared = set()
    for name in hf_names(folder).values():
        if tensors[name].ndim != 2:
            continue
        grid = file.type_of(name)
        rounded = GRIDS[grid].round_(tensors[name].t().contiguous()).t()
        assert np.array_equal(rounded.numpy(), file.dequantized(name)), name
        compared.add(grid)
    assert kind.upper() in compared
    assert len(list(GGUFReader(tmp_path / "small.gguf").tensors)) > 10


class Everything:
    """Reports one tensor type for every matrix, and returns the weights unchanged."""

    def __init__(self, kind: str, folder: Path) -> None:
        from safetensors.torch import load_file

        self._kind, self._weights = kind, load_file(folder / "model.safetensors")

    def type_of(self, name: str) -> str:
        return self._kind

    def dequantized(self, name: str) -> Any:
        return self._weights[name].numpy()


def fit(student: Student, out: Path, quantized: Any, *, bf16: bool = False) -> list[float]:
    examples = encode_examples(load_tokenizer(student.folder), PAIRS)
    trace = train_adapter(
        student.folder,
        examples,
        out,
        lora=LORA,
        options=OPTIONS,
        resolved=ResolvedTraining(4.0, seed=0, bf16=bf16, threads=1),
        base_name="tiny",
        valid=examples,
        quantized=quantized,
    )
    return [*trace.losses, *(loss for _, loss in trace.valid_losses)]


@pytest.mark.parametrize(("bf16", "tolerance"), [(False, 1e-4), (True, 0.02)])
@pytest.mark.parametrize("case", [None, Case("qwen2")], ids=str)
def test_on_a_grid_without_rounding_it_is_plain_training(
    case: Case | None,
    bf16: bool,
    tolerance: float,
    tiny_student: Student,
    architecture_student: Callable[[Case], Student],
    tmp_path: Path,
) -> None:
    """The straight-through gradients are LoRA's own; a rounded weight was once reused for the next step."""
    student = tiny_student if case is None else architecture_student(case)
    plain = fit(student, tmp_path / "plain", None, bf16=bf16)
    aware = fit(student, tmp_path / "aware", Everything("F32", student.folder), bf16=bf16)
    assert aware == pytest.approx(plain, rel=tolerance)


def test_weights_loaded_between_two_evaluations_are_rounded_again(tiny_student: Student) -> None:
    """The best weights are loaded after the last evaluation; another one would have used those before them."""
    given = collate(to_rows(encode_examples(load_tokenizer(tiny_student.folder), PAIRS)))
    model = adapt(
        load_model(tiny_student.folder, "float32"),
        LORA,
        "tiny",
        max_length=64,
        dtype=torch.float32,
        quantized=Everything("Q8_0", tiny_student.folder),
    )
    losses = []
    for _ in range(2):
        with torch.inference_mode():
            losses.append(float(model(**given)["loss"]))
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if ".lora_B." in name:
                    weight.copy_(torch.full_like(weight, 0.05))
    assert losses[0] != losses[1]


def test_a_type_without_a_grid_is_refused_by_name(tiny_student: Student, tmp_path: Path) -> None:
    with pytest.raises(FddError, match=r"stores model\.layers\.0\.self_attn\.q_proj as Q5_K; training for it is not"):
        fit(tiny_student, tmp_path / "a", Everything("Q5_K", tiny_student.folder))


@pytest.mark.parametrize(("recipe", "rslora"), [("gguf-q4_0", False), ("gguf-q8_0", False), ("gguf-q4_0", True)])
def test_the_file_is_the_model_that_was_trained(
    recipe: str, rslora: bool, tiny_student: Student, tmp_path: Path
) -> None:
    """The merged student differed from the trained model: its certificate failed a good file at ``stops``."""
    problems = [
        Problem(f"p{i}", f"Tom had {i} figs and got 3.", i + 3, "test", program=f"answer = {i} + 3") for i in range(8)
    ]
    template, adapter = "Question: {question}\nProgram:\n", tmp_path / "adapter"
    train_on(
        problems,
        adapter,
        tiny_student,
        template,
        TrainingSetup(
            LoraOptions(r=4, use_rslora=rslora),
            TrainingOptions(threads=1, num_train_epochs=3, learning_rate=1e-2),
            "float32",
            seed=0,
            qat_recipe=load_gguf_recipe(recipe),
        ),
        valid=problems[:4],
    )
    trace = json.loads((adapter / "training.json").read_text(encoding="utf-8"))
    trained = trace["valid_losses"][-1][1]
    pairs = [(template.format(question=p.question), str(p.program)) for p in problems[:4]]
    given = collate(to_rows(encode_examples(load_tokenizer(tiny_student.folder), pairs)))
    losses, files = [], []
    for name, qat_recipe in (("float", None), ("rounded", load_gguf_recipe(recipe))):
        folder, file = tmp_path / name, tmp_path / f"{name}.gguf"
        merge(folder, adapter=adapter, student=tiny_student, template=template, qat_recipe=qat_recipe)
        losses.append(load_model(folder)(**given).loss.item())
        write_float_gguf(folder, tiny_student.vocab, tmp_path / "f32.gguf", metadata={})
        quantize_gguf(tmp_path / "f32.gguf", file, load_gguf_recipe(recipe).type, recipe=recipe)
        files.append(file.read_bytes())
    assert losses[1] == pytest.approx(trained, rel=1e-3)
    assert abs(losses[1] - losses[0]) > 10 * abs(losses[1] - trained)
    assert files[0] == files[1]


def fit_one(student: Student, out: Path, template: str, recipe: GgufRecipe | None, lora: LoraOptions = LORA) -> Path:
    """Train on one problem; return the adapter."""
    train_on(
        [Problem("p", "Tom had 2 figs.", 2, "test", program="answer = 2")],
        out,
        student,
        template,
        TrainingSetup(lora, TrainingOptions(threads=1), "float32", seed=0, qat_recipe=recipe),
    )
    return out


def test_a_head_without_a_grid_is_rounded_once(tiny_student: Student, tmp_path: Path) -> None:
    """Q4_0 stores a tied head as Q6_K, and quantizing Q6_K numbers again does not give the same numbers."""
    from transformers import AutoConfig, AutoModelForCausalLM

    base = Path(shutil.copytree(tiny_student.folder, tmp_path / "wide"))
    config = AutoConfig.from_pretrained(base, hidden_size=256, intermediate_size=512, head_dim=64)
    AutoModelForCausalLM.from_config(config).save_pretrained(base)
    wide, recipe = tiny_student._replace(folder=base), load_gguf_recipe("gguf-q4_0")
    adapter = fit_one(wide, tmp_path / "adapter", "{question}\n", recipe)
    files = []
    for name, qat_recipe in (("float", None), ("rounded", recipe)):
        merge(tmp_path / name, adapter=adapter, student=wide, template="{question}\n", qat_recipe=qat_recipe)
        write_float_gguf(tmp_path / name, wide.vocab, tmp_path / "f32.gguf", metadata={})
        quantize_gguf(tmp_path / "f32.gguf", tmp_path / "small.gguf", "q4_0", recipe=recipe.name)
        files.append((tmp_path / "small.gguf").read_bytes())
    assert QuantizedFile(tmp_path / "small.gguf", base).type_of("model.embed_tokens.weight") == "Q6_K"
    assert files[0] == files[1]


def test_an_importance_matrix_as_well_is_warned_about(
    tiny_student: Student, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit_one(tiny_student, tmp_path / "adapter", "{question}\n", load_gguf_recipe("gguf-q4_0-imatrix"))
    assert (
        "Warning: gguf-q4_0-imatrix rounds weights that were trained for the rounding of q4_0"
        in capsys.readouterr().err
    )


def test_an_export_knows_which_recipe_its_student_was_trained_for(
    tiny_student: Student, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There was only a warning within a single config."""
    template, recipe = "Question: {question}\nProgram:\n", load_gguf_recipe("gguf-q4_0")
    adapter = fit_one(tiny_student, tmp_path / "adapter", template, recipe)
    merge(tmp_path / "merged", adapter=adapter, student=tiny_student, template=template, qat_recipe=recipe)
    wanted = ["gguf-q4_0", "gguf-q4_0-imatrix"]
    api.export(tmp_path / "merged", wanted, tmp_path / "out", parity=False)
    printed = capsys.readouterr().err
    assert printed.count("Warning:") == 1
    assert "Warning: gguf-q4_0-imatrix rounds weights that were trained for the rounding of q4_0" in printed


@pytest.mark.parametrize(
    ("modules", "recipe", "sentence"),
    [
        (["q_proj", "qproj"], None, r"names 'qproj', which tiny does not have\. It has: .*down_proj"),
        (["input_layernorm"], None, r"names 'input_layernorm', which tiny does not have"),
        (
            ["q_proj"],
            "gguf-q4_k_m",
            r"gguf-q4_k_m stores q4_k_m; training for it is not supported yet\. Supported: q4_0, ",
        ),
    ],
)
def test_untrainable_options_are_refused_before_anything_is_made(
    modules: list[str], recipe: str | None, sentence: str, tiny_student: Student, tmp_path: Path
) -> None:
    """A mistyped module raised PEFT's own error; a type without a grid was found only after evaluating the base."""
    with pytest.raises(FddError, match=sentence):
        check_training(tiny_student, modules, load_gguf_recipe(recipe) if recipe else None)
    overrides = [f"lora.target_modules={json.dumps(modules)}", f"training.quantization_aware={recipe or 'none'}"]
    with pytest.raises(FddError, match=sentence):
        api.run("smoke", output=str(tmp_path / "run"), overrides=overrides)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("qat_recipe", [None, load_gguf_recipe("gguf-q4_0")], ids=["plain", "aware"])
@pytest.mark.parametrize("module", ["lm_head", "model.embed_tokens"])
def test_an_adapter_on_tied_embeddings_is_refused(
    module: str, qat_recipe: GgufRecipe | None, tiny_student: Student, tmp_path: Path
) -> None:
    """In quantization-aware training this was a bare KeyError; merging untied the head from the embedding."""
    with pytest.raises(FddError, match=rf"lora.target_modules names {module}, but the head of tiny is tied"):
        fit_one(
            tiny_student,
            tmp_path / "adapter",
            "{question}\n",
            qat_recipe,
            lora=LoraOptions(target_modules=("q_proj", module)),
        )


def test_a_matrix_that_is_missing_from_the_file_is_named(tiny_student: Student, tmp_path: Path) -> None:
    write_float_gguf(tiny_student.folder, tiny_student.vocab, tmp_path / "f32.gguf", metadata={})
    file = QuantizedFile(tmp_path / "f32.gguf", tiny_student.folder)
    for read in (file.type_of, file.dequantized):
        with pytest.raises(FddError, match=r"does not store lm_head, .* Remove lm_head from lora\.target_modules"):
            read("lm_head.weight")
