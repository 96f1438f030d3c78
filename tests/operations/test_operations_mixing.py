"""What is trained on is drawn to shares: of groups by operations or of sets, and by the weights of sets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import fdd_edge

from fdd_edge.errors import FddError
from fdd_edge.operations.fine_tune import fine_tune
from fdd_edge.operations.mixing import choose_mixture, group_of, tokens_by
from fdd_edge.operations.problem_sets import read_problem_sets
from fdd_edge.operations.train import TrainingSetup
from fdd_edge.operations.training_record import read_training
from fdd_edge.records import Problem, read_problems
from fdd_edge.resolve.dataset import DatasetOptions
from fdd_edge.resolve.student import Student
from fdd_edge.runs.fingerprint import plain
from fdd_edge.students.training_options import LoraOptions, MixOptions, TrainingOptions

BY_OPERATIONS = MixOptions("operations", {1: 0.5, "2+": 0.5})
SETUP = TrainingSetup(LoraOptions(r=2), TrainingOptions(threads=1), "float32", seed=0)


def problem(n: int, operations: int, source: str = "own") -> Problem:
    program = " + ".join(["answer = 1", *["1"] * operations])
    return Problem(f"p{n}", f"Question {n}?", 1 + operations, source, program=program, n_ops=operations)


PROBLEMS = [problem(n, 1 if n < 4 else 3, "a" if n < 8 else "b") for n in range(16)]


def chosen(mix: MixOptions | None, weights: dict[str, float], problems: Sequence[Problem] = PROBLEMS) -> Any:
    return choose_mixture(problems, [10] * len(problems), mix, weights, "seed")


def test_without_shares_and_weights_every_example_comes_once() -> None:
    assert chosen(None, {}) is None


def test_a_problem_is_in_the_group_of_its_operations() -> None:
    mix = MixOptions("operations", {1: 0.2, 2: 0.3, "3+": 0.5})
    groups = [group_of(problem(0, n), mix) for n in (0, 1, 2, 3, 9)]
    assert groups == ["1", "1", "2", "3+", "3+"]
    assert group_of(replace(problem(0, 2), n_ops=None), mix) == "2"
    assert group_of(problem(0, 2, "a"), None) == group_of(problem(0, 2, "a"), MixOptions("source", {"a": 1})) == "a"


@pytest.mark.parametrize(
    ("mix", "weights", "expected"),
    [
        (BY_OPERATIONS, {}, {"1": 80, "2+": 80}),
        (MixOptions("source", {"a": 0.25, "b": 0.75}), {}, {"a": 40, "b": 120}),
        (None, {"a": 1.0, "b": 3.0}, {"a": 40, "b": 120}),
        (BY_OPERATIONS, {"a": 1.0, "b": 3.0}, {"1": 80, "2+": 80}),
    ],
)
def test_an_epoch_is_drawn_to_shares(
    mix: MixOptions | None, weights: dict[str, float], expected: dict[str, float], caplog: pytest.LogCaptureFixture
) -> None:
    assert chosen(mix, weights).tokens([10] * 16) == pytest.approx(expected)
    assert caplog.messages == []


def test_a_share_that_is_missed_is_announced(caplog: pytest.LogCaptureFixture) -> None:
    chosen(MixOptions("operations", {1: 0.8, "2+": 0.2}), {}, PROBLEMS[3:])
    (message,) = caplog.messages
    assert message == (
        "training.mix: 1 gets 30.8% of the tokens instead of 80.0%, because an example is repeated at most 4 times in "
        "an epoch"
    )
    caplog.clear()
    chosen(None, {"a": 50.0, "b": 1.0}, PROBLEMS[7:])
    assert caplog.messages[0].startswith("data.train: a gets 44.4% of the tokens instead of 86.2%, because")
    caplog.clear()
    chosen(BY_OPERATIONS, {}, PROBLEMS[:4])
    assert "2+ gets 0.0% of the tokens instead of 50.0%" in caplog.messages[0]


def test_a_source_without_a_share_is_one_sentence() -> None:
    with pytest.raises(FddError, match=r"no share for 8 problems whose `source` is 'b'; it has shares for a\."):
        chosen(MixOptions("source", {"a": 1.0}), {})


def test_shares_that_leave_nothing_are_one_sentence() -> None:
    with pytest.raises(FddError, match=r"training\.mix leaves nothing to train on"):
        chosen(MixOptions("operations", {1: 0, "2+": 1}), {}, PROBLEMS[:4])


def test_nothing_that_was_trained_before_there_were_shares_is_outdated() -> None:
    """The adapters of a run without shares and weights depend on what they depended on; trackers change nothing."""
    found = plain(SETUP)
    assert isinstance(found, dict)
    assert list(found) == ["lora", "training", "dtype", "seed", "qat_recipe"]
    assert set(found["training"]) == {f.name for f in fields(TrainingOptions)} - {"mix", "report_to"}
    assert found == plain(replace(SETUP, round_number=1))
    assert found == plain(replace(SETUP, training=replace(SETUP.training, report_to=("tensorboard",))))
    mixing = replace(SETUP, training=replace(SETUP.training, mix=BY_OPERATIONS))
    weighted = replace(SETUP, weights={"a": 2.0, "b": 1.0})
    prints = [json.dumps(plain(s)) for s in (SETUP, mixing, weighted, replace(weighted, round_number=1))]
    assert len(set(prints)) == 4
    spec = DatasetOptions("a.jsonl")
    assert plain(spec) == plain(replace(spec, weight=2.0))


def test_the_record_of_a_training_has_the_tokens_by_group(tiny_student: Student, tmp_path: Path) -> None:
    problems = [replace(p, question=f"Ann has {n} pens. How many?") for n, p in enumerate(PROBLEMS)]
    fine_tune(problems, tmp_path / "plain", tiny_student, "plain", SETUP)
    before = read_training(tmp_path / "plain/adapter")
    assert before.group_tokens is None
    assert before.operation_tokens is not None
    assert sum(before.operation_tokens.values()) == before.tokens
    options = replace(SETUP.training, mix=BY_OPERATIONS, num_train_epochs=2.0)
    fine_tune(problems, tmp_path / "mixed", tiny_student, "plain", replace(SETUP, training=options))
    after = read_training(tmp_path / "mixed/adapter")
    assert after.group_tokens is not None
    assert sum(after.group_tokens.values()) == after.tokens == pytest.approx(2 * before.tokens, rel=0.1)
    assert after.group_tokens["1"] / after.tokens == pytest.approx(0.5, abs=0.05)
    assert list(after.operation_tokens or {}) == ["1", "3+"]


def test_max_tokens_is_the_total_with_shares_too(tiny_student: Student, tmp_path: Path) -> None:
    problems = [replace(p, question=f"Ann has {n} pens. How many?") for n, p in enumerate(PROBLEMS)]
    options = replace(SETUP.training, mix=BY_OPERATIONS, max_tokens=1000, per_device_train_batch_size=1)
    fine_tune(problems, tmp_path / "mixed", tiny_student, "plain", replace(SETUP, training=options))
    assert read_training(tmp_path / "mixed/adapter").tokens == pytest.approx(1000, rel=0.05)


def test_tokens_are_counted_as_often_as_they_were_trained_on() -> None:
    assert tokens_by(["b", "a", "b"], [10, 20, 30], [1, 2, 0]) == {"a": 40, "b": 10}


def test_the_problems_of_a_set_have_its_name_as_source_only_if_that_matters(tmp_path: Path) -> None:
    """Two symbolic sets cannot be told apart by `source`, nor can a row that names another one."""
    rows = [{"question": f"Ann has {n} and {n * n} red pens?", "answer": n, "source": "web"} for n in range(30)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    train = [
        DatasetOptions(str(tmp_path / "mine.jsonl")),
        DatasetOptions("symbolic:train", name="long", limit=30),
        DatasetOptions("symbolic:train", name="short", limit=30, max_operations=1),
    ]
    files = {"train": {"mine": [tmp_path / "mine.jsonl"], "long": [], "short": []}, "valid": {}, "eval": {}}
    for name, more, expected in (
        ("as-is", {}, {"web", "symbolic"}),
        ("named", {"name_sources": True}, {"mine", "long", "short"}),
    ):
        read_problem_sets(tmp_path / name, files=files, train=train, valid=[], eval=[], seed=0, **more)
        assert {p.source for p in read_problems(tmp_path / name / "seed.jsonl")} == expected


@pytest.mark.slow
def test_every_round_of_a_run_has_the_shares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the one that trains on the longer problems that feedback wrote, by set and by operations."""
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load((Path(__file__).parents[1] / "loop/small.yaml").read_text(encoding="utf-8"))
    config["data"]["train"].append({"name": "one-step", "path": "symbolic:train", "limit": 40, "max_operations": 1})
    first = config["data"]["train"][0].setdefault("name", "first")
    for name, mix, shares in (
        ("operations", {"by": "operations", "shares": {1: 0.5, "2+": 0.5}}, {"1": 0.5, "2+": 0.5}),
        ("source", {"by": "source", "shares": {first: 0.7, "one-step": 0.3}}, {first: 0.7, "one-step": 0.3}),
    ):
        config["training"] = config.get("training", {}) | {"mix": mix}
        Path(f"{name}.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        ran = fdd_edge("run", f"{name}.yaml", "-o", name, "--no-parity")
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.count("\nmix  ") == ran.stdout.count("\noperations  ") == 2
        for number in (0, 1):
            summary = json.loads(Path(f"{name}/round-0{number}/summary.json").read_text(encoding="utf-8"))
            total = sum(summary["mixed"].values())
            assert {g: n / total for g, n in summary["mixed"].items()} == pytest.approx(shares, abs=0.03)
            assert sum(summary["operations"]["tokens"].values()) == total
            assert {"pool", "valid"} <= {one["dataset"] for one in summary["operations"]["answered"]}
        again = fdd_edge("run", f"{name}.yaml", "-o", name, "--no-parity")
        assert again.returncode == 0, again.stderr
        assert "training on" not in again.stderr
