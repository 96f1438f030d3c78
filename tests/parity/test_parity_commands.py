"""The certificate where a user meets it: `export`, `parity`, `eval` and `run`."""

from __future__ import annotations

import json
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from commands import Ran, fdd_edge

from fdd_edge import api
from fdd_edge.artifacts.recipe import load_recipe
from fdd_edge.catalog import names
from fdd_edge.errors import FddError
from fdd_edge.operations.certify import CERTIFICATE_PROMPTS, packaged_prompts
from fdd_edge.parity import ITEMS
from fdd_edge.resolve.student import Student

IMPOSSIBLE = """name: impossible
family: gguf
type: q4_0
description: bounds that no 4-bit file keeps
parity: {tensors: 1.0e-9, logits_median: 1, logits_p99: 1, kl_mean: 9, greedy: 0, stops: 0, clear_lead: 0}
"""


@pytest.fixture
def impossible(tmp_path: Path) -> Path:
    path = tmp_path / "impossible.yaml"
    path.write_text(IMPOSSIBLE, encoding="utf-8")
    return path


def row_of(ran: Ran) -> dict[str, object]:
    row: dict[str, object] = json.loads(ran.stdout)
    return row


def test_there_are_64_packaged_prompts_with_traps_and_nine_to_encode() -> None:
    problems = packaged_prompts()
    assert len({p.question for p in problems}) == CERTIFICATE_PROMPTS + 9
    encoded = [p.question for p in problems[CERTIFICATE_PROMPTS:]]
    assert sum(unicodedata.normalize("NFC", question) != question for question in encoded) == 3
    scripts = {unicodedata.name(sign).partition(" ")[0] for question in encoded for sign in question if sign.isalpha()}
    assert scripts >= {"LATIN", "CYRILLIC", "GREEK", "ARABIC", "DEVANAGARI", "THAI", "CJK", "HANGUL"}
    assert max(len(question.split()) for question in encoded) > 500
    text = "\n".join(p.question for p in problems)
    for trap in ("  9", "1234567", "1,250", "12.5", "35%", "$19.99", "é", "雪", "\n\n", "\t", "–", '"'):
        assert trap in text


@pytest.mark.parametrize("name", names("export/recipes"))
def test_every_recipe_states_bounds(name: str) -> None:
    bounds = load_recipe(name).parity
    exact = name in ("gguf-f32", "gguf-f16", "onnx-fp32")
    assert (bounds.stops == 1) == exact
    assert (bounds.greedy == 1) == exact
    # An unrelated tensor is at 1.4; a bound near that would find nothing.
    assert max(bounds.tensors, bounds.logits_median) < 0.8


def test_a_recipe_without_bounds_names_the_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nfamily: gguf\ntype: q4_0\ndescription: x\n", encoding="utf-8")
    with pytest.raises(FddError, match="parity: missing"):
        load_recipe(str(path))
    path.write_text(path.read_text(encoding="utf-8") + "parity: {tensor: 1}\n", encoding="utf-8")
    with pytest.raises(FddError, match=r"parity\.tensor: unknown key\. Did you mean 'tensors'\?"):
        load_recipe(str(path))


@pytest.fixture(scope="module")
def exported(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One good artifact, exported from the command line."""
    out = tmp_path_factory.mktemp("exported") / "out"
    ran = fdd_edge("export", tiny_student.folder, "-r", "gguf-q8_0", "-o", out)
    assert ran.returncode == 0, ran.stderr
    name = tiny_student.folder.name
    assert f"gguf-q8_0: compared with {name} on 64 prompts, all {len(ITEMS)} items passed" in ran.stdout
    return out / "gguf-q8_0"


def test_an_export_ends_with_the_certificate(exported: Path) -> None:
    certificate = json.loads((exported / "parity.json").read_text(encoding="utf-8"))
    assert certificate["passed"]
    assert certificate["prompts"]["answered"] == 64
    assert certificate["items"]["greedy_tokens"]["n"] > 500
    assert certificate["items"]["answers"]["flips"].keys() >= {"right_to_wrong", "wrong_to_right"}


def test_a_failed_artifact_is_left_out_and_named(tiny_student: Student, impossible: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = fdd_edge("export", tiny_student.folder, "-r", impossible, "-r", "gguf-f16", "-o", out, "--json")
    assert ran.returncode == 4
    assert f"impossible failed its parity check and is left out of {out}:" in ran.stderr
    assert "\n  impossible: tensors: " in ran.stderr
    assert "first: tensor " in ran.stderr
    assert sorted(p.name for p in out.iterdir()) == ["gguf-f16", "impossible.parity.json"]
    assert not json.loads((out / "impossible.parity.json").read_text(encoding="utf-8"))["passed"]
    assert [c["passed"] for c in json.loads(ran.stdout)["certificates"]] == [False, True]
    assert [card["recipe"] for card in json.loads(ran.stdout)["artifacts"]] == ["gguf-f16"]  # was lost once
    impossible.write_text(IMPOSSIBLE.replace("1.0e-9", "1").replace("kl_mean: 9", "kl_mean: 99"), encoding="utf-8")
    again = fdd_edge("export", tiny_student.folder, "-r", impossible, "-o", out)
    assert again.returncode == 0, again.stderr
    assert sorted(p.name for p in out.iterdir()) == ["gguf-f16", "impossible"]  # no stale certificate of a failure


def test_parity_alone_gives_the_same_and_never_overwrites(
    exported: Path, tiny_student: Student, impossible: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"question": "Ann has 3 pens.  7 are added. How many?", "answer": 10}) + "\n")
    out = tmp_path / "parity.json"
    settings = ["--prompts", own, "-o", out, "--json", "--threads", 1]
    ran = fdd_edge("parity", exported, "--reference", tiny_student.folder, *settings)
    assert ran.returncode == 0, ran.stderr
    assert row_of(ran) == json.loads(out.read_text(encoding="utf-8"))
    assert row_of(ran)["target"]["threads"] == 1  # type: ignore[index]
    assert row_of(ran)["prompts"]["answered"] == 64  # type: ignore[index]
    assert row_of(ran)["prompts"]["encoded"] == len(packaged_prompts()) + 1  # type: ignore[index]
    again = fdd_edge("parity", exported, "--reference", tiny_student.folder, "-o", out)
    assert again.returncode == 2
    assert "already exists" in again.stderr
    failed = fdd_edge("parity", exported, "--reference", tiny_student.folder, "--recipe", impossible)
    assert failed.returncode == 4
    assert "FAILED tensors" in failed.stdout
    assert "does not match its reference model:\n  tensors:" in failed.stderr


def test_threads_are_for_everything_that_export_computes(
    tiny_student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were once those of the certificate alone, and quantizing took every core."""
    import llama_cpp
    import torch

    quantized_with, before = [], torch.get_num_threads()
    real = llama_cpp.llama_model_quantize

    def quantize(source: bytes, out: bytes, params: Any) -> int:
        if out:  # otherwise only the size is predicted
            quantized_with.append(params._obj.nthread)
        return int(real(source, out, params))

    monkeypatch.setattr(llama_cpp, "llama_model_quantize", quantize)
    try:
        api.export(tiny_student.folder, ["gguf-q4_0", "gguf-q4_0-imatrix"], tmp_path / "out", parity=False, threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert quantized_with == [1, 1]


def test_a_revision_reaches_the_reference(exported: Path, tiny_student: Student) -> None:
    ran = fdd_edge("parity", exported, "--reference", tiny_student.folder, "--revision", "v1")
    assert ran.returncode == 2
    assert "applies to hub ids only" in ran.stderr


def test_a_file_without_a_recipe_needs_one_named(tiny_gguf: Path, tiny_student: Student) -> None:
    ran = fdd_edge("parity", tiny_gguf, "--reference", tiny_student.folder)
    assert ran.returncode == 2
    assert "does not name its recipe. Name the recipe whose bounds apply, such as gguf-q8_0" in ran.stderr


@pytest.mark.parametrize(("state", "word"), [("beside", "passed"), ("alone", "none"), ("failed", "failed")])
def test_eval_says_what_the_certificate_of_this_very_file_says(
    exported: Path, tmp_path: Path, state: str, word: str
) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "artifact"))
    content = json.loads((folder / "parity.json").read_text(encoding="utf-8"))
    if state == "alone":
        content["artifact"]["sha256"] = "another file's"
    elif state == "failed":
        content["items"]["stops"]["passed"] = False
    (folder / "parity.json").write_text(json.dumps(content), encoding="utf-8")
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps({"question": "Tom has 3 figs and gets 4. How many?", "answer": 7}) + "\n")
    ran = fdd_edge("eval", folder, "--data", data, "--max-new-tokens", 8, "--json")
    assert ran.returncode == 0, ran.stderr
    assert row_of(ran)["parity"] == word


SMALL = [
    *("--rounds", 1, "--json", "--set", "feedback.limit=8", "--set", "training.num_train_epochs=0.2"),
    *("--set", "data.eval=[]"),
]


@pytest.mark.slow
def test_a_run_leaves_a_failed_artifact_out_and_goes_on(
    tiny_student: Student, impossible: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    recipes = f"export.recipes=[gguf-q8_0, {impossible}]"
    for again in (False, True):
        ran = fdd_edge("run", "smoke", "-o", out, "--set", recipes, *SMALL)
        assert ran.returncode == 4, ran.stderr
        assert "impossible failed its parity check and is left out of the evaluations of round-00" in ran.stderr
        assert ("parity of impossible" in ran.stderr) != again
    assert (out / "round-00" / "evolved" / "problems.jsonl").is_file()
    assert (out / "round-00" / "eval" / "local" / "gguf-q8_0" / "valid").is_dir()
    assert not (out / "round-00" / "eval" / "local" / "impossible").exists()
    parity = json.loads((out / "round-00" / "summary.json").read_text(encoding="utf-8"))["parity"]
    assert parity["gguf-q8_0"] == []
    assert parity["impossible"][0].startswith("tensors: ")
    assert json.loads((out / "manifest.json").read_text(encoding="utf-8"))["facts"]["parity"] == {"round-00": "made"}


@pytest.mark.slow
def test_a_failed_judge_stops_the_run_at_once_unless_no_parity_is_said(
    tiny_student: Student, impossible: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    settings = ["--set", f"export.recipes=[{impossible}]", "--set", f"feedback.artifact={impossible}"]
    for _ in range(2):
        ran = fdd_edge("run", "smoke", "-o", out, *settings, *SMALL)
        assert ran.returncode == 4, ran.stderr
        assert "failed its parity check, so it cannot judge round-00:" in ran.stderr
        assert not (out / "round-00" / "eval").exists()
    ran = fdd_edge("run", "smoke", "-o", out, *settings, *SMALL, "--no-parity")
    assert ran.returncode == 0, ran.stderr
    assert row_of(ran)["parity"] == {}
    facts = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["facts"]
    assert facts["parity"] == {"round-00": "skipped"}


@pytest.mark.slow
def test_a_run_begun_without_certificates_gets_them_when_it_goes_on(tiny_student: Student, tmp_path: Path) -> None:
    """Also for the untuned student; and nothing is evaluated again for that."""
    out = tmp_path / "run"
    settings = ["--set", "export.recipes=[gguf-q8_0]", "--set", "baseline.shots=1", *SMALL]
    settings.remove("--json")
    without = fdd_edge("run", "smoke", "-o", out, *settings, "--no-parity")
    assert without.returncode == 0, without.stderr
    assert "not checked (--no-parity)" in without.stdout
    assert not list(out.rglob("parity"))
    ran = fdd_edge("run", "smoke", "-o", out, *settings)
    assert ran.returncode == 0, ran.stderr
    assert "gguf-f32, gguf-q8_0 passed" in ran.stdout
    assert "parity       untuned gguf-q8_0 passed" in ran.stdout
    assert "training" not in ran.stderr
    assert "on local" not in ran.stderr
    for place in ("untuned", "round-00"):
        assert json.loads((out / place / "parity" / "gguf-q8_0.json").read_text(encoding="utf-8"))["passed"]
    report = fdd_edge("eval", out, "--data", "symbolic:train", "--limit", 1, "--json")
    assert row_of(report)["parity"] == "passed"
