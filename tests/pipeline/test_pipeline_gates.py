"""Which round is the best: gates, and the comparison with the strongest round before."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from fdd_edge.config import Gates
from fdd_edge.errors import FddError
from fdd_edge.operations.bench import Measurement
from fdd_edge.pipeline.gates import Contender, best_of, check_gates, set_gates, standings
from fdd_edge.targets import load_profile

NONE = Gates()


def measured(
    *, size: int = 90_000_000, rss: int = 300_000_000, speed: float | None = 40.0, broken: str = ""
) -> Measurement:
    blank: dict[str, Any] = dict.fromkeys(field.name for field in fields(Measurement))
    return replace(
        Measurement(**blank),
        target="board",
        bytes=size,
        peak_rss_bytes=rss,
        decode_tokens_per_second=speed,
        broken_budgets=[broken] if broken else [],
    )


def contender(name: str, solved: int, n: int = 200, *, floats: int | None = None, **costs: object) -> Contender:
    rates = {f"p{i}": float(i < solved) for i in range(n)}
    float_rates = None if floats is None else {f"p{i}": float(i < floats) for i in range(n)}
    return Contender(name, rates, float_rates, measured(**costs), {i: i for i in rates})  # type: ignore[arg-type]


def copied(name: str, solved: int, n: int, copies: int, *, floats: int | None = None) -> Contender:
    """Return a contender of whose valid set each problem is there several times."""
    once = contender(name, solved, n, floats=floats)
    often = [
        None if rates is None else {f"{i}-{k}": rate for i, rate in rates.items() for k in range(copies)}
        for rates in (once.solved, once.float_solved)
    ]
    assert often[0] is not None
    return once._replace(solved=often[0], float_solved=often[1], questions={i: i.rpartition("-")[0] for i in often[0]})


def test_the_newest_round_is_best_unless_it_is_worse_beyond_chance() -> None:
    found = standings([contender("r0", 100), contender("r1", 98), contender("r2", 80)], NONE)
    assert [s.held_back for s in found[:2]] == [[], []]
    assert best_of(found) == "r1"
    (sentence,) = found[2].held_back
    assert sentence.startswith("its accuracy on valid is 10.0 points lower than r0's (95 %: ")


def test_rounds_cannot_slip_down_step_by_step() -> None:
    """Each is within chance of the one before; the last is not within chance of the first."""
    found = standings([contender(f"r{i}", 100 - 3 * i) for i in range(4)], NONE)
    assert found[1].held_back == []
    assert "than r0's" in found[3].held_back[0]


@pytest.mark.parametrize(
    ("gate", "bound", "costs", "sentence"),
    [
        ("min_accuracy", 0.6, {}, "gates.min_accuracy: it solves 50.0% of valid (95 %: 43.1 to 56.9), less than 60.0%"),
        (
            "max_drop",
            0.02,
            {"floats": 110},
            "gates.max_drop: its accuracy on valid is 5.0% lower than the float artifact's (95 %: 1.8 to 8.1), more "
            "than 2.0%",
        ),
        ("max_size_mb", 80, {}, "gates.max_size_mb: it takes 90.0 MB, more than 80"),
        ("max_rss_mb", 256, {}, "gates.max_rss_mb: its runner uses 300 MB of memory, more than 256"),
        ("min_tokens_per_s", 50, {}, "gates.min_tokens_per_s: it generates 40.0 tokens/s, less than 50"),
        ("min_tokens_per_s", 50, {"speed": None}, "gates.min_tokens_per_s: it could not be measured"),
    ],
)
def test_each_gate_holds_a_round_back_and_is_named(
    gate: str, bound: float, costs: dict[str, object], sentence: str
) -> None:
    found = standings([contender("r0", 100, **costs)], replace(NONE, **{gate: bound}))  # type: ignore[arg-type]
    assert found[0].held_back[0].startswith(sentence)
    assert best_of(found) is None


def test_a_gate_that_is_just_met_holds_nothing_back() -> None:
    bounds = Gates(min_accuracy=0.5, max_drop=0.0, max_size_mb=90, max_rss_mb=300, min_tokens_per_s=40)
    assert standings([contender("r0", 100, floats=100)], bounds)[0].held_back == []


def test_a_round_held_back_by_a_gate_is_not_what_others_are_compared_with() -> None:
    strong_but_large = contender("r0", 150, size=200_000_000)
    found = standings([strong_but_large, contender("r1", 100)], Gates(max_size_mb=100))
    assert found[1].held_back == []
    assert best_of(found) == "r1"


def test_budgets_of_the_target_are_gates_too() -> None:
    found = standings([contender("r0", 100, broken="300 MB of memory, at most 256 MB allowed")], NONE)
    assert found[0].held_back == ["budgets of board: 300 MB of memory, at most 256 MB allowed"]


@pytest.mark.parametrize(("lost", "n"), [(1, 1), (2, 2), (4, 200)])
def test_a_few_lost_problems_may_be_chance(lost: int, n: int) -> None:
    """The normal interval held a round back for 4 problems of 200, where McNemar's test gives p = 0.125."""
    assert standings([contender("r0", n), contender("r1", n - lost)], NONE)[1].held_back == []


def test_six_lost_problems_and_none_gained_are_more_than_chance() -> None:
    assert standings([contender("r0", 200), contender("r1", 194)], NONE)[1].held_back != []


def test_copies_of_a_problem_are_not_more_evidence() -> None:
    """Valid had 5 problems 20 times over, and one that was no longer solved held a round back."""
    gates = Gates(min_accuracy=0.9, max_drop=0.01)
    for judged in ([contender("r0", 3, 5), contender("r1", 2, 5)], [contender("r0", 2, 5, floats=3)]):
        solved = [sum(c.solved.values()) for c in judged]
        floats = [None if c.float_solved is None else round(sum(c.float_solved.values())) for c in judged]
        often = [
            copied(c.name, round(own), 5, 20, floats=of_float)
            for c, own, of_float in zip(judged, solved, floats, strict=True)
        ]
        for limits in (NONE, gates):
            assert standings(often, limits) == standings(judged, limits)


def test_gates_and_budgets_that_are_set_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FDD_EDGE_RPI5", "pi@board")
    assert set_gates(NONE, load_profile("local")) == []
    gates = Gates(min_accuracy=0.0, max_size_mb=100)
    assert set_gates(gates, load_profile("rpi5")) == [
        "gates.max_size_mb",
        "gates.min_accuracy",
        "budgets of rpi5.max_rss_mb",
    ]


@pytest.mark.parametrize(
    ("gates", "words"),
    [
        (Gates(max_rss_mb=1), r"gates\.max_rss_mb cannot .* Remove it, or set feedback\.target to a board"),
        (Gates(max_rss_mb=1, min_tokens_per_s=1), r"gates\.max_rss_mb and gates\.min_tokens_per_s .* Remove them, or"),
    ],
)
def test_an_emulator_has_no_speed_and_no_memory_to_judge_by(gates: Gates, words: str) -> None:
    with pytest.raises(FddError, match=words):
        check_gates(gates, load_profile("rpi5-emulated"))
