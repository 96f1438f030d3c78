"""GGUF and ONNX in the same run: exported, certified, evaluated, and either of them as the judge."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")
pytest.importorskip("onnxruntime_genai", reason="needs: pip install 'fdd-edge[onnx]'")

from fdd_edge import api
from fdd_edge.errors import FddError
from fdd_edge.operations.train import TrainingSetup, train_on
from fdd_edge.records import read_jsonl
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.runs import RunLayout
from fdd_edge.students.training_options import LoraOptions, TrainingOptions
from fdd_edge.teachers.symbolic import generate

RECIPES = ("gguf-q4_0", "onnx-int4", "onnx-int8-avx2")


@pytest.mark.slow
@pytest.mark.parametrize("judge", ["onnx-int4", "gguf-q4_0"])
def test_a_run_of_both_families(judge: str, tiny_student: Student, tmp_path: Path) -> None:
    layout = api.run("smoke-both", output=tmp_path / "run", overrides=[f"feedback.artifact={judge}"]).layout
    for number in range(2):
        place = layout.round(number)
        for recipe in RECIPES:
            certificate = json.loads(place.parity(recipe).read_text(encoding="utf-8"))
            assert certificate["passed"], recipe
            runtime = "onnxruntime" if recipe.startswith("onnx") else "llama-cpp-python"
            assert certificate["target"]["runtime"] == runtime
            assert len(list(read_jsonl(place.evaluation("local", recipe, "valid") / "rows.jsonl"))) == 16
            assert place.bench("local", recipe).is_file()
        assert place.evaluation("local", judge, "pool").is_dir()
    labelled = json.loads(layout.round(1).summary.read_text(encoding="utf-8"))["split"]
    assert sum(labelled.values()) == 40


@pytest.mark.slow
def test_a_run_without_gguf_needs_no_llama_cpp(tiny_student: Student, tmp_path: Path) -> None:
    """Its float artifact is an ONNX graph, and ids are compared with the tokenizer that ONNX Runtime uses."""
    code = (
        "import sys; sys.modules['llama_cpp'] = None\n"
        "from fdd_edge import api\n"
        f"api.run('smoke-both', output={str(tmp_path / 'run')!r},"
        " overrides=['export.recipes=[onnx-int4]', 'rounds=1', 'baseline={num_fewshot: 2}'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    place = RunLayout(tmp_path / "run").round(0)
    assert sorted(path.name for path in (place.root / "artifacts").iterdir()) == ["onnx-fp32", "onnx-int4"]
    assert json.loads(place.parity("onnx-fp32").read_text(encoding="utf-8"))["passed"]
    assert not (place.merged / "vocab.gguf").exists()
    # With a GGUF, the float artifact would be one too, and other problems would count as lost.
    more = ["export.recipes=[onnx-int4, gguf-q4_0]", "rounds=1", "baseline={num_fewshot: 2}"]
    with pytest.raises(FddError, match="its float model, which finds the lost problems, is onnx-fp32"):
        api.run("smoke-both", output=str(tmp_path / "run"), overrides=more)


def test_both_runtimes_see_the_ids_of_training(tiny_student: Student, tmp_path: Path) -> None:
    """A tokenizer of ONNX Runtime that was changed behind llama.cpp's back stops the training of a run of both."""
    student = open_student("tiny", families=("gguf", "onnx"))
    assert [path.name for path in student.vocabs] == ["vocab.gguf", "tokenizer.json"]
    for path in student.folder.glob("*token*"):
        shutil.copy2(path, tmp_path / path.name)
    tokenizer = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["normalizer"] = {"type": "Lowercase"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    other = student._replace(vocabs=(student.vocab, tmp_path / "tokenizer.json"))
    problems = generate("train", 2, seed=0)
    with pytest.raises(FddError, match=r"The device would encode .* but training used"):
        train_on(
            problems,
            tmp_path / "adapter",
            other,
            "Question: {question}\n",
            TrainingSetup(LoraOptions(), TrainingOptions(), "float32", seed=0),
        )
