"""``fdd-edge verify`` on a whole run and on exported artifacts: everything holds, and each planted fault is found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import fdd_edge
from forgery import flip, forge, lie, rewrite
from shared import Shared
from smoke import Finished

import fdd_edge as package
from fdd_edge import FddError, Finding, api
from fdd_edge.operations.remake import compare_remade
from fdd_edge.parity import Certificate, keep_certificate
from fdd_edge.resolve.student import Student
from fdd_edge.runs import RunLayout
from fdd_edge.runs.hashing import HashCache
from fdd_edge.runs.manifest_check import content_hash

pytestmark = pytest.mark.slow

JUDGE = "round-01/artifacts/gguf-q4_0"


@pytest.fixture
def run(smoke: Finished, tmp_path: Path) -> Path:
    return smoke.copy(tmp_path)


@pytest.fixture(scope="session")
def exported_once(smoke: Finished, shared: Shared) -> Path:
    """The best round of the smoke run, as a float file and a quantized one."""
    return shared.folder("verified-export", lambda out: api.export(smoke.out, ["gguf-f32", "gguf-q4_0"], out / "out"))


@pytest.fixture
def exported(exported_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported_once / "out", tmp_path / "out"))


def test_a_finished_run_holds(smoke: Finished) -> None:
    before = HashCache().of(smoke.out)
    found = api.verify(smoke.out)
    assert found.ok
    said = {(finding.what, finding.says) for finding in found if finding.holds}
    assert ("manifest.json", "as it was written") in said
    assert (JUDGE, "files as written: 2") in said
    assert (JUDGE, "made again from gguf-f32, the same bytes") in said
    assert ("round-01/artifacts/gguf-f32", "made again from the merged student, the same bytes") in said
    assert ("round-01/parity/gguf-q4_0.json", "of this file, which passed; made on this machine") in said
    assert ("round-01/summary.json", "has the figures that the files of the round give") in said
    assert ("config.yaml", "as it was written") in said
    assert ("best", "leads to round-01, the best round by the gates and the evaluations") in said
    deleted = {finding.what for finding in found.unknown if "deleted to save space" in finding.says}
    assert "round-00/merged" in deleted
    assert {finding.what for finding in found.unknown} == deleted
    stages = json.loads(RunLayout(smoke.out).manifest.read_text())["stages"]
    assert stages.keys() <= {finding.what for finding in found}, "a stage has no line"
    assert HashCache().of(smoke.out) == before, "verifying wrote to the run"


def test_a_folder_of_a_run_is_verified_alone(smoke: Finished) -> None:
    best = api.verify(smoke.out / "best")
    assert best.ok
    assert {finding.what.split("/")[0] for finding in best} == {"manifest.json", "round-01", "best"}
    artifact = api.verify(smoke.out / JUDGE)
    assert {finding.what for finding in artifact} == {"manifest.json", JUDGE, "round-01/parity/gguf-q4_0.json"}
    assert artifact.ok


def test_the_command_prints_a_line_for_each_thing_and_ends_at_the_first_lie(run: Path) -> None:
    rows = run / "round-01/eval/local/gguf-q4_0/valid/rows.jsonl"
    rows.write_text(rows.read_text().replace('"wrong"', '"correct"', 1))
    ran = fdd_edge("verify", run)
    *before, last = ran.stdout.splitlines()
    assert ran.returncode == 4
    assert all(line.startswith(("ok  ", "--  ")) for line in before)
    assert last == (
        "NO  round-01/eval/local/gguf-q4_0/valid: is not what was written: one of rows.jsonl, summary.json, "
        "timing.json has changed"
    )
    assert ran.stderr.startswith("Error: Restore ")
    assert "make it again with: fdd-edge run" in ran.stderr

    as_json = fdd_edge("verify", run, "--json")
    assert as_json.returncode == 4
    found = json.loads(as_json.stdout)
    assert (found["ok"], found["path"]) == (False, str(run))
    assert len(found["findings"]) == len(before) + 1
    assert found["findings"][-1].keys() == {"what", "holds", "says", "fix"}


def test_the_command_says_that_all_holds(smoke: Finished) -> None:
    ran = fdd_edge("verify", smoke.out / JUDGE)
    assert ran.returncode == 0
    assert ran.stderr == ""
    assert ran.stdout.endswith("\n\nEverything that was checked is as it was written.\n")
    whole = fdd_edge("verify", smoke.out).stdout
    assert "things could not be checked here." in " ".join(whole.split())


@pytest.mark.parametrize(
    ("plant", "what", "says"),
    [
        (lambda run: flip(run / JUDGE / "model.gguf"), JUDGE, "is not what was written: one of"),
        (lambda run: (run / JUDGE / "artifact.json").unlink(), JUDGE, "lacks artifact.json"),
        (lambda run: (run / JUDGE / "model.onnx").touch(), JUDGE, "also holds model.onnx"),
        (lambda run: shutil.rmtree(run / "round-00/adapter"), "round-00/adapter", "is missing"),
        (lambda run: flip(run / "validation.jsonl"), "validation.jsonl", "is not the file that was written"),
        (
            lambda run: shutil.copytree(run / JUDGE, run / "round-01/artifacts/gguf-q6_k"),
            "round-01/artifacts/gguf-q6_k",
            "is not in the manifest",
        ),
        (
            lambda run: rewrite(run / "round-01/summary.json", lambda row: row["evaluations"][0].update(correct=16)),
            "round-01/summary.json",
            "has other figures than the evaluation round-01/eval/local/gguf-q8_0/valid",
        ),
        (
            lambda run: rewrite(run / "manifest.json", lambda row: row["facts"].update(threads=3)),
            "manifest.json",
            "it is not as it was written",
        ),
    ],
    ids=["byte", "lacks", "holds", "missing", "file", "unknown", "figures", "manifest"],
)
def test_a_fault_in_a_run_is_found(plant: Callable[[Path], object], what: str, says: str, run: Path) -> None:
    plant(run)
    found = lie(api.verify(run))
    assert found.what == what
    assert says in found.says


def test_data_that_was_replaced_together_with_its_hash_is_found(run: Path) -> None:
    """Its hash fits then, but the adapter states what it was trained on."""
    train = run / "round-01/data/train.jsonl"
    train.write_text("".join(train.read_text().splitlines(keepends=True)[1:]))
    forge(run, downstream=False)
    found = lie(api.verify(run))
    assert (found.what, found.says) == (
        "round-01/adapter",
        "was made from other things: its input problems is not in the run",
    )


def test_a_fingerprint_that_does_not_fit_is_found(run: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["stages"]["round-00/adapter"]["options"]["setup"]["seed"] = 1
        content["sha256"] = content_hash(content)

    rewrite(run / "manifest.json", change)
    assert "has a fingerprint that is not that of" in lie(api.verify(run)).says


def test_an_artifact_that_was_replaced_everywhere_is_found_by_making_it_again(run: Path) -> None:
    """Manifest and certificate fit the changed file; only its float file does not make it."""
    flip(run / JUDGE / "model.gguf")
    size = (run / JUDGE / "model.gguf").stat().st_size
    forge(run, downstream=True)
    found = lie(api.verify(run))
    assert found.what == JUDGE
    assert found.says == f"is not what gguf-q4_0 makes of gguf-f32: model.gguf differs from byte {size - 7:,} on"


def test_what_another_machine_may_make_differently_is_told_with_the_reason(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another CPU, or another build of llama.cpp, may make other last bits, but bytes that differ never hold."""
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path / "cache"))
    certificate = run / "round-01/parity/gguf-q4_0.json"
    rewrite(certificate, lambda row: row["target"].update(cpu="Z80"))
    keep_certificate(Certificate.read(certificate))
    flip(run / JUDGE / "model.gguf")
    forge(run, downstream=True)
    found = lie(api.verify(run / JUDGE))
    assert (found.what, "model.gguf differs from byte" in found.says) == (JUDGE, True)
    assert "machine that makes other bytes (CPU was Z80, and is" in str(found.fix)
    ran = fdd_edge("verify", run / JUDGE)
    assert (ran.returncode, "Everything" in ran.stdout) == (4, False)


@pytest.mark.parametrize(
    "plant",
    [
        lambda path: rewrite(path, lambda row: row["target"].update(cpu="Z80")),
        lambda path: rewrite(path, lambda row: row.update(version=1)),
        lambda path: path.unlink(),
    ],
    ids=["cpu", "version", "gone"],
)
def test_a_changed_model_is_found_whatever_its_certificate_says(
    plant: Callable[[Path], object], exported: Path
) -> None:
    """Anybody can write another CPU into a certificate, or delete it."""
    folder = exported / "gguf-q4_0"
    flip(folder / "model.gguf")
    sha256 = HashCache().of(folder / "model.gguf")
    rewrite(folder / "parity.json", lambda row: row["artifact"].update(sha256=sha256))
    plant(folder / "parity.json")
    found = lie(api.verify(folder))
    assert found.what == "model.gguf"
    assert "no certificate that was made here says on which CPU it was made" in str(found.fix)
    assert fdd_edge("verify", folder).returncode == 4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda row: row["items"]["logits"].update(passed=False), "says that the file passed, and that logits did not"),
        (lambda row: row["artifact"].update(recipe="gguf-q8_0"), "is of gguf-q8_0, not of gguf-q4_0"),
        (lambda row: row["artifact"].update(sha256="0" * 64), "is of a file with another hash than model.gguf has"),
        (lambda row: row["reference"].update(sha256="0" * 64), "is of another float model than the one that is here"),
        (lambda row: row.pop("prompts"), "is not a parity certificate"),
        (lambda row: row.update(more=1), "is not as fdd-edge wrote it"),
    ],
)
def test_a_certificate_that_lies_is_found(change: Callable[[Any], object], says: str, run: Path) -> None:
    certificate = run / "round-01/parity/gguf-q4_0.json"
    rewrite(certificate, change)
    forge(run, downstream=True)
    found = lie(api.verify(run / JUDGE))
    assert (found.what, found.says) == ("round-01/parity/gguf-q4_0.json", says)


def test_a_certificate_of_another_machine_is_called_a_claim(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path / "cache"))
    found = api.verify(run / JUDGE)
    assert found.ok
    assert found[-1].says == "of this file, which passed; made elsewhere, so its figures are a claim"


def test_what_cannot_be_made_again_is_neither_true_nor_false(run: Path) -> None:
    shutil.rmtree(run / "round-01/artifacts/gguf-f32")
    found = api.verify(run / JUDGE)
    assert found.ok
    says = "cannot be made again: gguf-f32, which it was made from, is not here"
    assert [(finding.what, finding.says) for finding in found.unknown] == [(JUDGE, says)]


@pytest.mark.parametrize(
    ("student", "says"),
    [
        ({"name": "someone/model"}, "cannot be made again: its float model someone/model is not on this machine"),
        ({"name": "tiny", "sha256": "0"}, "cannot be made again: tiny is not the model that it was"),
        ({"name": "tiny"}, "is not what gguf-f32 makes of tiny: model.gguf differs from byte"),
        ("tiny", "cannot be made again: the manifest does not name its float model"),
    ],
)
def test_an_untuned_artifact_is_made_again_from_the_student_that_the_run_began_with(
    student: Any, says: str, run: Path, tiny_student: Student
) -> None:
    """Here it is the file of a trained one, and no certificate says which machine made it."""
    name = "untuned/artifacts/gguf-f32"
    shutil.copytree(run / "round-01/artifacts/gguf-f32", run / name)

    def change(content: dict[str, Any]) -> None:
        stage = json.loads(json.dumps(content["stages"]["round-01/artifacts/gguf-f32"])) | {"inputs": {}}
        stage["options"]["student"] = (
            {"sha256": tiny_student.sha256} | student if isinstance(student, dict) else student
        )
        content["stages"][name] = stage

    rewrite(run / "manifest.json", change)
    forge(run, downstream=True)
    last = api.verify(run / "untuned")[-1]
    assert (last.what, last.holds) == (name, False if "differs" in says else None)
    assert last.says.startswith(says)


def test_an_exported_folder_holds(exported_once: Path, smoke: Finished) -> None:
    out = exported_once / "out"
    found = api.verify(out)
    assert found.ok
    said = {finding.what: finding.says for finding in found}
    assert said["gguf-q4_0/model.gguf"] == "made again from gguf-f32, the same bytes"
    assert said["gguf-f32/model.gguf"].endswith("its float model is not here; name it: --reference")
    assert [finding.what for finding in found.unknown] == ["gguf-f32/model.gguf"]
    named = api.verify(out / "gguf-q4_0", reference=smoke.out)
    assert named[-1] == Finding("model.gguf", True, f"made again from {smoke.out}, the same bytes")
    assert not named.unknown


@pytest.mark.parametrize(
    ("plant", "what", "says"),
    [
        (lambda out: flip(out / "model.gguf"), "parity.json", "is of a file with another hash than model.gguf has"),
        (
            lambda out: rewrite(out / "artifact.json", lambda row: row.update(license="mit")),
            "artifact.json",
            "says something else about license than the model file",
        ),
        (
            lambda out: rewrite(out / "artifact.json", lambda row: row.update(fallbacks=False)),
            "artifact.json",
            "says something else about fallbacks than the model file",
        ),
        (lambda out: (out / "artifact.json").write_text("[]"), "artifact.json", "cannot be read"),
        (
            lambda out: (out / "prompt.txt").write_text("{question}"),
            "prompt.txt",
            "is another prompt than the one in the model file",
        ),
        (lambda out: flip(out / "model.gguf", 0), "model.gguf", "is not a GGUF file"),
    ],
    ids=["bytes", "card", "fallbacks", "broken-card", "prompt", "no-gguf"],
)
def test_a_fault_in_an_exported_folder_is_found(
    plant: Callable[[Path], object], what: str, says: str, exported: Path
) -> None:
    plant(exported / "gguf-q4_0")
    found = lie(api.verify(exported / "gguf-q4_0"))
    assert found.what == what
    assert says in found.says


def test_a_changed_model_with_a_certificate_that_fits_is_found(exported: Path) -> None:
    folder = exported / "gguf-q4_0"
    flip(folder / "model.gguf")
    sha256 = HashCache().of(folder / "model.gguf")
    rewrite(folder / "parity.json", lambda row: row["artifact"].update(sha256=sha256))
    found = lie(api.verify(folder))
    assert found.what == "model.gguf"
    assert found.says.startswith("is not what gguf-q4_0 makes of gguf-f32: model.gguf differs from byte")


def test_an_export_of_another_model_is_found(exported: Path) -> None:
    found = lie(api.verify(exported / "gguf-q4_0", reference="tiny"))
    assert (found.what, found.says) == ("parity.json", "is of another float model than the one that is here")


def test_a_failed_certificate_is_not_a_lie(exported: Path) -> None:
    path = exported / "gguf-q4_0" / "parity.json"
    rewrite(path, lambda row: (row["items"]["logits"].update(passed=False), row.update(passed=False)))
    assert not Certificate.read(path).passed
    by_name = {finding.what: finding for finding in api.verify(exported / "gguf-q4_0")}
    assert by_name["parity.json"].holds is None
    assert by_name["parity.json"].says == "says itself that the file failed its parity check (logits)"


def test_what_is_neither_a_run_nor_exported_is_refused(smoke: Finished, tmp_path: Path) -> None:
    for path, message in (
        (tmp_path, "is neither a run, nor a folder of one"),
        (tmp_path / "none", "does not exist; name a run"),
        (RunLayout(smoke.out).config, "is not a folder; name a run"),
    ):
        with pytest.raises(FddError, match=message):
            api.verify(path)
    with pytest.raises(FddError, match="leave out --reference"):
        api.verify(smoke.out, reference="tiny")


def test_a_strangers_run_cannot_lead_elsewhere(run: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["stages"]["../secret"] = {**content["stages"]["validation.jsonl"]}
        content["sha256"] = content_hash(content)

    rewrite(run / "manifest.json", change)
    found = lie(api.verify(run))
    assert (found.what, found.says) == ("../secret", "is not a path inside the run")
    (run / "data" / "link").symlink_to("/etc/passwd")
    with pytest.raises(FddError, match="is a link, and fdd-edge makes none there"):
        api.verify(run)


def test_files_are_compared_to_the_last_byte(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()

    def compare(made: bytes, here: bytes) -> str:
        (kept / "model").write_bytes(here)

        def make(out: Path) -> None:
            out.mkdir()
            (out / "model").write_bytes(made)

        return str(compare_remade(kept, make))

    long = bytes(3 << 20)
    assert compare(long, long) == "None"
    assert compare(long, long[:-1]) == f"model differs from byte {len(long) - 1:,} on"
    assert compare(long[:-1], long) == f"model differs from byte {len(long) - 1:,} on"
    assert compare(long + b"a", long + b"b") == f"model differs from byte {len(long):,} on"
    (kept / "model").unlink()
    assert package.Verification(kept, []).ok


def test_figures_that_an_earlier_version_did_not_count_are_not_missed(run: Path) -> None:
    path = run / "round-01" / "summary.json"
    row = json.loads(path.read_text())
    assert any(figures["cut"]["at_limit"] for figures in row["evaluations"]), "no reply of the smoke run was cut"
    first, *others = row["evaluations"]
    changed = {**first, "cut": {**first["cut"], "at_limit": first["cut"]["at_limit"] + 1}}
    for evaluations, ok in (
        ([changed, *others], False),
        ([without(first, "cut"), *others], False),
        ([without(one, "cut") for one in row["evaluations"]], True),
    ):
        path.write_text(json.dumps(row | {"evaluations": evaluations}))
        assert api.verify(run).ok is ok


def without(row: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != key}
