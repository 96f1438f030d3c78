"""That a file passed is said only of what was checked on this machine; a certificate that came with it is a claim."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from smoke import Finished

from fdd_edge import api
from fdd_edge.cli.evaluation_table import print_evaluation
from fdd_edge.cli.round_table import print_round
from fdd_edge.ondevice.model_files import find_model, hash_model
from fdd_edge.operations.certificate_lookup import find_certificate, passed_here
from fdd_edge.parity import Certificate, keep_certificate, was_checked_here
from fdd_edge.resolve.student import Student
from fdd_edge.results import EvaluationResult

PROBLEM = [{"question": "Tom has 3 figs and gets 4. How many?", "answer": 7}]


@pytest.fixture(scope="module")
def made_here(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact that was exported and certified here."""
    out = tmp_path_factory.mktemp("claims") / "files"
    api.export(tiny_student.folder, "gguf-q8_0", out)
    return out / "gguf-q8_0"


@pytest.fixture
def artifact(made_here: Path, tmp_path: Path) -> Path:
    """A copy of it, whose certificate a test may change."""
    return Path(shutil.copytree(made_here, tmp_path / "artifact"))


@pytest.fixture
def elsewhere(tiny_student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine of somebody who was sent the file: an empty cache."""
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path / "other-cache"))


def change(artifact: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = artifact / "parity.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def evaluated(artifact: Path) -> EvaluationResult:
    return api.evaluate(artifact, PROBLEM, max_new_tokens=4, threads=1)


def test_what_was_certified_here_passed(artifact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(artifact)
    assert found.to_dict()["parity"] == "passed"
    print_evaluation(found)
    assert "its certificate passed" in capsys.readouterr().out


def test_a_certificate_that_came_with_a_file_is_a_claim(
    artifact: Path, elsewhere: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anybody can write a parity.json for a file of theirs, and eval said that it had passed."""
    change(artifact, lambda content: content["reference"].update(name="Llama 3.2 405B", sha256="ab" * 32))
    found = evaluated(artifact)
    assert found.to_dict()["parity"] == "claimed"
    assert found.to_dict()["artifact"]["reference"] == {"name": "Llama 3.2 405B", "sha256": "ab" * 32}
    print_evaluation(found)
    said = " ".join(capsys.readouterr().out.split())
    assert "claimed, not checked here: its certificate says that it matches 'Llama 3.2 405B'" in said
    assert "(sha256 abababababab); check it with: fdd-edge parity FILE --reference MODEL" in said
    assert "passed" not in said


def test_what_was_checked_here_counts_more_than_a_claim_that_it_failed(artifact: Path) -> None:
    """A parity.json with `passed: false` that came along beat the certificate that was made here."""
    change(artifact, lambda content: content["items"]["tensors"].update(passed=False))
    assert evaluated(artifact).to_dict()["parity"] == "passed"


def test_a_damaged_copy_in_the_cache_does_not_count(
    artifact: Path, elsewhere: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only its name was looked at."""
    certificate = Certificate.read(artifact / "parity.json")
    keep_certificate(certificate)
    (kept,) = (artifact.parent / "other-cache").rglob("*.json")
    good = kept.read_text(encoding="utf-8")
    assert was_checked_here(certificate)
    for damaged in (good.replace('"passed": true', '"passed": tru3', 1), good.replace('"bytes": ', '"bytes": 1', 1)):
        kept.write_text(damaged, encoding="utf-8")
        assert not was_checked_here(certificate)
        found = find_certificate(find_model(artifact), hash_model(find_model(artifact)))
        assert found is not None and not was_checked_here(found)
    said = capsys.readouterr().err
    assert "is not a parity certificate" in said
    assert "was damaged after it was made" in said


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: content["reference"].update(name="another model"),
        lambda content: content["bounds"].update(tensors=0.79),
        lambda content: content["items"]["logits"].update(summary="all is well"),
        lambda content: content["target"].update(cpu="a better one"),
    ],
)
def test_one_that_was_changed_is_not_the_one_that_was_made(
    edit: Callable[[dict[str, Any]], object], artifact: Path
) -> None:
    change(artifact, edit)
    assert not was_checked_here(Certificate.read(artifact / "parity.json"))
    # The file itself was checked here, so what was found then counts, and not what is said next to it.
    found = find_certificate(find_model(artifact), hash_model(find_model(artifact)))
    assert found is not None
    assert was_checked_here(found)


def test_a_claim_can_be_checked(artifact: Path, tiny_student: Student, elsewhere: None) -> None:
    assert evaluated(artifact).to_dict()["parity"] == "claimed"
    assert api.certify(artifact, tiny_student.folder).passed
    assert evaluated(artifact).to_dict()["parity"] == "passed"


def test_a_claim_that_was_found_to_be_wrong_failed(artifact: Path, elsewhere: None) -> None:
    content = json.loads((artifact / "parity.json").read_text(encoding="utf-8"))
    content["items"]["logits"]["passed"] = False
    other = artifact.parent / "made-here.json"
    other.write_text(json.dumps(content), encoding="utf-8")
    keep_certificate(Certificate.read(other))
    assert evaluated(artifact).to_dict()["parity"] == "failed"


def test_a_certificate_of_another_file_says_nothing(artifact: Path) -> None:
    with find_model(artifact).open("ab") as file:
        file.write(b"\0")
    assert evaluated(artifact).to_dict()["parity"] == "none"
    assert not passed_here(artifact / "parity.json", artifact)


def test_a_path_in_a_certificate_leads_nowhere(artifact: Path, elsewhere: None) -> None:
    change(artifact, lambda content: content["artifact"].update(sha256="../../../../etc/passwd\0"))
    assert not was_checked_here(Certificate.read(artifact / "parity.json"))
    change(artifact, lambda content: content["artifact"].update(sha256=["x"]))
    assert not was_checked_here(Certificate.read(artifact / "parity.json"))


def test_a_cache_that_cannot_be_written_costs_no_certificate(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path / "file"))
    certificate = Certificate.read(artifact / "parity.json")
    keep_certificate(certificate)
    assert not was_checked_here(certificate)
    assert "so the certificate will count as a claim" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_from_elsewhere_only_claims(
    smoke: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finished = api.load_run(smoke.out).rounds[0]
    assert finished.claimed == []
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path / "other-cache"))
    assert set(finished.claimed) == {name for name, failed in finished.figures["parity"].items() if not failed}
    print_round(finished.summary, claimed=finished.claimed)
    said = " ".join(capsys.readouterr().out.split())
    assert "claimed, not checked here: their certificates are not from this machine's cache" in said
    assert " passed" not in said.split("parity", 1)[1].split("labels", 1)[0]
