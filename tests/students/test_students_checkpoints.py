"""Training that is interrupted, stopped early, or shared by processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commands import fdd_edge

from fdd_edge.errors import FddError
from fdd_edge.records import Problem, write_jsonl
from fdd_edge.resolve.student import Student
from fdd_edge.runs.seal import SEAL
from fdd_edge.students.lora_training import TrainingTrace, train_adapter
from fdd_edge.students.mixture import Cell, mix_examples
from fdd_edge.students.tokenizer import Example, encode_examples, load_tokenizer
from fdd_edge.students.training_options import LoraOptions, ResolvedTraining, TrainingOptions

LORA = LoraOptions(4, 8, target_modules=("q_proj", "v_proj", "down_proj"))
OPTIONS = TrainingOptions(learning_rate=5e-3, per_device_train_batch_size=2, save_steps=3)
PAIRS = [(f"Question: Tom had {n} figs.\nProgram:\n", f"answer = {n} + {k}") for n in range(2, 9) for k in (3, 9)]


def examples(student: Student) -> list[Example]:
    return encode_examples(load_tokenizer(student.folder), PAIRS)


def fit(
    student: Student, out: Path, options: TrainingOptions = OPTIONS, epochs: float = 2.0, **more: Any
) -> TrainingTrace:
    resolved = ResolvedTraining(epochs, seed=0, bf16=False, threads=1)
    return train_adapter(
        student.folder, examples(student), out, lora=LORA, options=options, resolved=resolved, base_name="tiny", **more
    )


def contrary(student: Student) -> list[Example]:
    """Return examples with the replies of other prompts: training makes their loss rise in the end."""
    given = examples(student)
    return [Example(e.prompt_ids, other.completion_ids) for e, other in zip(given, given[::-1], strict=True)]


class Killed(BaseException):
    """Simulates a signal: nothing in the trainer may catch it."""


def killer(step: int) -> Any:
    def on_step(done: int, of: int, loss: float | None) -> None:
        if done == step:
            raise Killed

    return on_step


@pytest.mark.parametrize("step", [2, 8, 14])
def test_a_killed_training_resumes_to_the_same_bytes(tiny_student: Student, tmp_path: Path, step: int) -> None:
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


@pytest.mark.parametrize("step", [4, 9])
def test_a_killed_training_on_a_mixture_goes_on_with_the_same_examples(
    tiny_student: Student, tmp_path: Path, step: int
) -> None:
    cells = [Cell("1" if n < 4 else "2+", "") for n in range(len(PAIRS))]
    lengths = [len(e.prompt_ids) + len(e.completion_ids) for e in examples(tiny_student)]
    mixture = mix_examples(cells, lengths, shares={"1": 0.6, "2+": 0.4}, weights={}, seed="0")
    whole = fit(tiny_student, tmp_path / "whole", mixture=mixture)
    with pytest.raises(Killed):
        fit(tiny_student, tmp_path / "cut", on_step=killer(step), mixture=mixture)
    again = fit(tiny_student, tmp_path / "cut", mixture=mixture)
    assert (again.losses, again.times) == (whole.losses, whole.times)
    assert min(whole.times[:4]) > max(whole.times[4:])
    name = "adapter_model.safetensors"
    assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["trainer_state.json", "adapter_model.safetensors", "optimizer.pt", "rng_state.pth"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "being written"])
def test_a_damaged_checkpoint_is_not_trained_on(
    tiny_student: Student, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, damage: str
) -> None:
    """A flipped bit was trained on, and a file that was cut short ended every later call."""
    whole = fit(tiny_student, tmp_path / "whole")
    with pytest.raises(Killed):
        fit(tiny_student, tmp_path / "cut", on_step=killer(8))
    checkpoint = tmp_path / "cut" / "checkpoints" / "checkpoint-6"
    if damage == "flipped":
        flip_a_bit(checkpoint / name)
    else:
        (checkpoint / name).write_bytes((checkpoint / name).read_bytes()[:-40])
    if damage == "being written":
        (checkpoint / SEAL).unlink()
    assert fit(tiny_student, tmp_path / "cut").losses == whole.losses
    said = f"{checkpoint} has been damaged, so training goes on from an earlier step" in capsys.readouterr().err
    assert said == (damage != "being written")


@pytest.mark.parametrize("name", ["checkpoint-6 (copy)", "checkpoint-old", "checkpoint-"])
def test_what_is_not_a_checkpoint_is_named_and_left_alone(tiny_student: Student, tmp_path: Path, name: str) -> None:
    """A copy of a checkpoint next to it ended every later call in a traceback."""
    with pytest.raises(Killed):
        fit(tiny_student, tmp_path / "cut", on_step=killer(8))
    copy = tmp_path / "cut" / "checkpoints" / name
    shutil.copytree(copy.with_name("checkpoint-6"), copy)
    with pytest.raises(FddError, match=r"checkpoint-.* is not a checkpoint that fdd-edge made; move it elsewhere\."):
        fit(tiny_student, tmp_path / "cut")
    assert (copy / SEAL).is_file()


def test_a_name_that_is_not_utf_8_in_a_checkpoint_is_damage(
    tiny_student: Student, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hashing it ended in a UnicodeEncodeError."""
    with pytest.raises(Killed):
        fit(tiny_student, tmp_path / "cut", on_step=killer(8))
    (tmp_path / "cut" / "checkpoints" / "checkpoint-6" / b"a\xff".decode(errors="surrogateescape")).touch()
    fit(tiny_student, tmp_path / "cut")
    assert "checkpoint-6 has been damaged" in capsys.readouterr().err


def test_checkpoints_are_rotated_without_a_warning(tiny_student: Student, tmp_path: Path) -> None:
    """transformers ordered them by time, and warned that a fast disk's times "may not be reliable"."""
    with pytest.raises(Killed):
        fit(tiny_student, tmp_path / "cut", on_step=killer(8))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(tiny_student, tmp_path / "cut")
    assert [str(warning.message) for warning in caught if "mtime" in str(warning.message)] == []


def test_a_checkpoint_whose_best_weights_are_damaged_is_not_trained_on(tiny_student: Student, tmp_path: Path) -> None:
    """The best weights are loaded at the end, from a checkpoint that may be an older one."""
    options = replace(OPTIONS, eval_steps=7, early_stopping_patience=3)
    against = contrary(tiny_student)
    whole = fit(tiny_student, tmp_path / "whole", options, epochs=40.0, valid=against)
    assert whole.best_step is not None
    with pytest.raises(Killed):
        fit(tiny_student, tmp_path / "cut", options, epochs=40.0, valid=against, on_step=killer(whole.best_step + 8))
    flip_a_bit(tmp_path / "cut" / "checkpoints" / f"checkpoint-{whole.best_step}" / "adapter_model.safetensors")
    assert fit(tiny_student, tmp_path / "cut", options, epochs=40.0, valid=against).losses == whole.losses
    name = "adapter_model.safetensors"
    assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_it_stops_early_and_keeps_the_best(tiny_student: Student, tmp_path: Path) -> None:
    """With examples that contradict the training data the validation loss rises, and the first step is kept."""
    against = contrary(tiny_student)
    options = replace(OPTIONS, eval_steps=7, early_stopping_patience=3)
    trace = fit(tiny_student, tmp_path / "a", options, epochs=40.0, valid=against)
    losses = dict(trace.valid_losses)
    assert trace.steps < 40 * 7
    assert trace.best_step == min(losses, key=losses.__getitem__)
    assert [p.name for p in (tmp_path / "a").iterdir() if p.is_dir()] == []
    options = replace(options, learning_rate=1e-12, early_stopping_patience=None)
    after = fit(tiny_student, tmp_path / "b", options, epochs=1.0, valid=against, start_from=tmp_path / "a")
    assert after.valid_losses[-1][1] == pytest.approx(losses[trace.best_step or 0], rel=1e-4)


def test_without_early_stopping_the_last_weights_are_kept_and_reported(tiny_student: Student, tmp_path: Path) -> None:
    """A checkpoint with the best validation loss was once reported as the saved weights."""
    options = replace(OPTIONS, eval_steps=7, save_steps=7)
    trace = fit(tiny_student, tmp_path / "a", options, epochs=20.0, valid=contrary(tiny_student))
    losses = dict(trace.valid_losses)
    assert min(losses, key=losses.__getitem__) != trace.steps
    assert trace.best_step is None


def launch(arguments: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.slow
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
    for name, size in (("one", 4), ("two", 2)):
        words = [*train, "-o", name, "--set", f"training.per_device_train_batch_size={size}"]
        ran = fdd_edge(*words, cwd=tmp_path) if name == "one" else launch([*two, *words], tmp_path)
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
    assert "`fdd-edge run` is a single process" in ran.stderr
    assert not (tmp_path / "run").exists()
