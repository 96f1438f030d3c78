"""Importance matrices: measured in torch, stored in llama.cpp's format, and used by its quantizer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fdd_edge.artifacts.gguf import (
    QuantizedFile,
    hf_names,
    quantize_gguf,
    read_imatrix,
    write_float_gguf,
    write_imatrix,
)
from fdd_edge.artifacts.recipe import GgufRecipe, load_gguf_recipe
from fdd_edge.errors import FddError
from fdd_edge.operations.export import quantize
from fdd_edge.operations.imatrix import imatrix_path, measure_imatrix
from fdd_edge.records import Problem, write_jsonl
from fdd_edge.resolve.student import Student
from fdd_edge.students.load import load_model
from fdd_edge.students.tokenizer import encode_examples, load_tokenizer

TEMPLATE = "Question: {question}\nProgram:\n"
PROBLEMS = [Problem(f"p{n}", f"Tom had {n} figs.", n, "test", program=f"answer = {n}") for n in range(12)]


@pytest.fixture(scope="module")
def float_gguf(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("float") / "model.gguf"
    write_float_gguf(tiny_student.folder, tiny_student.vocab, out, metadata={})
    return out


@pytest.fixture(scope="module")
def imatrix(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imatrix")
    out, problems = folder / "imatrix.gguf", folder / "problems.jsonl"
    write_jsonl(problems, (problem.to_row() for problem in PROBLEMS))
    measure_imatrix(out, merged=None, problems=problems, student=tiny_student, template=TEMPLATE, seed=0)
    return out


def test_it_holds_the_mean_squared_inputs(tiny_student: Student, float_gguf: Path, imatrix: Path) -> None:
    """Computed independently for the first layer, whose input is the normalized embedding."""
    import torch

    means = read_imatrix(imatrix, float_gguf)
    model = load_model(tiny_student.folder).model
    prompts = [(TEMPLATE.replace("{question}", p.question), str(p.program)) for p in PROBLEMS]
    ids = [[*e.prompt_ids, *e.completion_ids] for e in encode_examples(load_tokenizer(tiny_student.folder), prompts)]
    with torch.no_grad():
        inputs = torch.cat([model.layers[0].input_layernorm(model.embed_tokens(torch.tensor(i))) for i in ids])
    assert np.allclose(means["blk.0.attn_q.weight"], inputs.square().mean(0).numpy(), rtol=1e-4)
    assert np.array_equal(means["blk.0.attn_q.weight"], means["blk.0.attn_v.weight"])
    blocks = {name for name in hf_names(tiny_student.folder) if name.startswith("blk.") and "norm" not in name}
    assert set(means) == blocks


def test_it_lowers_the_error_that_it_weighs(
    tiny_student: Student, float_gguf: Path, imatrix: Path, tmp_path: Path
) -> None:
    means = read_imatrix(imatrix, float_gguf)
    errors = {}
    for name, given in (("plain", None), ("weighted", means)):
        quantize_gguf(float_gguf, tmp_path / f"{name}.gguf", "q4_0", recipe="test", imatrix=given)
        file = QuantizedFile(tmp_path / f"{name}.gguf", tiny_student.folder)
        whole = QuantizedFile(float_gguf, tiny_student.folder)
        names = hf_names(tiny_student.folder)
        errors[name] = sum(
            float((means[n] * (file.dequantized(names[n]) - whole.dequantized(names[n])) ** 2).sum()) for n in means
        )
    assert errors["weighted"] < 0.95 * errors["plain"]


@pytest.mark.parametrize("name", ["gguf-q4_0-imatrix", "gguf-iq3_m-imatrix"])
def test_a_recipe_that_asks_for_it_gets_a_file_of_the_predicted_size(
    name: str, float_gguf: Path, imatrix: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = load_gguf_recipe(name)
    measured = imatrix_path(recipe, imatrix)
    assert measured == imatrix
    quantize(tmp_path / "out", float_artifact=float_gguf.parent, imatrix=measured, recipe=recipe)
    size = (tmp_path / "out" / "model.gguf").stat().st_size
    assert f"{size / 1e6:.1f} MB" in capsys.readouterr().err


def recipe_with(imatrix: Path) -> GgufRecipe:
    return load_gguf_recipe("gguf-q4_0").model_copy(update={"imatrix": str(imatrix)})


def test_a_file_of_somebody_else_is_taken(float_gguf: Path, imatrix: Path, tmp_path: Path) -> None:
    assert imatrix_path(recipe_with(imatrix), None) == imatrix
    assert imatrix_path(load_gguf_recipe("gguf-q4_0"), imatrix) is None
    quantize(tmp_path / "out", float_artifact=float_gguf.parent, imatrix=imatrix, recipe=recipe_with(imatrix))
    quantize_gguf(
        float_gguf, tmp_path / "own.gguf", "q4_0", recipe="gguf-q4_0", imatrix=read_imatrix(imatrix, float_gguf)
    )
    assert (tmp_path / "out" / "model.gguf").read_bytes() == (tmp_path / "own.gguf").read_bytes()


def test_wrong_files_are_named(float_gguf: Path, imatrix: Path, tmp_path: Path) -> None:
    def fault(path: Path) -> str:
        with pytest.raises(FddError) as error:
            quantize(tmp_path / "out", float_artifact=float_gguf.parent, imatrix=path, recipe=recipe_with(path))
        return str(error.value)

    (tmp_path / "old.dat").write_bytes(b"\x01\x00\x00\x00")
    write_imatrix(tmp_path / "part.gguf", {"blk.0.attn_q.weight": np.ones(128, np.float32)}, 1, source="test")
    write_imatrix(tmp_path / "wide.gguf", {"blk.0.ffn_down.weight": np.ones(64, np.float32)}, 1, source="test")
    assert "does not exist" in fault(tmp_path / "none.gguf")
    assert "llama-imatrix --in-file" in fault(tmp_path / "old.dat")
    assert "another kind of GGUF file" in fault(float_gguf)
    assert "importance matrix of another model" in fault(tmp_path / "part.gguf")
    assert "which has 256 columns, it has 64 columns" in fault(tmp_path / "wide.gguf")
