"""The tokenizer reads what the model reads: settings of ``tokenizer.json`` that change a text, in every runtime."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("tokenizers", reason="needs: pip install 'fdd-edge[onnx]'")
pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")

from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.gguf import DeviceVocab
from fdd_edge.artifacts.recipe import load_recipe
from fdd_edge.errors import FddError
from fdd_edge.ondevice import llamacpp
from fdd_edge.ondevice.normalizer import normalize_text
from fdd_edge.ondevice.protocol import RunnerError
from fdd_edge.ondevice.vocabulary import Vocabulary
from fdd_edge.operations.export import export_from_student, quantize
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.runs.fingerprint import Json
from fdd_edge.students.tokenizer import load_tokenizer

DECOMPOSED, COMPOSED = "Jose\u0301 has 3 cafe\u0301s.<|end|>\u0301", "Jos\u00e9 has 3 caf\u00e9s.<|end|>\u0301"

MakeStudent = Callable[..., Path]


@pytest.fixture
def with_settings(tiny_student: Student, tmp_path: Path) -> MakeStudent:
    """Makes a copy of the tiny student with other settings in its ``tokenizer.json``."""

    def make(**settings: Json) -> Path:
        folder = Path(shutil.copytree(tiny_student.folder, tmp_path / "student"))
        (folder / "vocab.gguf").unlink(missing_ok=True)
        path = folder / "tokenizer.json"
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | settings), encoding="utf-8")
        return folder

    return make


def ids_of(folder: Path, text: str) -> list[int]:
    """Return the ids of the student's own tokenizer."""
    ids: list[int] = load_tokenizer(folder)(text, add_special_tokens=False)["input_ids"]
    return ids


@pytest.mark.parametrize("normalizer", [{"type": "NFC"}, {"type": "Sequence", "normalizers": [{"type": "NFC"}]}])
def test_a_gguf_of_a_tokenizer_with_nfc_reads_decomposed_letters_as_its_model_does(
    normalizer: Json, with_settings: MakeStudent, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Qwen's tokenizers normalize and llama.cpp does not: the certificate passed, and the ids were others."""
    folder = with_settings(normalizer=normalizer)
    student = open_student(str(folder))
    wanted = ids_of(folder, COMPOSED)
    assert ids_of(folder, DECOMPOSED) == wanted
    with DeviceVocab(student.vocab) as device:
        assert device.encode(DECOMPOSED) == wanted
    labels = ArtifactLabels("x", "{question}")
    export_from_student(tmp_path / "f32", merged=None, student=student, labels=labels, recipe=load_recipe("gguf-f32"))
    assert "brings texts into the form NFC" in capsys.readouterr().err
    quantize(tmp_path / "q8", float_artifact=tmp_path / "f32", imatrix=None, recipe=load_recipe("gguf-q8_0"))
    for name in ("f32", "q8"):
        with llamacpp.Model(str(tmp_path / name / "model.gguf")) as model:
            assert model.tokenize(DECOMPOSED) == wanted


def test_a_student_made_from_such_a_gguf_reads_them_in_the_same_way(with_settings: MakeStudent, tmp_path: Path) -> None:
    folder = with_settings(normalizer={"type": "NFC"})
    student = open_student(str(folder))
    labels = ArtifactLabels("x", "{question}")
    export_from_student(tmp_path / "f32", merged=None, student=student, labels=labels, recipe=load_recipe("gguf-f32"))
    again = open_student(str(tmp_path / "f32" / "model.gguf"))
    assert ids_of(again.folder, DECOMPOSED) == ids_of(folder, DECOMPOSED)
    with DeviceVocab(again.vocab) as device:
        assert device.encode(DECOMPOSED) == ids_of(folder, DECOMPOSED)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"normalizer": {"type": "NFKC"}}, "has the normalizer NFKC"),
        ({"normalizer": {"type": "Lowercase"}}, "has the normalizer Lowercase"),
        ({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "NFD"}]}}, "normalizer NFD"),
        ({"normalizer": {"type": "Prepend", "prepend": "x"}}, r"puts a space .*the normalizer Prepend"),
        (
            {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}},
            r"puts a space .*add_prefix_space",
        ),
    ],
)
def test_what_llama_cpp_cannot_do_to_a_text_is_refused_by_name(
    settings: dict[str, Json], named: str, with_settings: MakeStudent
) -> None:
    with pytest.raises(FddError, match=named):
        open_student(str(with_settings(**settings)))


@pytest.mark.parametrize(
    "settings",
    [
        {"normalizer": {"type": "NFC"}},
        {"normalizer": {"type": "NFKC"}},
        {"normalizer": {"type": "Lowercase"}},
        {"truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}},
        {
            "padding": {
                "strategy": {"Fixed": 64},
                "direction": "Left",
                "pad_to_multiple_of": None,
                "pad_id": 0,
                "pad_type_id": 0,
                "pad_token": "<|end|>",
            }
        },
    ],
    ids=lambda settings: str(next(iter(settings.items())))[:40],
)
def test_onnx_runtimes_tokenizer_gives_the_ids_of_torch(settings: dict[str, Json], with_settings: MakeStudent) -> None:
    """Truncation used to cut a question at 256 tokens, without a word; padding would make every prompt longer."""
    folder = with_settings(**settings)
    text = "Ana has 3 pens and \uff12 RED hats, Jose\u0301 has 4. " * 4
    assert Vocabulary(folder).encode(text) == ids_of(folder, text)
    assert len(Vocabulary(folder).tokenize(text)) > 40


def test_a_normalizer_of_a_later_version_is_refused() -> None:
    assert normalize_text(DECOMPOSED, None) == DECOMPOSED
    with pytest.raises(RunnerError, match=r"'NFKC' is not supported; update"):
        normalize_text(DECOMPOSED, "NFKC")
