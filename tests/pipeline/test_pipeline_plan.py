"""What ``plan`` says of a config and of a run: it downloads nothing, writes only its measurement, and stops no run."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from commands import fdd_edge as command
from smoke import Finished

import fdd_edge
from fdd_edge.config_file import load_config
from fdd_edge.errors import FddError
from fdd_edge.operations import machine_speed
from fdd_edge.operations.machine_speed import Measured
from fdd_edge.pipeline import plan_kept, run_plan
from fdd_edge.pipeline.planned_data import Shelf
from fdd_edge.pipeline.planned_hours import timed
from fdd_edge.planning import CallWork, FileSpeed, MachineSpeed, Span, TokensOfCall
from fdd_edge.resolve.dataset import DatasetOptions
from fdd_edge.runs import RunLayout
from fdd_edge.teachers.ledger import default_ledger
from fdd_edge.teachers.ledger._schema import connect

FILE = FileSpeed(0.5, 1e-4, 1e-3, 4e-3, 16, 64, 1e-6, 1e-4, 1e8)
CALLED = {
    "student": {"model_name_or_path": "tiny", "dtype": "float32"},
    "data": {"train": [{"path": "symbolic:train", "limit": 60}], "eval": [{"path": "symbolic:heldout", "limit": 10}]},
    "teacher": {
        "evolve": "mini",
        "models": {
            "mini": {
                "base_url": "http://localhost:1/v1",
                "model": "m",
                "max_tokens": 1000,
                "price": {"input": 1.0, "output": 10.0},
            }
        },
    },
    "feedback": {"limit": 20, "per_easy": 2, "artifact": "gguf-q4_0"},
    "rounds": 3,
    "output_dir": "runs/called",
}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare a test that asks about something else the seconds of the measurement."""
    files = dict.fromkeys(("gguf-f32", "gguf-q4_0", "gguf-q8_0"), FILE)
    speed = MachineSpeed(0.01, 1e-4, 1e-5, 1e-2, 1e-9, 1e-9, 1.0, files)
    monkeypatch.setattr(run_plan, "machine_speed", lambda options, undisturbed: Measured(speed, disturbed=False))


def put_calls(n: int, tokens: tuple[int, int], *, purpose: str, model: str = "m") -> None:
    """Write answered calls into the user's ledger."""
    default_ledger().parent.mkdir(parents=True, exist_ok=True)
    connection = connect(default_ledger())
    with connection:
        connection.executemany(
            "INSERT INTO attempts (key, state, run, round, teacher, purpose, problem_id, draw, base_url, model, body,"
            " reserved_at, input_tokens, output_tokens, latency)"
            " VALUES (?, 'done', 'r', 0, 't', ?, ?, 0, 'http://localhost:1/v1', ?, '{}', '', ?, ?, 2.0)",
            [(f"{model}{purpose}{i}", purpose, str(i), model, *tokens) for i in range(n)],
        )
    connection.close()


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FDD_EDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_problems_are_counted_really(measured: None) -> None:
    plan = fdd_edge.plan("smoke")
    first = plan.figure("problems.first round")
    assert first is not None and first.span.low == first.span.high == 120
    assert {"gguf-f32", "gguf-q8_0", "gguf-q4_0"} == {
        figure.name.removeprefix("files.") for figure in plan.figures if figure.name.startswith("files.")
    }
    assert plan.figure("teacher.calls") is None


def test_a_plan_writes_nothing_but_the_cache(
    measured: None, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    fdd_edge.plan("smoke")
    assert list((tmp_path / "here").iterdir()) == []


def test_calls_cost_at_most_what_their_longest_replies_cost(measured: None, own_cache: Path) -> None:
    plan = fdd_edge.plan(CALLED)
    complexify = plan.figure("teacher.calls: mini, complexify")
    similar = plan.figure("teacher.calls: mini, similar")
    assert complexify is not None and (complexify.low, complexify.high) == (0.2 * 20 * 2 * 3, 0.8 * 20 * 2 * 3)
    assert similar is not None and similar.high == pytest.approx(0.8 * 20 * 3)
    cost, calls = plan.figure("teacher.cost"), plan.figure("teacher.calls")
    assert cost is not None and calls is not None
    # Not all can be easy and hard at once: four fifths are easy, and one fifth is not.
    assert calls.high == pytest.approx((0.8 * 2 + 0.2) * 20 * 3)
    assert cost.high > calls.high * 1000 * 10 / 1e6
    assert not default_ledger().exists(), "a plan makes no ledger"


def test_a_number_of_new_problems_to_reach_is_asked_for_up_to_a_limit(measured: None, own_cache: Path) -> None:
    plan = fdd_edge.plan(CALLED, overrides=["feedback.target_new=30", "feedback.max_candidates=50"])
    calls, last = plan.figure("teacher.calls"), plan.figure("problems.last round")
    assert calls is not None and (calls.low, calls.high) == pytest.approx((30 * 3, 50 * 3))
    assert last is not None and last.high == 54 + 2 * 30


def test_tokens_of_a_call_are_those_of_earlier_calls(measured: None, own_cache: Path) -> None:
    for purpose in ("complexify", "similar"):
        put_calls(9, (400, 100), purpose=purpose)
        put_calls(9, (9000, 9000), purpose=purpose, model="another")
    plan = fdd_edge.plan(CALLED)
    tokens, calls = plan.figure("teacher.tokens"), plan.figure("teacher.calls")
    assert tokens is not None and calls is not None
    assert tokens.high == pytest.approx(calls.high * 500)
    named = plan.figure("teacher.calls: mini, similar")
    assert named is not None and named.basis == "tokens of 9 calls in the ledger"
    cost = plan.figure("teacher.cost")
    assert cost is not None and cost.basis == "price of config"
    assert plan.figure("time.teacher") is not None


def test_a_setting_that_is_suggested_really_fits(measured: None, own_cache: Path) -> None:
    plan = fdd_edge.plan(CALLED, overrides=["teacher.budget={cost: 0.3, calls: 100}"])
    (calls, cost) = plan.too_much
    assert (calls.name, cost.name) == ("teacher.calls", "teacher.cost")
    assert calls.ways and cost.ways
    for limit in plan.too_much:
        for way in limit.ways:
            again = fdd_edge.plan(CALLED, overrides=[way.setting]).figure(limit.name)
            assert again is None or again.high == pytest.approx(way.value)
            assert way.value <= limit.limit


def test_hours_that_are_too_few(measured: None) -> None:
    needed = fdd_edge.plan("smoke").figure("time.all")
    assert needed is not None
    (too_much,) = fdd_edge.plan("smoke", hours=0.8 * needed.high / 3600).too_much
    assert {way.setting.partition("=")[0] for way in too_much.ways} >= {"rounds"}
    (nothing,) = fdd_edge.plan("smoke", hours=1e-6).too_much
    assert nothing.ways == []


@pytest.mark.parametrize("hours", [0, -1, "2", True, float("nan")])
def test_hours_must_be_a_number_above_zero(hours: object) -> None:
    with pytest.raises(FddError, match=r"hours must be a number above 0, not "):
        fdd_edge.plan("smoke", hours=hours)  # type: ignore[arg-type]


def test_what_is_not_in_the_hub_s_cache_is_named_and_not_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address of the hub is one that nobody answers, and no attempt is made to reach it."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_ENDPOINT", "http://localhost:1")
    ran = command(
        "plan",
        "smoke",
        *("--set", "student.model_name_or_path=owner/model"),
        *("--set", "data.train=[{path: owner/known, limit: 70}, {path: owner/other, name: other}]"),
    )
    said = " ".join(ran.stdout.split())
    assert ran.returncode == 0, ran.stderr
    assert "data.train: owner/known is not in the hub's cache, and a plan downloads nothing: its limit of 70" in said
    assert "data.train: owner/other is not in the hub's cache, and a plan downloads nothing: its problems" in said
    assert "owner/model is not in the hub's cache, and a plan downloads nothing" in said
    assert "hf download owner/model" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.yaml"], "none.yaml"),
        (["smoke", "--set", "data.train=[{path: gone.jsonl}]"], "gone.jsonl does not exist"),
        (["smoke", "--set", "student.model_name_or_path=gone"], "gone does not exist"),
        (["smoke", "--hours", "0"], "0.0 is not in the range x>0"),
    ],
)
def test_a_wrong_argument_is_one_sentence(arguments: list[str], sentence: str) -> None:
    ran = command("plan", *arguments)
    assert ran.returncode == 2
    assert sentence in " ".join(ran.stderr.split())
    assert "Traceback" not in ran.stderr


def test_another_device_is_said_not_to_be_measured(measured: None, tmp_path: Path) -> None:
    board = tmp_path / "board.yaml"
    board.write_text("name: board\nextends: rpi5\ntransport: ssh\nhost: nobody@nowhere\n", encoding="utf-8")
    plan = fdd_edge.plan("smoke", overrides=[f"targets=[local, {board}]"])
    assert [note for note in plan.notes if note.startswith("board is another device than this machine's CPU: ")]


def test_a_device_that_a_round_has_measured_counts(measured: None, tmp_path: Path) -> None:
    board = tmp_path / "board.yaml"
    board.write_text("name: board\nextends: rpi5\ntransport: ssh\nhost: nobody@nowhere\n", encoding="utf-8")
    settings = [f"targets=[local, {board}]", f"output_dir={tmp_path}/run"]
    path = RunLayout(tmp_path / "run").round(0).throughput("board")
    path.parent.mkdir(parents=True)
    path.write_text('{"seconds": 6.0, "load_seconds": 1.0, "runners": 2}', encoding="utf-8")
    found = fdd_edge.plan("smoke", overrides=settings).figure("time.on board")
    assert found is not None and found.low == found.high == 3.0 * 2 * 32 * 2, "2 artifacts, 32 problems, 2 rounds"
    path.write_text("{", encoding="utf-8")
    assert fdd_edge.plan("smoke", overrides=settings).figure("time.on board") is None


def test_a_model_file_as_a_teacher_takes_time() -> None:
    tokens = TokensOfCall(Span.of(500), Span.of(160))
    (work,) = timed([CallWork("own", "similar", Span.of(10), tokens)], {"own": FILE})
    assert work.seconds == Span.of(pytest.approx(10 * (500 * 1e-4 + 160 * 4e-3 / 16)))  # type: ignore[arg-type]
    (work,) = timed([CallWork("own", "similar", Span.of(10), tokens)], {})
    assert work.seconds is None


def test_a_set_is_read_once(tmp_path: Path) -> None:
    data = tmp_path / "a.jsonl"
    row = {"question": "What is 2 + 3?", "answer": 5, "program": "answer = 2 + 3"}
    data.write_text("".join(json.dumps(row | {"id": f"p{i}"}) + "\n" for i in range(9)), encoding="utf-8")
    shelf = Shelf()
    whole = shelf.read(DatasetOptions(str(data)), 0)
    data.unlink()
    assert whole is not None and len(whole) == 9
    assert shelf.read(DatasetOptions(str(data), limit=4), 0) == whole[:4]


def test_a_damaged_measurement_is_made_again(own_cache: Path) -> None:
    before = fdd_edge.plan("smoke").figure("time.all")
    (kept,) = (own_cache / machine_speed.SPEEDS).glob("*.json")
    whole = kept.read_text(encoding="utf-8")
    for damaged in ("", "{", "[]", whole.replace('"batch": 16', '"batch": "many"'), whole.replace("0.", "-0.", 1)):
        kept.write_text(damaged, encoding="utf-8")
        again = fdd_edge.plan("smoke").figure("time.all")
        assert before is not None and again is not None
        assert json.loads(kept.read_text(encoding="utf-8")).keys() == json.loads(whole).keys()


def test_a_measurement_that_was_disturbed_is_made_again(own_cache: Path) -> None:
    """A machine that was busy by chance would have been slow for ever."""
    fdd_edge.plan("smoke")
    (kept,) = (own_cache / machine_speed.SPEEDS).glob("*.json")
    row = json.loads(kept.read_text(encoding="utf-8"))
    slow = row["speed"] | {"step_seconds": 1e6}
    kept.write_text(json.dumps({"speed": slow, "disturbed": True}), encoding="utf-8")
    run = run_plan.plan_config(load_config("smoke")[0]).figure("time.training")
    assert run is not None and run.high > 1e6, "a run does not spend its time on it"
    again = fdd_edge.plan("smoke").figure("time.training")
    assert again is not None and again.high < 1e6
    kept.write_text(json.dumps({"speed": slow, "disturbed": False}), encoding="utf-8")
    same = fdd_edge.plan("smoke").figure("time.training")
    assert same is not None and same.high > 1e6


@pytest.mark.slow
def test_a_run_ends_with_its_plan_beside_what_it_took(smoke: Finished) -> None:
    assert "planned and real" in smoke.stdout
    plan = fdd_edge.plan(smoke.out)
    real = {one.name: one for one in plan.compared}
    assert real["problems.first round"].ratio == 1
    manifest = json.loads(RunLayout(smoke.out).manifest.read_text(encoding="utf-8"))
    total = sum(stage["seconds"] for stage in manifest["stages"].values())
    assert real["time.all"].real == pytest.approx(total)
    for name in ("space.disk", "files.gguf-q8_0", "files.gguf-f32"):
        ratio = real[name].ratio
        assert ratio is not None and 1 / 1.5 < ratio < 1.5, name
    assert real["space.memory"].real > 1e8


@pytest.mark.slow
@pytest.mark.parametrize("content", [None, "", "{}", '{"figures": [{"name": 3}], "peaks": {}}'])
def test_a_run_without_a_plan_says_nothing(smoke: Finished, tmp_path: Path, content: str | None) -> None:
    layout = RunLayout(smoke.copy(tmp_path))
    layout.plan.unlink()
    if content is not None:
        layout.plan.write_text(content, encoding="utf-8")
    assert plan_kept.compared_plan(layout) == []
    ran = command("run", layout.root)
    assert ran.returncode == 0, ran.stderr
    assert "planned and real" not in ran.stdout


def test_what_cannot_be_planned_stops_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise sqlite3.DatabaseError("broken")

    monkeypatch.setattr(plan_kept, "plan_config", fail)
    layout = RunLayout(tmp_path / "run")
    plan_kept.keep_plan(load_config("smoke")[0], layout, parity=True)
    assert not layout.plan.exists()
    assert "what this run will take could not be planned: broken" in capfd.readouterr().err
