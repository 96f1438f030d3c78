"""GGUF and ONNX side by side in a run: exported, certified, evaluated, and either of them judging."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")
pytest.importorskip("onnxruntime_genai", reason="needs: pip install 'fdd-edge[onnx]'")

from fdd_edge import api
from fdd_edge.records import read_jsonl

RECIPES = ("gguf-q4_0", "onnx-int4", "onnx-int8-avx2")


@pytest.mark.parametrize("judge", ["onnx-int4", "gguf-q4_0"])
def test_a_run_of_both_families(judge: str, tmp_path: Path) -> None:
    layout = api.run("smoke-both", output=str(tmp_path / "run"), overrides=[f"feedback.artifact={judge}"])
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


def test_a_run_without_gguf_has_an_onnx_float_artifact(tmp_path: Path) -> None:
    overrides = ["export.recipes=[onnx-int4]", "rounds=1"]
    layout = api.run("smoke-both", output=str(tmp_path / "run"), overrides=overrides)
    place = layout.round(0)
    assert sorted(path.name for path in (place.root / "artifacts").iterdir()) == ["onnx-fp32", "onnx-int4"]
    assert json.loads(place.parity("onnx-fp32").read_text(encoding="utf-8"))["passed"]
