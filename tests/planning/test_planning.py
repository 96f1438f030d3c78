"""The arithmetic of a plan, against numbers counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fdd_edge.errors import FddError
from fdd_edge.planning import (
    CallWork,
    Decoding,
    Figure,
    FileSpeed,
    Knob,
    MachineSpeed,
    RoundWork,
    Span,
    StudentShape,
    Texts,
    TokensOfCall,
    TorchPoint,
    Work,
    candidates,
    compare,
    disk_of,
    forecast_run,
    guessed_tokens,
    shrink,
    training_of,
)
from fdd_edge.teachers.language_model.teacher_options import Price

FILE = FileSpeed(
    load_seconds=2.0,
    prompt_token_seconds=0.01,
    alone_seconds=0.1,
    together_seconds=0.4,
    batch=16,
    context=64,
    context_seconds=0.001,
    row_seconds=0.0,
    peak_rss_bytes=5e8,
)
SPEED = MachineSpeed(
    step_seconds=1.0,
    token_seconds=0.01,
    reference_token_seconds=0.001,
    reference_step_seconds=0.5,
    quantize_seconds=0.0,
    byte_seconds=0.0,
    start_seconds=0.0,
    files={"q": FILE, "f": FILE},
)
TEXTS = Texts(question=50, shared=10, reply=20)
CONFIG = {
    "model_type": "llama",
    "num_hidden_layers": 30,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
}


def work(*parts: RoundWork, kept: int = 0) -> Work:
    return Work(parts, 1000, {"q": 600.0, "f": 4000.0}, 64, 16, 96, False, kept, reference_bytes=100.0)


def part(**changes: object) -> RoundWork:
    return replace(RoundWork([], [], [], [], TEXTS), **changes)  # type: ignore[arg-type]


def test_a_student_of_135_million_weights() -> None:
    shape = StudentShape.from_config(CONFIG, "SmolLM2-135M")
    assert shape.head_dim == 64
    assert shape.layer_parameters == 576 * (2 * 576 + 2 * 192) + 3 * 576 * 1536
    assert shape.parameters == pytest.approx(134_515_008, rel=1e-3)
    assert shape.config()["num_hidden_layers"] == 30


@pytest.mark.parametrize("value", [None, 0, -1, "9", 2.5, True, 2**40])
def test_a_size_that_is_none_is_refused_in_a_sentence(value: object) -> None:
    with pytest.raises(FddError, match=r"The config of x has no usable hidden_size, so it cannot be planned\."):
        StudentShape.from_config({**CONFIG, "hidden_size": value}, "x")


def test_a_config_of_a_stranger_makes_no_huge_plan() -> None:
    for change in ({"num_hidden_layers": 2**30}, {"vocab_size": 2**30, "hidden_size": 2**20}):
        with pytest.raises(FddError, match=r"The config of x states [0-9,]+ weights, so it cannot be planned\."):
            StudentShape.from_config({**CONFIG, **change}, "x")


def test_speeds_are_taken_to_the_full_depth() -> None:
    """One layer takes 3 s and the rest 2 s, of which 1 s is the same for any length."""
    points = (TorchPoint(1, 5.0, 9.0, 1.0, 2.0), TorchPoint(4, 14.0, 30.0, 1.0, 5.0))
    speed = MachineSpeed.from_points(
        10, points, tokens=(100, 200), prompt_tokens=10, quantize_seconds=0, byte_seconds=0, start_seconds=0, files={}
    )
    assert speed.token_seconds == pytest.approx((72 - 32) / 100)  # 2 + 30 and 2 + 70 seconds
    assert speed.reference_step_seconds == pytest.approx(11.0)
    assert speed.reference_token_seconds == pytest.approx(0.1)


def test_the_steps_of_a_training() -> None:
    found = training_of(
        Span(100, 201),
        80,
        epochs=2,
        batch=4,
        accumulation=2,
        max_tokens=None,
        eval_steps=None,
        valid_tokens=1000,
    )
    assert found.batches == Span(13 * 2 * 2, 26 * 2 * 2)
    assert found.tokens == Span(16000, 32160)
    assert found.valid_tokens == 2000


def test_a_limit_of_tokens_decides_how_long_training_takes() -> None:
    found = training_of(
        Span.of(100), 80, epochs=5, batch=4, accumulation=1, max_tokens=4000, eval_steps=None, valid_tokens=0
    )
    assert found.tokens == Span.of(4000)
    assert found.batches.low == pytest.approx(12.5)


def test_the_time_of_a_training() -> None:
    training = training_of(
        Span.of(8), 10, epochs=1, batch=4, accumulation=1, max_tokens=None, eval_steps=None, valid_tokens=100
    )
    seconds = forecast_run(work(part(training=training)), SPEED).seconds["training"]
    # 2 steps, 80 tokens, half as much for 100 tokens of valid, and the start.
    assert seconds.low == seconds.high == pytest.approx(2 * 1.0 + 80 * 0.01 + 100 * 0.01 * 0.5, abs=10)


def test_no_reply_takes_no_time_and_more_replies_take_more() -> None:
    def seconds(n: float) -> float:
        decoding = Decoding("q", Span.of(n), TEXTS, 100, 64)
        return forecast_run(work(part(decodings=[decoding])), SPEED).seconds["evaluation"].low

    assert seconds(0) == 0
    assert seconds(1) < seconds(16) < seconds(64) < seconds(65)
    # Two waves of 64 take twice as long as one, but for the start of the runner.
    one, two, three = seconds(64), seconds(128), seconds(192)
    assert two - one == pytest.approx(three - two)
    reading, writing = 10 * 0.01 + 64 * 50 * 0.01, 64 / 16 * 20 * 0.4
    assert two - one == pytest.approx(reading + writing, rel=0.3)


def test_worked_examples_make_each_step_slower() -> None:
    def seconds(shared: float) -> float:
        texts = replace(TEXTS, shared=shared)
        decoding = Decoding("q", Span.of(64), texts, 100, 64)
        return forecast_run(work(part(decodings=[decoding])), SPEED).seconds["evaluation"].low

    assert seconds(500) > 1.5 * seconds(10)


def test_the_largest_size_of_a_run_folder() -> None:
    training = training_of(
        Span.of(8), 10, epochs=1, batch=4, accumulation=1, max_tokens=None, eval_steps=None, valid_tokens=0
    )
    untuned = part(exported=["f", "q"], certified=["q"])
    one = part(exported=["f", "q"], certified=["f", "q"], training=training)
    models = 4000 + 600 + 4000 + 100  # both artifacts, the merged student, the reference
    assert disk_of(work(one)) == Span.of(models)
    assert disk_of(work(untuned, one, one, one, kept=2)) == Span.of(4000 + 600 + 100 + 3 * models)
    assert disk_of(work(one, one, kept=2)) == Span.of(2 * models)


def test_new_problems_follow_from_the_shares_of_easy_and_hard_ones() -> None:
    assert candidates(100, 2, 1, easy=0.25) == {"complexify": Span.of(50), "similar": Span.of(75)}
    found = candidates(100, 2, 1, easy=0.25, between=Span(10, 40))
    assert found == {"complexify": Span(4, 16), "similar": Span(6, 24)}
    assert candidates(100, 0, 0, easy=0.25, between=Span(10, 40))["similar"] == Span.of(0)


def test_what_calls_cost() -> None:
    tokens = TokensOfCall(Span.of(500), Span(50, 100), calls=9, latency=4.0)
    calls = CallWork("mini", "similar", Span(10, 20), tokens, Price(input=1.0, output=10.0), concurrency=8)
    assert calls.all_tokens == Span(5500, 12000)
    assert calls.cost is not None
    assert (calls.cost.low, calls.cost.high) == pytest.approx((10 * (500 + 500) / 1e6, 20 * (500 + 1000) / 1e6))
    assert calls.seconds == Span(5, 10)
    assert replace(calls, price=None).cost is None


def test_tokens_of_a_call_that_nobody_has_made() -> None:
    guess = guessed_tokens(letters=400, most=1024)
    assert guess.input.low < 100 < guess.input.high
    assert guess.output.high == 1024
    assert guessed_tokens(400, most=10).output == Span.of(10)


def test_the_largest_value_that_fits_is_found() -> None:
    asked: list[str] = []

    def again(setting: str) -> float | None:
        asked.append(setting)
        key, _, value = setting.partition("=")
        return 3 * float(value) if key == "a" else None

    found = shrink([Knob("a", 100, 1), Knob("b", 100, 1), Knob("a", 1, 1)], 100, again)
    assert [(one.setting, one.value) for one in found] == [("a=33", 99)]
    assert shrink([Knob("a", 100, 50)], 100, again) == []


def test_a_key_may_stand_inside_a_value() -> None:
    assert Knob("data.train", 9, 1, template="[{limit: @}]").setting(4) == "data.train=[{limit: 4}]"


def test_what_is_known_on_both_sides_is_compared() -> None:
    planned = [
        Figure("time.all", "seconds", 10, 30),
        Figure("teacher.calls", "calls", 0, 0),
        Figure("x", "calls", 1, 1),
    ]
    found = compare(planned, {"time.all": 30.0, "teacher.calls": 0.0, "y": 1.0})
    assert [(one.name, one.ratio) for one in found] == [("time.all", 1.5), ("teacher.calls", None)]
