"""Experiment trackers: a real TensorBoard, and wandb without a network if it is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commands import fdd_edge
from smoke import Finished

from fdd_edge.errors import FddError
from fdd_edge.operations.train import TrainingSetup
from fdd_edge.operations.training_record import read_training
from fdd_edge.pipeline.round_summary import RoundSummary
from fdd_edge.pipeline.tracked_rounds import figures_of, report_round
from fdd_edge.resolve.student import Student
from fdd_edge.runs import RunLayout
from fdd_edge.students import trackers, tracking
from fdd_edge.students.lora_training import TrainingTrace, train_adapter
from fdd_edge.students.tokenizer import encode_examples, load_tokenizer
from fdd_edge.students.trackers import report_figures
from fdd_edge.students.tracking import Tracking, check_trackers
from fdd_edge.students.training_options import LoraOptions, ResolvedTraining, TrainingOptions

KEY = "0123456789abcdef0123456789abcdef01234567"
PAIRS = [(f"Question: Tom had {n} figs.\nProgram:\n", f"answer = {n} + {k}") for n in range(2, 6) for k in (3, 9)]

needs_tensorboard = pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None, reason="needs: pip install tensorboard"
)
needs_wandb = pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="needs: pip install wandb")


class Killed(BaseException):
    """Simulates a signal: nothing in the trainer may catch it."""


def train(student: Student, out: Path, tracking: Tracking | None, *, killed_at: int | None = None) -> TrainingTrace:
    def on_step(step: int, of: int, loss: float | None) -> None:
        if step == killed_at:
            raise Killed

    examples = encode_examples(load_tokenizer(student.folder), PAIRS)
    return train_adapter(
        student.folder,
        examples,
        out,
        lora=LoraOptions(4, 8, target_modules=("q_proj",)),
        options=TrainingOptions(learning_rate=5e-3, per_device_train_batch_size=2, save_steps=2),
        resolved=ResolvedTraining(2.0, seed=0, bf16=False, threads=1),
        base_name="tiny",
        valid=examples[:2],
        on_step=on_step,
        tracking=tracking,
    )


def events(folder: Path) -> Mapping[str, Sequence[tuple[int, float]]]:
    """Read event files back as TensorBoard does: (step, value) by name."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    return {tag: [(one.step, one.value) for one in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def tracked(tmp_path: Path, *names: Any) -> Tracking:
    return Tracking(names, tmp_path / "events" / "round-00", "mine round-00", "abc-round-00")


@needs_tensorboard
def test_tensorboard_gets_the_losses_and_the_figures_under_the_last_step(tiny_student: Student, tmp_path: Path) -> None:
    reported = tracked(tmp_path, "tensorboard")
    trace = train(tiny_student, tmp_path / "adapter", reported)
    report_figures(reported, {"accuracy/valid/gguf-q4_0": 0.25, "labelled/hard": 7}, trace.steps)
    found = events(reported.folder)
    assert [step for step, _ in found["train/loss"]] == list(range(1, trace.steps + 1))
    assert [value for _, value in found["train/loss"]] == pytest.approx(trace.losses)
    assert [step for step, _ in found["eval/loss"]] == [step for step, _ in trace.valid_losses]
    assert [value for _, value in found["eval/loss"]] == pytest.approx([loss for _, loss in trace.valid_losses])
    assert found["accuracy/valid/gguf-q4_0"] == [(trace.steps, 0.25)]
    assert found["labelled/hard"] == [(trace.steps, 7)]
    assert not (tmp_path / "adapter" / "runs").exists()


@needs_tensorboard
def test_a_training_that_was_killed_has_each_step_once(tiny_student: Student, tmp_path: Path) -> None:
    """It goes on from the checkpoint of step 2, and trains step 3 again."""
    reported, out = tracked(tmp_path, "tensorboard"), tmp_path / "adapter"
    with pytest.raises(Killed):
        train(tiny_student, out, reported, killed_at=3)
    trace = train(tiny_student, out, reported)
    losses = events(reported.folder)["train/loss"]
    assert [step for step, _ in losses] == list(range(1, trace.steps + 1))
    assert [value for _, value in losses] == pytest.approx(trace.losses)


@needs_tensorboard
def test_a_tracker_that_fails_does_not_end_the_training(
    tiny_student: Student, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its folder is a file: the event file cannot be written."""
    reported = tracked(tmp_path, "tensorboard")
    reported.folder.parent.write_text("in the way")
    alone = train(tiny_student, tmp_path / "alone", None)
    trace = train(tiny_student, tmp_path / "adapter", reported)
    report_figures(reported, {"gates_failed": 0}, trace.steps)
    assert trace.losses == alone.losses
    said = [line for line in capsys.readouterr().err.splitlines() if "tensorboard failed" in line]
    assert len(said) == 2  # once for the training, once for the figures
    assert said[0].endswith("so it gets nothing more of this training.")


def test_a_tracker_that_fails_in_mid_training_is_not_asked_again(
    tiny_student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import TrainerCallback

    asked: list[int] = []

    class Broken(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            asked.append(state.global_step)
            print("a tracker prints")  # noqa: T201
            if state.global_step == 2:
                raise ConnectionError(f"no route, and the key is {KEY}\nsecond line")

    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setattr(trackers, "_open_callback", lambda name, tracking, step: Broken())
    trace = train(tiny_student, tmp_path / "adapter", tracked(tmp_path, "trackio"))
    assert (trace.steps, asked) == (8, [1, 2])
    shown = capsys.readouterr()
    assert shown.out == "", "what a tracker prints is not a result"
    assert (
        "trackio failed (ConnectionError: no route, and the key is ***), so it gets nothing more of this training."
        in shown.err
    )
    assert KEY not in shown.err


@needs_wandb
def test_wandb_writes_to_its_folder_without_a_network(
    tiny_student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    reported = tracked(tmp_path, "wandb")
    trace = train(tiny_student, tmp_path / "adapter", reported)
    assert trace.tracked_as is not None
    report_figures(replace(reported, id=trace.tracked_as), {"accuracy/valid/gguf-q4_0": 0.25}, trace.steps)
    import wandb

    assert wandb.run is None
    runs = sorted((tmp_path / "wandb").glob("offline-run-*"))
    assert [path.name.split("-")[-1] for path in runs] == [trace.tracked_as], "losses and figures are one run"
    shown = capsys.readouterr()
    assert "wandb failed" not in shown.err
    assert shown.out == ""
    assert KEY not in shown.err
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in written if KEY.encode() in path.read_bytes()], "a key was written to disk"
    sent = b"".join(path.read_bytes() for path in runs[0].rglob("*") if path.is_file())
    assert b"base_model_name_or_path" in sent
    assert str(tiny_student.folder).encode() not in sent
    assert str(tmp_path / "adapter").encode() not in sent


def test_only_a_training_that_goes_on_keeps_its_id_and_trackers_see_no_path(
    tiny_student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """trackio goes on with a run of the same name, and both it and wandb send the configs that they see."""
    from transformers import TrainerCallback

    names: list[str] = []
    sent: list[str] = []

    class Seen(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **more: Any) -> None:
            names.append(args.run_name)
            adapters = {name: one.to_dict() for name, one in model.peft_config.items()}
            sent.append(repr((args.to_dict(), model.config.to_dict(), adapters, model.num_parameters())))

    monkeypatch.setattr(trackers, "_open_callback", lambda name, tracking, step: Seen())
    reported = tracked(tmp_path, "trackio")
    with pytest.raises(Killed):
        train(tiny_student, tmp_path / "adapter", reported, killed_at=3)
    resumed = train(tiny_student, tmp_path / "adapter", reported)
    other = train(tiny_student, tmp_path / "adapter", reported)
    assert resumed.tracked_as and other.tracked_as and resumed.tracked_as != other.tracked_as
    assert names == [f"mine round-00 {str(trace.tracked_as)[:6]}" for trace in (resumed, resumed, other)]
    for text in sent:
        assert "'base_model_name_or_path': 'tiny'" in text
        assert "'_name_or_path': 'tiny'" in text
        assert str(tmp_path) not in text
        assert str(tiny_student.folder) not in text
    assert train(tiny_student, tmp_path / "alone", None).tracked_as is None


def test_stored_keys_are_not_in_warnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "netrc").write_text(f"machine api.wandb.ai\n  login user\n  password {KEY}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with trackers._guarded("wandb"):
        raise ValueError(f"401 for {KEY}")
    assert "401 for ***" in capsys.readouterr().err


def test_a_mere_folder_is_not_an_installed_tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """wandb makes a folder ``wandb`` where it runs."""
    (tmp_path / "wandb").mkdir()
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(FddError, match="wandb is not installed"):
        check_trackers(("wandb",))


def test_figures_that_cannot_be_read_do_not_end_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    round_dir = RunLayout(tmp_path).round(0)
    broken: Any = None
    report_round(tracked(tmp_path), broken, round_dir)
    assert capsys.readouterr().err == ""
    report_round(tracked(tmp_path, "tensorboard"), broken, round_dir)
    assert "The figures of round-00 were not reported (AttributeError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environment", "mode"),
    [
        ({"WANDB_MODE": "disabled", "HF_HUB_OFFLINE": "1"}, None),
        ({"HF_HUB_OFFLINE": "1", "WANDB_API_KEY": KEY}, "offline"),
        ({"HF_HUB_OFFLINE": "1", "WANDB_MODE": "online"}, "offline"),
        ({"WANDB_MODE": "online"}, None),
        ({"TRANSFORMERS_OFFLINE": "true"}, "offline"),
        ({"WANDB_API_KEY": KEY}, None),
        ({}, "offline"),
    ],
)
def test_wandb_is_never_asked_for_a_key(
    environment: dict[str, str], mode: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a terminal, wandb asks for a key and waits."""
    for name in ("WANDB_MODE", "WANDB_API_KEY", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert trackers._wandb_mode() == mode


def test_a_stored_login_of_wandb_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "netrc").write_text(f"machine api.wandb.ai\n  login user\n  password {KEY}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert trackers._wandb_mode() is None
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org:8080")
    assert trackers._wandb_mode() == "offline"


def test_a_space_of_trackio_is_left_alone_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers would publish a Space by default."""
    monkeypatch.setenv("TRACKIO_SPACE_ID", "me/space")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with trackers._guarded("trackio"):
        assert "TRACKIO_SPACE_ID" not in os.environ
    assert os.environ["TRACKIO_SPACE_ID"] == "me/space"
    assert trackers.tracker_arguments(tracked(Path("x"), "trackio"))["trackio_space_id"] is None
    assert trackers.tracker_arguments(tracked(Path("x"))) == {}


def test_a_tracker_that_is_not_installed_is_refused_with_its_pip_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trackio", None)
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    with pytest.raises(FddError, match=r"^trackio is not installed\. Install it with: pip install trackio$"):
        check_trackers(("trackio",))
    ran = fdd_edge("validate", "smoke", "--set", "training.report_to=[trackio]")
    assert ran.returncode == 2
    assert "training.report_to: trackio is not installed. Install it with: pip install trackio" in ran.stderr
    unknown = fdd_edge("validate", "smoke", "--set", "training.report_to=[mlflow]")
    assert "training.report_to.0" in unknown.stderr
    assert "'tensorboard', 'trackio' or 'wandb'" in unknown.stderr


def test_reports_do_not_change_what_an_adapter_depends_on() -> None:
    """A tracker may be added to a run, or taken away, without a training of it being done again."""
    setups = [
        TrainingSetup(LoraOptions(), TrainingOptions(report_to=names), "auto", 0) for names in ((), ("tensorboard",))
    ]
    assert setups[0].fingerprint() == setups[1].fingerprint()


@needs_tensorboard
@pytest.mark.slow
def test_a_round_reports_its_figures(smoke: Finished, tmp_path: Path) -> None:
    round_dir = RunLayout(smoke.out).round(1)
    summary = RoundSummary.from_row(json.loads(round_dir.summary.read_text()))
    reported = tracked(tmp_path, "tensorboard")
    report_round(reported, summary, round_dir)
    found, steps = events(reported.folder), read_training(round_dir.adapter).steps
    wanted = dict(figures_of(summary))
    assert {step for points in found.values() for step, _ in points} == {steps}
    assert {name: points[0][1] for name, points in found.items()} == pytest.approx(wanted)
    first = summary.evaluations[0]
    assert found[f"accuracy/{first.dataset}/{first.recipe}"][0][1] == pytest.approx(first.correct / first.n)
    assert found["labelled/easy"][0][1] == summary.split["easy"]
    report_round(tracked(tmp_path / "none"), summary, round_dir)
    assert not (tmp_path / "none").exists()
