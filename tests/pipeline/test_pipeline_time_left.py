"""How long a run says that it still takes: its plan, corrected by what finished stages took."""

from __future__ import annotations

import pytest

from fdd_edge.pipeline import time_left
from fdd_edge.pipeline.time_left import RunClock
from fdd_edge.progress import Estimate
from fdd_edge.runs.stage_words import describe_stage

ROUND = {"training": 120.0, "export": 10.0, "certificates": 60.0, "evaluation": 40.0, "teacher": 0.0}
UNTUNED = {"training": 0.0, "export": 5.0, "certificates": 30.0, "evaluation": 20.0}
OUTPUTS = (
    ("untuned/artifacts/gguf-q4_0", "export"),
    *(
        (f"round-0{n}/{path}", kind)
        for n in (0, 1)
        for path, kind in (
            ("adapter", "training"),
            ("merged", "export"),
            ("parity/gguf-q4_0.json", "certificates"),
            ("eval/local/gguf-q4_0/valid", "evaluation"),
        )
    ),
    ("untuned/parity/gguf-q4_0.json", "certificates"),
    ("untuned/eval/local/gguf-q4_0/valid", "evaluation"),
)
AFTER_ASKING = 2 * 230 + 50


class Clock:
    """A clock that goes on only when it is told to."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(time_left, "time", found)
    return found


def planned(name: str, kind: str) -> float:
    return (UNTUNED if name.startswith("untuned") else ROUND)[kind]


@pytest.mark.parametrize("slower", [1.0, 2.0, 6.0, 0.5])
def test_from_the_second_stage_on_it_is_right_within_a_third(clock: Clock, slower: float) -> None:
    """Also where everything takes so much longer than planned; the first file, which takes seconds, may mislead."""
    left = RunClock([ROUND, ROUND, UNTUNED], 2, {})
    real = {name: planned(name, kind) * slower for name, kind in OUTPUTS}
    for number, (name, _) in enumerate(OUTPUTS):
        with left.watch(name):
            if number >= 2:  # the first is the file that is asked before training, the second the training
                truth = sum(list(real.values())[number:])
                found = left.seconds_left()
                assert found is not None
                assert truth * 2 / 3 <= found <= truth * 4 / 3, (name, found, truth)
            clock.now += real[name]
    assert left.seconds_left() == pytest.approx(0.0, abs=1)


def test_the_bar_of_a_training_knows_better_than_the_plan_and_tells_about_the_next(clock: Clock) -> None:
    left = RunClock([ROUND, ROUND, UNTUNED], 2, {})
    with left.watch("round-00/adapter"):
        clock.now += 60
        assert left.seconds_left() == pytest.approx(AFTER_ASKING - 60)
        # A third of it is done after 60 s of 180: the next training takes as long.
        assert left.seconds_left(Estimate(120.0, 180.0)) == pytest.approx(120 + 180 + AFTER_ASKING - 240)


def test_a_training_that_was_resumed_near_its_end_does_not_make_the_next_one_short(clock: Clock) -> None:
    """What this process spent on it was taken for all of it: after a restart at 90 %, the next took a tenth."""
    left = RunClock([ROUND, ROUND, UNTUNED], 2, {})
    with left.watch("round-00/adapter"):
        clock.now += 2
        assert left.seconds_left(Estimate(10.0, 120.0)) == pytest.approx(10 + 120 + AFTER_ASKING - 240)


def test_questions_to_the_untuned_student_do_not_mean_that_the_rounds_are_over(clock: Clock) -> None:
    """Its evaluation is the last of a run; once two questions were asked, only the work in progress was counted."""
    left = RunClock([ROUND, ROUND, UNTUNED], 2, {})
    for name, seconds in (("untuned/artifacts/gguf-q4_0", 4.0), ("untuned/eval/local/gguf-q4_0/shown-questions", 1.0)):
        with left.watch(name):
            clock.now += seconds
    with left.watch("round-00/adapter"):
        assert left.seconds_left() == pytest.approx(AFTER_ASKING)


def test_further_rounds_of_a_run_whose_untuned_student_is_evaluated_count(clock: Clock) -> None:
    """Its units are the last of a run, so that a run of more rounds said at once that it was nearly done."""
    done = {name: planned(name, kind) for name, kind in OUTPUTS}
    left = RunClock([ROUND, ROUND, UNTUNED], 4, done)
    assert left.seconds_left() == pytest.approx(2 * 230)
    with left.watch("round-02/adapter"):
        assert left.seconds_left() == pytest.approx(2 * 230)


def test_a_resumed_run_does_not_count_what_is_there(clock: Clock) -> None:
    """Nor what was left out, such as certificates, or a file of the untuned student that is made later."""
    done = {name: planned(name, kind) for name, kind in OUTPUTS if "parity" not in name and "artifacts" not in name}
    assert RunClock([ROUND, ROUND, UNTUNED], 2, done).seconds_left() == 0.0
    half = {name: planned(name, kind) for name, kind in OUTPUTS[:5]}
    resumed = RunClock([ROUND, ROUND, UNTUNED], 2, half)
    assert resumed.seconds_left() == pytest.approx(230 + 50)


def test_more_rounds_than_planned_take_as_long_as_the_last_and_without_a_plan_it_says_where_it_is(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    assert RunClock([ROUND], 3, {}).seconds_left() == 3 * 230
    without_plan = RunClock([], 2, {})
    with without_plan.watch("round-00/adapter"):
        assert without_plan.seconds_left() is None
    assert capsys.readouterr().err == "Round 0 (1 of 2) · training\n"


def test_where_something_is_not_known_it_says_at_least(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    for is_partial, words in ((False, "about"), (True, "at least")):
        with RunClock([ROUND], 2, {}, is_partial=is_partial).watch("round-01/adapter"):
            pass
        assert f"Round 1 (2 of 2) · training · {words} 4 min to go\n" in capsys.readouterr().err


def test_every_kind_of_stage_is_described_in_words() -> None:
    for name, words in {
        "round-00/adapter": "training",
        "round-12/artifacts/gguf-q4_0": "exporting gguf-q4_0",
        "round-00/parity/reference.safetensors": "the float model's replies",
        "untuned/parity/gguf-q4_k_m.json": "certificate of gguf-q4_k_m",
        "round-00/eval/local/gguf-q4_0/valid": "evaluation",
        "round-00/eval/rpi5/gguf-q4_0/pool": "labelling",
        "round-00/eval/rpi5/gguf-q4_0/bench.json": "benchmark of gguf-q4_0 on rpi5",
        "round-00/eval/rpi5/throughput.json": "measuring the speed of rpi5",
        "data": "collecting problems",
    }.items():
        assert describe_stage(name).words == words
