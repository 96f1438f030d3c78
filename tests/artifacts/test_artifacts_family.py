"""A family of artifacts as one object: complete on both sides, and loaded only when it is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fdd_edge.artifacts.family import Family, all_families, family_for, family_named, family_of
from fdd_edge.artifacts.recipe import float_recipe_of, is_float, load_recipe, load_recipes, names_of
from fdd_edge.catalog import names
from fdd_edge.errors import FddError
from fdd_edge.ondevice.families import FAMILIES

HEAVY = {"gguf", "llama_cpp", "onnx", "onnxruntime", "tokenizers", "torch", "transformers"}


def test_both_sides_have_the_same_families() -> None:
    assert [family.device for family in all_families()] == list(FAMILIES.values())


@pytest.mark.parametrize("family", all_families(), ids=lambda family: family.device.name)
def test_a_family_names_recipes_of_its_own(family: Family) -> None:
    for name in (family.float_recipe, family.example_recipe):
        recipe = load_recipe(name)
        assert isinstance(recipe, family.recipe_class)
        assert recipe.family == family.device.recipe_family
        assert family.makes(recipe)
    assert is_float(load_recipe(family.float_recipe))
    assert not load_recipe(family.float_recipe).needs_float_artifact


@pytest.mark.parametrize("name", names("export/recipes"))
def test_a_recipe_that_quantizes_belongs_to_a_family_that_can(name: str) -> None:
    recipe = load_recipe(name)
    family = family_named(recipe.family)
    assert (family.quantizer is not None) or not recipe.needs_float_artifact
    assert "parity" not in recipe.fingerprint()
    assert "description" not in recipe.fingerprint()
    assert recipe.fingerprint()["name"] == name


def test_the_float_artifact_of_a_run_is_a_gguf_if_any_recipe_is_one() -> None:
    assert float_recipe_of(load_recipes(["onnx-int4", "gguf-q4_0"])) == "gguf-f32"
    assert float_recipe_of(load_recipes(["onnx-int4"])) == "onnx-fp32"


def test_a_model_file_finds_its_family_by_its_name() -> None:
    found = [family_of(Path(name)).device.name for name in ("a.gguf", "model.onnx", "decoder_model.onnx")]
    assert found == ["gguf", "onnx", "onnx-seq2seq"]


@pytest.mark.parametrize(
    ("config", "recipe_family", "expected"),
    [
        ("{}", "gguf", "gguf"),
        ("{}", "onnx", "onnx"),
        ('{"is_encoder_decoder": true, "decoder_start_token_id": 0}', "onnx", "onnx-seq2seq"),
        ('{"is_encoder_decoder": true, "decoder_start_token_id": 0}', "gguf", None),
    ],
)
def test_a_student_decides_what_a_recipe_makes_of_it(
    config: str, recipe_family: str, expected: str | None, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    if expected is None:
        with pytest.raises(FddError, match="is an encoder-decoder, which fdd-edge cannot export to GGUF"):
            family_for(recipe_family, tmp_path)
    else:
        assert family_for(recipe_family, tmp_path).device.name == expected


def test_int4_is_not_for_encoder_decoders() -> None:
    made = [name for name in names_of("onnx") if family_named("onnx-seq2seq").makes(load_recipe(name))]
    assert made == [name for name in names_of("onnx") if not name.startswith("onnx-int4")]


def test_recipes_and_families_load_no_library() -> None:
    program = (
        "import sys\n"
        "from fdd_edge.artifacts.family import all_families\n"
        "from fdd_edge.artifacts.recipe import load_recipe, names_of\n"
        "from fdd_edge.safetensors_folder import open_tensors\n"
        "assert all_families() and names_of('onnx')\n"
        f"print(sorted(set(sys.modules) & {HEAVY!r}))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
