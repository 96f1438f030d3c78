"""Files from elsewhere are not trusted: what they say about recipe, certificate and model card is checked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.gguf import describe_gguf, quantize_gguf, types_by
from fdd_edge.artifacts.recipe import load_gguf_recipe, load_recipe, names_of
from fdd_edge.errors import FddError
from fdd_edge.ondevice.families import GGUF
from fdd_edge.operations.certify import find_bounds, find_certificate
from fdd_edge.operations.export import export_from_student
from fdd_edge.resolve.model import open_float_model
from fdd_edge.resolve.prompts import file_prompt
from fdd_edge.resolve.student import Student
from fdd_edge.runs.hashing import hash_file


@pytest.fixture(scope="module")
def float_file(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("float")
    labels = ArtifactLabels("tiny", file_prompt("plain"))
    export_from_student(out, merged=None, student=tiny_student, labels=labels, recipe=load_recipe("gguf-f32"))
    return out / GGUF.model_file


def test_a_file_names_no_path_as_its_recipe(float_file: Path, tmp_path: Path) -> None:
    """It used to be able to choose any YAML file of the machine."""
    mine = tmp_path / "mine.yaml"
    text = (Path(__file__).parents[2] / "export/recipes/gguf-q8_0.yaml").read_text(encoding="utf-8")
    mine.write_text(text, encoding="utf-8")
    quantize_gguf(float_file, tmp_path / GGUF.model_file, "q8_0", recipe=str(mine))
    with pytest.raises(FddError, match=r"is not a packaged one\. Name the recipe whose bounds apply, such as"):
        find_bounds(tmp_path / GGUF.model_file, None)
    assert find_bounds(tmp_path / GGUF.model_file, str(mine)).name == "gguf-q8_0"


def test_a_file_is_not_judged_by_the_coarser_bounds_it_names(float_file: Path, tmp_path: Path) -> None:
    quantize_gguf(float_file, tmp_path / GGUF.model_file, "q8_0", recipe="gguf-q3_k_m")
    with pytest.raises(
        FddError, match=r"recipe gguf-q3_k_m, which gives .*, but it contains \d+ Q8_0\. Name the recipe"
    ):
        find_bounds(tmp_path / GGUF.model_file, None)
    assert find_bounds(tmp_path / GGUF.model_file, "gguf-q8_0").name == "gguf-q8_0"


@pytest.mark.parametrize("name", names_of("gguf"))
def test_a_good_file_of_every_recipe_holds_the_types_of_its_recipe(float_file: Path, tmp_path: Path, name: str) -> None:
    import numpy as np

    from fdd_edge.artifacts.gguf.reader import open_gguf

    recipe = load_gguf_recipe(name)
    weighted = recipe.imatrix != "none"
    matrices = [t for t in open_gguf(float_file).tensors if len(t.shape) > 1]
    imatrix = {t.name: np.full(int(t.shape[0]), 2, np.float32) for t in matrices} if weighted else None
    quantize_gguf(float_file, tmp_path / GGUF.model_file, recipe.type, recipe=name, imatrix=imatrix)
    assert (
        types_by(tmp_path / GGUF.model_file, recipe.type, weighted=weighted)
        == describe_gguf(tmp_path / GGUF.model_file).types
    )
    assert find_bounds(tmp_path / GGUF.model_file, None) == recipe


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"version": 1}', '{"version": 3, "passed": true, "items": {}, "artifact": 3}']
)
def test_a_foreign_certificate_is_none(
    float_file: Path, tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It used to end `eval`."""
    shutil.copy(float_file, tmp_path / GGUF.model_file)
    (tmp_path / "parity.json").write_text(content, encoding="utf-8")
    assert find_certificate(tmp_path / GGUF.model_file, hash_file(float_file)) is None
    said = capsys.readouterr().err
    assert "parity.json is not a parity certificate" in said
    assert said.count("\n") == 1


CARDS = {
    "{": "is not valid JSON",
    "[]": "is not a JSON object",
    '{"prompt_template": 3}': "prompt_template must be a string, not 3",
    '{"prompt_template": "hello"}': "prompt_template does not contain {question}",
    '{"base": ["x"]}': "base must be a string",
    '{"license": {}}': "license must be a string",
}


@pytest.mark.parametrize("content", CARDS)
def test_a_foreign_model_card_is_one_sentence(tiny_student: Student, tmp_path: Path, content: str) -> None:
    """It used to end in a traceback."""
    folder = Path(shutil.copytree(tiny_student.folder, tmp_path / "student"))
    (folder / "fdd_edge.json").write_text(content, encoding="utf-8")
    with pytest.raises(FddError) as caught:
        open_float_model(str(folder), prompt=None)
    assert CARDS[content] in str(caught.value)
    assert "fdd_edge.json" in str(caught.value)
