"""Training that is interrupted, stopped early, or shared by processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fdd_edge.records import Problem, write_jsonl
from fdd_edge.resolve.student import Student
from fdd_edge.students.lora_training import LoraSettings, TrainingTrace, TrainSettings, train_adapter
from fdd_edge.students.tokenizer import Example, encode_examples, load_tokenizer

LORA = LoraSettings(4, 8, 0.0, ("q_proj", "v_proj", "down_proj"))
SETTINGS = TrainSettings(5e-3, 2.0, 2, 1, max_length=512, seed=0, bf16=False, threads=1, save_steps=3)
PAIRS = [(f"Question: Tom had {n} figs.\nProgram:\n", f"answer = {n} + {k}") for n in range(2, 9) for k in (3, 9)]


def examples(student: Student) -> list[Example]:
    return encode_examples(load_tokenizer(student.folder), PAIRS)


def fit(student: Student, out: Path, settings: TrainSettings = SETTINGS, **more: Any) -> TrainingTrace:
    return train_adapter(student.folder, examples(student), out, lora=LORA, settings=settings, base_name="tiny", **more)


def contrary(student: Student) -> list[Example]:
    """Examples whose replies belong to other prompts: what is trained makes their loss rise in the end."""
    given = examples(student)
    return [Example(e.prompt_ids, other.completion_ids) for e, other in zip(given, given[::-1], strict=True)]


class Killed(BaseException):
    """Stands for a signal: nothing in the trainer may catch it."""


def killer(step: int) -> Any:
    def on_step(done: int, of: int, loss: float | None) -> None:
        if done == step:
            raise Killed

    return on_step


@pytest.mark.parametrize("step", [2, 8, 14])
def test_a_killed_training_goes_on_to_the_same_bytes(tiny_student: Student, tmp_path: Path, step: int) -> None:
    whole = fit(tiny_student, tmp_path / "whole")
    with pytest.raises(Killed):
        fit(tiny_student, tmp_path / "cut", on_step=killer(step))
    again = fit(tiny_student, tmp_path / "cut")
    assert again.losses == whole.losses
    names = {"adapter_config.json", "adapter_model.safetensors"}
    assert {p.name for p in (tmp_path / "cut").iterdir()} == names
    for name in names:
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert again.tokens < whole.tokens or step == 2


def test_a_checkpoint_that_was_cut_short_is_passed_over(tiny_student: Student, tmp_path: Path) -> None:
    whole = fit(tiny_student, tmp_path / "whole")
    with pytest.raises(Killed):
        fit(tiny_student, tmp_path / "cut", on_step=killer(8))
    (tmp_path / "cut" / "checkpoints" / "checkpoint-6" / "trainer_state.json").write_text("{", encoding="utf-8")
    assert fit(tiny_student, tmp_path / "cut").losses == whole.losses


def test_it_stops_early_and_keeps_the_best(tiny_student: Student, tmp_path: Path) -> None:
    """Examples that contradict what is trained: the validation loss rises, and the first measured step is kept."""
    against = contrary(tiny_student)
    settings = replace(SETTINGS, num_train_epochs=40.0, eval_steps=7, early_stopping_patience=3)
    trace = fit(tiny_student, tmp_path / "a", settings, valid=against)
    losses = dict(trace.valid_losses)
    assert trace.steps < 40 * 7
    assert trace.best_step == min(losses, key=losses.__getitem__)
    assert [p.name for p in (tmp_path / "a").iterdir() if p.is_dir()] == []
    settings = replace(settings, num_train_epochs=1.0, learning_rate=1e-12, early_stopping_patience=None)
    after = fit(tiny_student, tmp_path / "b", settings, valid=against, start_from=tmp_path / "a")
    assert after.valid_losses[-1][1] == pytest.approx(losses[trace.best_step or 0], rel=1e-4)


def test_without_early_stopping_the_last_weights_are_kept_and_said_to_be(tiny_student: Student, tmp_path: Path) -> None:
    """A checkpoint of the best validation loss once passed for the weights that were saved."""
    settings = replace(SETTINGS, num_train_epochs=20.0, eval_steps=7, save_steps=7)
    trace = fit(tiny_student, tmp_path / "a", settings, valid=contrary(tiny_student))
    losses = dict(trace.valid_losses)
    assert min(losses, key=losses.__getitem__) != trace.steps
    assert trace.best_step is None


def launch(arguments: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def test_two_processes_train_as_one(tiny_student: Student, tmp_path: Path) -> None:
    """`accelerate launch` with two gloo processes of batch 2: the loss trace of one process of batch 4."""
    rows = [
        Problem(f"p{n}", f"Tom had {n} figs{' and more' * (n % 3)}.", n, "test", program=f"answer = {n}")
        for n in range(16)
    ]
    write_jsonl(tmp_path / "d.jsonl", (row.to_row() for row in rows))
    settings = ["training.threads=1", "training.num_train_epochs=2", "student.dtype=float32"]
    train = ["train", "smoke", "--data", "d.jsonl", "--valid", "d.jsonl"]
    train += [word for setting in settings for word in ("--set", setting)]
    two = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    two += ["--mixed_precision", "no", "--dynamo_backend", "no", "-m", "fdd_edge"]
    for name, start, size in (("one", ["-m", "fdd_edge"], 4), ("two", two, 2)):
        more = ["-o", name, "--set", f"training.per_device_train_batch_size={size}"]
        ran = launch([*start, *train, *more], tmp_path)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.count("Export it") == 1
    traces = [json.loads((tmp_path / n / "adapter/training.json").read_text(encoding="utf-8")) for n in ("one", "two")]
    assert traces[0]["steps"] == traces[1]["steps"] == 8
    assert traces[1]["losses"] == pytest.approx(traces[0]["losses"], abs=1e-3)
    assert (tmp_path / "two" / "merged" / "model.safetensors").is_file()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_run_is_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    ran = launch(["-m", "fdd_edge", "run", "smoke", "-o", "run"], tmp_path)
    assert ran.returncode == 2
    assert "A run is one process" in ran.stderr
    assert not (tmp_path / "run").exists()
