"""What a round's figures say: above all, whether the next round would be the same again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fdd_edge.cli.round_table import _memorised
from fdd_edge.config_file import parse_config
from fdd_edge.evaluation import Summary, wilson
from fdd_edge.feedback import LABELS, Label, LabelledProblem, Split
from fdd_edge.pipeline import round_summary
from fdd_edge.pipeline.round_summary import _labelled, _would_repeat
from fdd_edge.records import Problem

TRAINED = [Problem(name, f"question {name}?", 1, "test", program="answer = 1") for name in ("a", "b", "c")]
NEW = Problem("a.r0c0", "question new?", 1, "test", origin="complex", parent_id="a", depth=1, round=1)


def split(**labels: str) -> Split:
    """Label problems by name: ``a="easy"``."""
    found: Split = {label: [] for label in LABELS}
    for problem in TRAINED:
        label: Label = labels.get(problem.id, "hard")  # type: ignore[assignment]
        found[label].append(LabelledProblem(problem, 0.0, label))
    return found


def would_repeat(
    found: Split | None = None,
    *,
    number: int = 0,
    train: list[Problem] = TRAINED,
    written: tuple[Problem, ...] = (),
    reserve: object = None,
    **sections: Any,
) -> str | None:
    source = {
        "student": {"model_name_or_path": "tiny"},
        "data": {"train": [{"path": "symbolic:train"}]},
        "output_dir": "runs/x",
        "rounds": 3,
    }
    run: Any = SimpleNamespace(config=parse_config(source | sections, "test"), reserve=reserve)
    return _would_repeat(run, number, split() if found is None else found, train, bool(written))


def test_copies_of_a_problem_do_not_make_it_memorised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five problems 20 times over said "It has memorised training problems", and five alone did not."""
    valid = Summary(20, 8, 0.4, wilson(8, 20), 20, {})
    monkeypatch.setattr(round_summary, "read_evaluation", lambda folder: SimpleNamespace(summary=valid))

    def labelled(copies: int) -> Any:
        found: Split = {label: [] for label in LABELS}
        for i in range(5):
            problem = Problem(f"p{i}", f"Question {i}?", 1, "test")
            found["easy"] += [LabelledProblem(problem, float(i < 4), "easy")] * copies
        return _labelled(Path("valid"), found, fresh=False)

    once, often = labelled(1), labelled(20)
    assert (often.n, often.pass_rate) == (100, once.pass_rate)
    for name in ("ci95", "seed_ci95", "gap"):
        assert getattr(often, name) == pytest.approx(getattr(once, name))
    assert "memorised" not in _memorised(often)


def test_without_new_problems_the_next_round_would_be_the_same() -> None:
    """Round 1 once trained the very same problems again, unannounced, with the same loss."""
    assert would_repeat() == (
        "Round 1 would repeat round 0: there are no new problems, so the run stops here. Add training data, or raise "
        "feedback.per_easy, feedback.per_hard or feedback.max_depth."
    )
    assert str(would_repeat(number=1)).startswith("Round 2 would repeat round 1: ")


def test_if_nothing_was_learned_that_is_the_reason() -> None:
    assert would_repeat(split(a="format", b="format", c="format")) == (
        "Round 1 would repeat round 0: there are no new problems, so the run stops here. None of the 3 labelled "
        "problems got a runnable program: train longer (training.num_train_epochs), or start from a pretrained student."
    )
    assert "None of the" not in str(would_repeat(split(a="format", b="format", c="hard")))


def test_new_problems_make_another_round() -> None:
    """Also rejected ones: with the next seed, the teacher writes others."""
    assert would_repeat(written=(NEW,)) is None


def test_problems_that_were_not_labelled_make_another_round() -> None:
    """The next round labels some of them, and they may evolve."""
    assert would_repeat(train=[*TRAINED, replace(TRAINED[0], id="d")]) is None


def test_a_problem_that_is_lost_for_the_first_time_makes_another_round() -> None:
    """It is trained on twice from then on; one that is repeated already changes nothing."""
    assert would_repeat(split(a="lost")) is None
    repeated = [Problem("a", "question a?", 1, "test", program="answer = 1", repeat=2), *TRAINED[1:]]
    assert would_repeat(split(a="lost"), train=repeated) is not None
    assert would_repeat(split(a="lost", b="lost"), train=repeated) is None


def test_problems_in_reserve_make_another_round() -> None:
    """They join the data once they are labelled."""
    assert would_repeat(reserve="reserve.jsonl") is None


@pytest.mark.parametrize("sections", [{"training": {"start_from": "previous"}}, {"feedback": {"policy": "none"}}])
def test_a_round_that_continues_or_only_repeats_data_by_design_is_never_stopped(sections: dict[str, Any]) -> None:
    assert would_repeat(**sections) is None


def test_the_last_round_has_no_next_one() -> None:
    assert would_repeat(number=2) is None
    assert would_repeat(rounds=1) is None
