"""Results: one kind of object for every function, with JSON as the command prints it, pandas, and HTML in notebooks."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

import fdd_edge
from fdd_edge import api
from fdd_edge.cli import cli
from fdd_edge.curation import ReportRow
from fdd_edge.errors import FddError
from fdd_edge.feedback import Side
from fdd_edge.operations.bench import MeasuredDevice
from fdd_edge.operations.figures import EvaluationFigures
from fdd_edge.parity import Item
from fdd_edge.parity_bounds import Bounds
from fdd_edge.pipeline.round_summary import LabelledFigures, RoundSummary, write_summary
from fdd_edge.runs import RunLayout

OLD_RUN = Path(__file__).parent / "pipeline" / "old_run"

MEASUREMENT = fdd_edge.Measurement(
    recipe="gguf-q8_0",
    target="local",
    transport="local",
    bytes=400_000,
    load_seconds=0.5,
    first_token_seconds=0.01,
    prompt_tokens_per_second=900.0,
    decode_tokens_per_second=120.0,
    batch_tokens_per_second=None,
    batch_size=16,
    threads=1,
    peak_rss_bytes=62_000_000,
    temperature_c=None,
    clock_mhz=None,
    throttled=None,
    joules_per_token=None,
    device=MeasuredDevice(
        board=None,
        cpu="a CPU",
        cpu_features=["avx2"],
        emulated=False,
        machine="x86_64",
        runtime="llama.cpp",
        runtime_version="0.3",
        system_info="AVX2 = 1",
        python="3.11",
    ),
    broken_budgets=[],
)

CERTIFICATE = fdd_edge.Certificate(
    artifact={"sha256": "0" * 64, "bytes": 400_000, "recipe": "gguf-q8_0"},
    reference={"name": "tiny", "sha256": "1" * 64},
    target={"name": "local", "cpu": "a CPU"},
    prompts={"answered": 64},
    bounds=Bounds(**dict.fromkeys((field.name for field in dataclasses.fields(Bounds)), 1.0)),
    items=(Item("bos", True, "both <s>"), Item("logits", False, "differ by 3.0")),
)

CARD = {"path": "out/gguf-q8_0/model.gguf", "recipe": "gguf-q8_0", "bytes": 9, "bits_per_weight": 8.5, "types": {}}
ARTIFACT = fdd_edge.ExportedArtifact.of(CARD)
CHECKS = [fdd_edge.Check("python", "3.11"), fdd_edge.Check("disk", "1 GB free", "free some space")]

SUMMARY = RoundSummary(
    round=0,
    rounds=2,
    data={"seed": 120},
    too_long=0,
    reserve=0,
    rejected={"too_similar": 1},
    loss=(0.7, 0.45),
    valid_loss=None,
    split={"easy": 11, "hard": 8, "borderline": 0, "format": 20, "lost": 1},
    labelled=LabelledFigures(
        40, 0.275, (0.16, 0.43), 40, 0.275, (0.16, 0.43), 0.0, (0.0, 0.19), (-0.05, 0.4), fresh=False
    ),
    evolved={"complex": 11, "similar": 8},
    accepted={"complex": 11, "similar": 8},
    curation=[ReportRow("complex", "further step", None, 3, {"leaks": 2})],
    without={"easy": Side(11, 0, {}), "hard": Side(9, 1, {"not_written": 1})},
    gates=[],
    held_back=[],
    parity={"gguf-q8_0": []},
    evaluations=[
        EvaluationFigures(
            target="local",
            recipe="gguf-q8_0",
            dataset="valid",
            n=16,
            distinct=16,
            correct=4,
            ci95=(0.1, 0.5),
            no_answer=2,
            problems_per_second=48.0,
            emulated=False,
            bytes=400_000,
            peak_rss_bytes=None,
        )
    ],
    measured=[MEASUREMENT],
    untuned=[],
    num_fewshot=0,
    would_repeat=None,
)


CACHED = fdd_edge.CachedKind("runners", "packed runners", 5_000_000, 3, True, "packed again in a moment")


@pytest.fixture
def run(tmp_path: Path) -> fdd_edge.RunResult:
    """A run with one finished round, as far as its figures go."""
    layout = RunLayout(tmp_path / "run")
    layout.round(0).root.mkdir(parents=True)
    layout.config.write_text("rounds: 1\n")
    write_summary(SUMMARY, layout.round(0).summary)
    layout.best.symlink_to(layout.round(0).root.name)
    return fdd_edge.load_run(layout.root)


def results(run: fdd_edge.RunResult) -> dict[str, fdd_edge.Result]:
    folder = Path("out")
    return {
        "run": run,
        "round": run.rounds[0],
        "measurement": MEASUREMENT,
        "certificate": CERTIFICATE,
        "artifact": ARTIFACT,
        "export": fdd_edge.ExportResult([ARTIFACT], [CERTIFICATE]),
        "train": fdd_edge.TrainResult(folder / "adapter", folder / "merged"),
        "split": fdd_edge.SplitResult(folder, {"easy": 2}),
        "evolve": fdd_edge.EvolveResult(folder, {"complex": 2}, {"similar": {"not_written": 1}}),
        "check": CHECKS[1],
        "doctor": fdd_edge.DoctorResult(CHECKS),
        "ls": fdd_edge.ls(),
        "cache": fdd_edge.CacheInfo(folder, [CACHED]),
        "cached": CACHED,
    }


def subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


def test_every_function_returns_a_result() -> None:
    for name in api.__all__:
        returned = str(inspect.signature(getattr(api, name)).return_annotation)
        kind = getattr(fdd_edge, returned)
        assert issubclass(kind, fdd_edge.Model if name == "load" else fdd_edge.Result), name


def test_every_result_is_frozen_and_named_in_the_package() -> None:
    for module in (
        "results",
        "run_result",
        "parity",
        "operations.bench",
        "operations.cached_files",
        "operations.listing",
        "targets.diagnostics",
    ):
        importlib.import_module(f"fdd_edge.{module}")
    kinds = [kind for kind in subclasses(fdd_edge.Result) if kind.__module__.startswith("fdd_edge.")]
    assert len(kinds) > 12
    for kind in kinds:
        assert getattr(fdd_edge, kind.__name__) is kind
        assert kind.__dataclass_params__.frozen


def test_every_result_is_short_json_and_a_table(run: fdd_edge.RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=list))
    for name, result in results(run).items():
        content = result.to_dict()
        assert json.loads(json.dumps(content)) == content, name
        assert len(repr(result)) < 250, name
        assert result._repr_html_().startswith("<table><tr><th>"), name
        rows = result.to_pandas()
        assert rows, name
        assert all(dict(row) for row in rows), name


def test_json_is_what_the_command_prints(tiny_gguf: Path) -> None:
    def printed(*arguments: str) -> Any:
        return json.loads(CliRunner().invoke(cli, [*arguments, "--json"]).stdout)

    assert fdd_edge.ls().to_dict() == printed("ls")
    question = "What is 2 + 3?"
    solution = fdd_edge.solve(tiny_gguf, question, max_new_tokens=4, threads=1)
    assert solution.to_dict() == printed("solve", str(tiny_gguf), question, "--max-new-tokens", "4", "--threads", "1")
    assert printed("doctor").keys() == fdd_edge.DoctorResult(CHECKS).to_dict().keys()
    assert printed("doctor")["checks"][0].keys() == CHECKS[0].to_dict().keys()


def test_parts_are_rows_of_a_table(run: fdd_edge.RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=list))
    (row,) = run.to_pandas()
    assert (row["round"], row["dataset"], row["correct"]) == (0, "valid", 4)
    assert [row["item"] for row in CERTIFICATE.to_pandas()] == ["bos", "logits"]
    assert [row["what"] for row in fdd_edge.DoctorResult(CHECKS).to_pandas()] == ["python", "disk"]
    assert ("teachers", "symbolic") in {(row["kind"], row["name"]) for row in fdd_edge.ls().to_pandas()}


def test_a_doctor_is_ok_if_nothing_has_to_be_fixed() -> None:
    assert fdd_edge.DoctorResult(CHECKS[:1]).ok
    found = fdd_edge.DoctorResult(CHECKS)
    assert not found.ok
    assert [check.ok for check in found] == [True, False]
    assert "to fix: free some space" in found._repr_html_()


def test_an_export_can_be_unpacked() -> None:
    (artifact,) = fdd_edge.ExportResult([ARTIFACT], [])
    assert artifact is ARTIFACT
    assert len(fdd_edge.ExportResult([], [])) == 0


def test_a_rounds_summary_has_attributes(run: fdd_edge.RunResult) -> None:
    assert run.best is not None
    finished = run.best
    assert finished.summary == SUMMARY
    assert finished.summary.loss == (0.7, 0.45)
    assert finished.summary.labelled.gap == (-0.05, 0.4)
    assert finished.summary.measured[0].decode_tokens_per_second == 120.0
    assert finished.accuracies == {("local", "gguf-q8_0", "valid"): 0.25}
    assert finished.to_dict() == json.loads(json.dumps(SUMMARY.to_row()))


def test_a_round_is_found_by_its_number(run: fdd_edge.RunResult) -> None:
    assert run.round(0) == run.rounds[0]
    with pytest.raises(FddError, match=r"run has no finished round 7; finished are 0\."):
        run.round(7)


def test_the_summary_of_another_version_says_so() -> None:
    """Its figures have other names; what is read from them without a type still works."""
    finished = fdd_edge.load_run(OLD_RUN).round(1)
    assert finished.accuracy == finished.figures["labelled"]["valid"]
    with pytest.raises(FddError, match="figures of round 1 were written by another version"):
        _ = finished.summary


@pytest.fixture
def recorded_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every run write one round's figures and nothing else."""
    from fdd_edge.pipeline import loop

    def record(config: Any, source: Any, *, on_round: Any, **options: Any) -> RunLayout:
        layout = RunLayout(config.output_path)
        layout.round(0).root.mkdir(parents=True)
        write_summary(SUMMARY, layout.round(0).summary)
        on_round(SUMMARY)
        return layout

    monkeypatch.setattr(loop, "run", record)


@pytest.mark.usefixtures("recorded_round")
def test_on_round_gets_the_rounds_of_the_run(tmp_path: Path) -> None:
    """It got another object than `rounds` holds, with other attributes."""
    seen: list[fdd_edge.RoundResult] = []
    made = fdd_edge.run("smoke", output=tmp_path / "run", on_round=seen.append)
    assert seen == made.rounds
    assert seen[0].summary.split["easy"] == 11


@pytest.mark.usefixtures("recorded_round")
def test_the_command_shows_a_round_as_it_is_stored(tmp_path: Path) -> None:
    shown = CliRunner().invoke(cli, ["run", "smoke", "-o", str(tmp_path / "a"), "--json"])
    assert json.loads(shown.stdout) == json.loads((tmp_path / "a" / "round-00" / "summary.json").read_text())
    assert "4/16" in CliRunner().invoke(cli, ["run", "smoke", "-o", str(tmp_path / "b")]).stdout


def test_a_result_that_lies_on_disk_is_a_path(run: fdd_edge.RunResult, tiny_gguf: Path) -> None:
    assert Path(run) == run.path
    assert os.fspath(run.round(0)) == str(run.round(0).path)
    assert fdd_edge.load_run(run) == run
    artifact = dataclasses.replace(ARTIFACT, path=tiny_gguf)
    problems = [{"question": "What is 2 + 3?", "answer": 5}]
    assert fdd_edge.evaluate(artifact, problems, max_new_tokens=2).artifact["path"] == str(tiny_gguf)
    with fdd_edge.load(artifact, max_new_tokens=2) as model:
        assert model.artifact == tiny_gguf


def test_a_run_is_resumed_by_its_result(tmp_path: Path) -> None:
    copied = Path(shutil.copytree(OLD_RUN, tmp_path / "run", symlinks=True))
    with pytest.raises(FddError, match="whose runs this version cannot resume"):
        fdd_edge.run(fdd_edge.load_run(copied))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fdd_edge.load(None), r"model is None\. If it is the best round of a run, no round has passed"),  # type: ignore[arg-type]
        (lambda: fdd_edge.bench(3), r"artifact must be a path, or a result that has one, not 3"),  # type: ignore[arg-type]
        (lambda: fdd_edge.doctor(3), r"target must be a path"),  # type: ignore[arg-type]
        (lambda: fdd_edge.export(fdd_edge.load_run(OLD_RUN).best, [None], "x"), r"recipes\[0\] is None"),  # type: ignore[arg-type,list-item]
    ],
)
def test_what_is_no_path_is_named(call: Any, message: str) -> None:
    with pytest.raises(FddError, match=message):
        call()


def test_a_free_text_is_answered_by_its_last_number(tiny_gguf: Path) -> None:
    question = "What is 2 + 3?"
    with fdd_edge.load(tiny_gguf, answer="number", max_new_tokens=4) as model:
        (held,) = model.solve_many([question])
    alone = fdd_edge.solve(tiny_gguf, question, answer="number", max_new_tokens=4)
    assert (held.program, alone.program) == (None, None)
    assert held.text == alone.text
    with pytest.raises(FddError, match=r"or 'last-number', not 'numbers'\. Did you mean 'number'"):
        fdd_edge.solve(tiny_gguf, question, answer="numbers")  # type: ignore[arg-type]
