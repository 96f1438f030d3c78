"""In a run, a few prompts settle a certificate if the weights are proved and nothing is close to its bound."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs: pip install 'fdd-edge[train]'")

from test_parity_planted_faults import Good, failed, item, make_good, rewrite

from fdd_edge.artifacts.gguf import quantize_gguf
from fdd_edge.artifacts.gguf.reader import open_gguf, stored_tensors
from fdd_edge.artifacts.recipe import load_gguf_recipe, load_recipe
from fdd_edge.operations.certify import certify_file, packaged_prompts
from fdd_edge.operations.quantized_student import quantized_weights, round_weights
from fdd_edge.operations.run_certificates import certify_untuned
from fdd_edge.parity import Certificate, answer_waiting, few_suffice
from fdd_edge.parity.reference_replies import FEW_PROMPTS
from fdd_edge.records import Problem, write_jsonl
from fdd_edge.resolve.prompts import file_prompt
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.runs.fingerprint import Json
from fdd_edge.students.float_model import Reference
from fdd_edge.targets import TargetRuntime, load_profile

RUNTIME = TargetRuntime(load_profile("local"), "gguf")


@pytest.fixture(scope="module")
def on_grid(tiny_student: Student, tmp_path_factory: pytest.TempPathFactory) -> Good:
    """A student whose weights are on the grid of Q4_0, as after quantization-aware training, and its Q4_0 file."""
    folder = tmp_path_factory.mktemp("grid")
    shutil.copytree(tiny_student.folder, folder / "student")
    recipe = load_gguf_recipe("gguf-q4_0", "r")
    with quantized_weights(open_student(str(folder / "student")), recipe, folder / "work") as quantized:
        round_weights(folder / "student", quantized, most=recipe.parity.tensors)
    good = make_good(open_student(str(folder / "student")), file_prompt("plain"), folder / "float")
    quantize_gguf(good.file, folder / "q4_0.gguf", "q4_0", recipe="gguf-q4_0")
    return good._replace(file=folder / "q4_0.gguf")


def write(path: Path, problems: Sequence[Problem]) -> None:
    write_jsonl(path, (problem.to_row() for problem in problems))


def of_a_run(good: Good, file: Path, recipe: str) -> Certificate:
    assert good.few is not None
    certify = partial(certify_file, file, good.student.folder, good.few, load_recipe(recipe), runtime=RUNTIME)
    return certify(answer_all=lambda: good.reference, threads=1)


def test_few_prompts_are_answered_and_all_are_encoded(on_grid: Good) -> None:
    assert on_grid.few is not None
    replies = on_grid.few.replies
    assert len(on_grid.few.answered) == FEW_PROMPTS == sum(bool(reply.ids) for reply in replies)
    assert sum(reply.waits for reply in replies) == 64 - FEW_PROMPTS
    assert all(reply.prompt_ids for reply in replies) and len(replies) == len(packaged_prompts())
    everything = answer_waiting(on_grid.few, on_grid.student.folder, threads=1)
    assert [reply.ids for reply in everything.answered] == [reply.ids for reply in on_grid.reference.answered]


def test_a_proved_file_is_settled_by_few(on_grid: Good) -> None:
    certificate = of_a_run(on_grid, on_grid.file, "gguf-q4_0")
    assert failed(certificate) == []
    assert certificate.prompts["answered"] == FEW_PROMPTS
    assert certificate.prompts["encoded"] == len(packaged_prompts())
    assert item(certificate, "tensors").figures["exact"] is True
    assert "bit for bit" in item(certificate, "tensors").summary
    assert item(certificate, "own_weights").figures["n"]


def test_a_wrong_graph_over_the_references_own_weights_fails(on_grid: Good, tmp_path: Path) -> None:
    """The float model need not compute again what it has computed; that must not compare the file with itself."""
    planted = rewrite(on_grid.file, tmp_path / "planted.gguf", keys={"llama.rope.freq_base": 500.0})
    certificate = of_a_run(on_grid, planted, "gguf-q4_0")
    assert "own_weights" in failed(certificate)
    assert "tensors" not in failed(certificate)
    assert certificate.prompts["answered"] == 64


def test_a_block_that_was_overwritten_is_within_the_bound_and_not_proved(on_grid: Good, tmp_path: Path) -> None:
    def one_block(name: str, data: np.ndarray) -> np.ndarray:
        if name == "blk.0.ffn_up.weight":
            data = data.copy()
            data[0, 2:10] ^= 0x11  # behind the scale of the first block
        return data

    certificate = of_a_run(on_grid, rewrite(on_grid.file, tmp_path / "planted.gguf", edit=one_block), "gguf-q4_0")
    assert item(certificate, "tensors").passed
    assert certificate.prompts["answered"] == 64, "unproved weights are judged by all prompts"


@pytest.mark.parametrize("kind", ["f16", "q8_0", "q4_0", "q4_k_m", "iq4_nl"])
def test_llama_cpps_rounding_is_recognised_to_the_bit(on_grid: Good, tmp_path: Path, kind: str) -> None:
    source, out = on_grid.file.with_name("float") / "model.gguf", tmp_path / "q.gguf"
    quantize_gguf(source, out, kind, recipe="x")
    weights = {name: tensor.load() for name, tensor in stored_tensors(source).items()}
    stored = stored_tensors(out)
    assert {name for name, tensor in stored.items() if tensor.rounds(weights[name])} == weights.keys()
    planted = rewrite(out, tmp_path / "planted.gguf", edit=lambda name, data: _flip(data) if "ffn_up" in name else data)
    wrong = {name for name, tensor in stored_tensors(planted).items() if not tensor.rounds(weights[name])}
    assert wrong == {name for name in weights if "ffn_up" in name}


def _flip(data: np.ndarray) -> np.ndarray:
    raw = data.copy().view(np.uint8)
    raw.reshape(-1)[-1] ^= 1
    return raw.view(data.dtype)


def test_what_is_close_to_its_bound_is_not_settled(on_grid: Good) -> None:
    bounds = load_recipe("gguf-q4_0").parity
    items = of_a_run(on_grid, on_grid.file, "gguf-q4_0").items
    assert few_suffice(items, bounds, stops_rarely=False)

    def but(name: str, *, stops_rarely: bool = False, **figures: Json) -> bool:
        changed = [replace(i, figures={**i.figures, **figures}) if i.name == name else i for i in items]
        return few_suffice(changed, bounds, stops_rarely=stops_rarely)

    assert not but("tensors", exact=False)
    assert not but("greedy_tokens", agree=73, n=100), "73 % is above 70 %, but its interval is not"
    assert but("greedy_tokens", agree=90, n=100)
    assert not but("stops", stopped=12, n=16)
    assert but("stops", stopped=16, n=16)
    assert not but("stops", stopped=0, n=3), "replies that are cut early hide how they end"
    assert but("stops", stopped=0, n=3, stops_rarely=True), "all prompts would hardly have enough stops to judge"
    assert not but("logits", relative_error={"max": 1.2})
    assert not few_suffice([replace(items[0], passed=False), *items[1:]], bounds, stops_rarely=False)
    assert few_suffice(items, replace(bounds, answers=0.95), stops_rarely=False) == (
        item(of_a_run(on_grid, on_grid.file, "gguf-q4_0"), "answers").figures["same_text"] == FEW_PROMPTS
    )


def test_replies_that_end_leave_the_batch(tiny_student: Student) -> None:
    """Each reply is what it would be alone, whoever ends before it."""
    model = Reference(tiny_student.folder, threads=1)
    prompts = [[5, 6, 7], [9], [11, 12, 13, 14, 15], [20, 21]]
    ends = {token for prompt in prompts for token in _write(model, [prompt], set())[0][3:4]}
    together = _write(model, prompts, ends)
    assert together == [_write(model, [prompt], ends)[0] for prompt in prompts]
    assert len({len(ids) for ids in together}) > 1


def _write(model: Reference, prompts: list[list[int]], ends: set[int]) -> list[tuple[int, ...]]:
    return [reply.ids for reply in model.generate(prompts, max_new_tokens=12, eos_ids=ends, keep=())]


def test_an_untuned_student_is_compared_once_for_all_runs(
    on_grid: Good, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path / "cache"))
    problems, artifact = tmp_path / "problems.jsonl", tmp_path / "artifact"
    artifact.mkdir()
    shutil.copy(on_grid.file, artifact / "model.gguf")
    recipe = load_recipe("gguf-q4_0")

    def certify(out: str, seed: int = 0, bound: float = 0.7) -> str:
        certify_untuned(
            tmp_path / out,
            artifact=artifact,
            problems=[problems],
            student=on_grid.student,
            recipe=recipe,
            bounds=replace(recipe.parity, greedy=bound),
            runtime=RUNTIME,
            threads=1,
            template=on_grid.template,
            seed=seed,
            packaged=packaged_prompts(),
        )
        return capsys.readouterr().err

    write(problems, packaged_prompts()[:20])
    taken = "passed in an earlier run here"
    assert taken not in certify("first.json")
    assert taken in certify("second.json")
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "second.json").read_bytes()
    assert taken not in certify("other-bound.json", bound=0.6)
    write(problems, packaged_prompts()[:21])
    assert taken not in certify("other-prompts.json")
    with (artifact / "model.gguf").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    assert taken not in certify("other-file.json")
    assert open_gguf(artifact / "model.gguf").tensors
