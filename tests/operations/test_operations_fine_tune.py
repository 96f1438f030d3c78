"""`fdd-edge train` resumes: a finished adapter is kept when only the merge was interrupted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import fdd_edge
from fdd_edge.errors import FddError
from fdd_edge.operations import fine_tune as module
from fdd_edge.operations.fine_tune import fine_tune
from fdd_edge.operations.train import TrainingSetup
from fdd_edge.operations.training_record import TrainingRecord, read_training, write_training
from fdd_edge.progress import Advance
from fdd_edge.records import Problem
from fdd_edge.resolve.student import Student, open_student
from fdd_edge.runs.atomic import partial_of
from fdd_edge.students.tokenizer import encode_texts, load_tokenizer
from fdd_edge.students.training_options import LoraOptions, TrainingOptions

PROBLEM = Problem("a", "Ann has 4 pens and finds 5. How many pens?", 9, "own", program="answer = 4 + 5")
SETUP = TrainingSetup(LoraOptions(r=2), TrainingOptions(threads=1), "float32", seed=0)


@pytest.fixture
def interrupt_merge(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Path], Path]:
    """Return a function that trains but dies while merging; it returns the weights of the adapter."""

    def killed(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    def start(folder: Path, out: Path) -> Path:
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(module, "merge", killed)
            fine_tune([PROBLEM], out, open_student(str(folder)), "plain", SETUP)
        return partial_of(out) / "adapter" / "adapter_model.safetensors"

    return start


def is_file_of(weights: tuple[int, int], out: Path) -> bool:
    """Return whether the adapter's file is the one with this inode and time: not trained again to equal bytes."""
    return inode_and_time(out / "adapter" / "adapter_model.safetensors") == weights


def inode_and_time(path: Path) -> tuple[int, int]:
    return path.stat().st_ino, path.stat().st_mtime_ns


def test_training_says_how_many_tokens_the_terse_form_saves(
    tiny_student: Student, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written = replace(PROBLEM, id="b", written="pens = 4\nfound = 5\nanswer = pens + found", repeat=2)
    tokenizer = load_tokenizer(tiny_student.folder)
    short, long = (len(ids) + 1 for ids in encode_texts(tokenizer, [str(PROBLEM.program), str(written.written)]))
    caplog.set_level("INFO", "fdd_edge")
    for name, problems, saved in (("a", [PROBLEM], 0), ("b", [PROBLEM, written], 2 * (long - short))):
        fine_tune(problems, tmp_path / name, tiny_student, "plain", SETUP)
        trained = read_training(tmp_path / name / "adapter")
        assert (trained.program_tokens, trained.tokens_saved) == (short * trained.examples, saved)
    assert f"programs: {short} tokens, as they were written" in caplog.messages
    assert f"programs: {3 * short:,} tokens, {2 * (long - short):,} fewer than as written" in caplog.messages


def test_as_many_steps_are_announced_as_are_trained(
    tiny_student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said "419/418", and "-10 s left" while the validation loss was computed."""
    shown: list[tuple[str, int, int]] = []

    @contextmanager
    def recorded(title: str, total: int, unit: str = "") -> Iterator[Advance]:
        yield lambda done: shown.append((title, done, total))

    for where in ("fdd_edge.operations.train.progress", "fdd_edge.students.hf_trainer.progress"):
        monkeypatch.setattr(where, recorded)
    problems = [replace(PROBLEM, id=f"{i}") for i in range(6)]
    setup = replace(SETUP, training=TrainingOptions(threads=1, per_device_train_batch_size=2, num_train_epochs=0.4))
    fine_tune(problems, tmp_path / "out", tiny_student, "plain", setup, valid=problems[:3])
    (training,) = {title for title, _, _ in shown} - {"validation loss"}
    assert [(done, of) for title, done, of in shown if title == training][-1] == (2, 2)
    assert [(done, of) for title, done, of in shown if title != training] == [(1, 2), (2, 2)]


def test_the_record_of_an_earlier_version_says_nothing_about_it(tmp_path: Path) -> None:
    record = TrainingRecord(
        examples=1,
        too_long=0,
        bf16=False,
        steps=1,
        losses=[1.0],
        valid_losses=[],
        tokens=9,
        seconds=1.0,
        best_step=None,
    )
    write_training(tmp_path, record)
    path = tmp_path / "training.json"
    earlier = {k: v for k, v in json.loads(path.read_text()).items() if k not in ("program_tokens", "tokens_saved")}
    path.write_text(json.dumps(earlier))
    assert read_training(tmp_path) == record


def test_an_edited_generation_config_keeps_the_finished_adapter(
    tiny_student: Student, tmp_path: Path, interrupt_merge: Callable[[Path, Path], Path]
) -> None:
    folder, out = shutil.copytree(tiny_student.folder, tmp_path / "student"), tmp_path / "out"
    adapter = inode_and_time(interrupt_merge(folder, out))
    config = folder / "generation_config.json"
    kept = json.loads(config.read_text()) if config.is_file() else {}
    config.write_text(json.dumps(kept | {"temperature": 0.7, "do_sample": True}))
    (folder / "README.md").write_text("# Edited\n")
    fine_tune([PROBLEM], out, open_student(str(folder)), "plain", SETUP)
    assert is_file_of(adapter, out)
    assert (out / "merged" / "model.safetensors").is_file()
    assert {path.name for path in (out / "adapter").iterdir() if path.name.startswith(".")} == set()


def test_changed_weights_train_a_new_adapter(
    tiny_student: Student, tmp_path: Path, interrupt_merge: Callable[[Path, Path], Path]
) -> None:
    from safetensors.torch import load_file, save_file

    folder, out = shutil.copytree(tiny_student.folder, tmp_path / "student"), tmp_path / "out"
    adapter = inode_and_time(interrupt_merge(folder, out))
    weights = folder / "model.safetensors"
    save_file({name: tensor * 1.5 for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    fine_tune([PROBLEM], out, open_student(str(folder)), "plain", SETUP)
    assert not is_file_of(adapter, out)


def test_a_damaged_adapter_is_trained_again(
    tiny_student: Student, tmp_path: Path, interrupt_merge: Callable[[Path, Path], Path]
) -> None:
    """After a kill while merging, an adapter with a flipped bit was merged."""
    out = tmp_path / "out"
    weights = interrupt_merge(tiny_student.folder, out)
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    fine_tune([PROBLEM], out, open_student(str(tiny_student.folder)), "plain", SETUP)
    assert (out / "adapter" / "adapter_model.safetensors").read_bytes() == whole


def flipped(content: bytes) -> bytes:
    return content.replace(b"Question", b"question")


@pytest.mark.parametrize(
    "damage",
    [
        flipped,
        lambda content: content[:20],
        lambda content: b"\xff" + content[1:],
        lambda content: b"[" * 50_000,
        lambda content: b"[]",
        lambda content: b'{"asked": "plain"}',
        lambda content: b'{"sha256": 1, "asked": [], "student": {}, "template": 5}',
    ],
    ids=["flipped", "cut", "not UTF-8", "deep", "list", "incomplete", "other types"],
)
def test_a_damaged_prompt_of_unfinished_work_is_made_again(
    tiny_student: Student,
    tmp_path: Path,
    interrupt_merge: Callable[[Path, Path], Path],
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[bytes], bytes],
) -> None:
    """Every later call ended in a traceback, or trained on what the flipped bit made of it."""
    out = tmp_path / "out"
    adapter = inode_and_time(interrupt_merge(tiny_student.folder, out))
    stored = partial_of(out) / "prompt.json"
    stored.write_bytes(damage(stored.read_bytes()))
    fine_tune([PROBLEM], out, open_student(str(tiny_student.folder)), "plain", SETUP)
    assert f"{stored} has been damaged, so it is made again" in capsys.readouterr().err
    assert is_file_of(adapter, out)  # the prompt is the same, so nothing is trained again
    card = json.loads((out / "merged" / "fdd_edge.json").read_text(encoding="utf-8"))
    assert card["prompt_template"].startswith("Question")


def test_the_api_returns_what_it_left_out(tiny_student: Student, tmp_path: Path) -> None:
    rows = [
        {"question": PROBLEM.question, "answer": 9, "program": PROBLEM.program},
        {"question": "Bo has 4 pens and finds 2. How many pens?", "answer": 6, "program": "answer = 99"},
        {"question": "Cy has 4 pens and finds 3. How many pens?", "answer": 7},
    ]
    overrides = [f"student.model_name_or_path={tiny_student.folder}", "training.num_train_epochs=1"]
    made = fdd_edge.train("smoke", rows, tmp_path / "out", overrides=overrides)
    assert made.left_out == {"wrong_answer": 1, "no_rationale": 1}
    assert json.loads((made.adapter / "training.json").read_text())["examples"] == 1


def test_no_process_writes_before_all_have_read_the_stored_prompt(
    tiny_student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second process once read `prompt.json` while the first one was writing it, and died of half a JSON text."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    seen: list[list[str]] = []

    def meet() -> None:
        seen.append([path.name for path in tmp_path.rglob("*")])
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_wait_for_processes", meet)
    with pytest.raises(KeyboardInterrupt):
        fine_tune([PROBLEM], tmp_path / "out", tiny_student, "plain", SETUP)
    assert seen == [[]]


@pytest.mark.parametrize(
    "content",
    [
        '{"temperature": 0.7}',
        '{"top_p": 5}',
        '{"early_stopping": true, "num_beams": 1, "num_return_sequences": 4}',
        '{"unheard_of": {"a": [1]}, "max_new_tokens": 0}',
        '{"pad_token_id": -1}',
    ],
)
def test_a_generation_config_that_transformers_refuses_is_kept_as_it_is(
    tiny_student: Student, tmp_path: Path, content: str
) -> None:
    """The whole training was done, and then merging ended in "GenerationConfig is invalid"."""
    folder, out = shutil.copytree(tiny_student.folder, tmp_path / "student"), tmp_path / "out"
    (folder / "generation_config.json").write_text(content)
    fine_tune([PROBLEM], out, open_student(str(folder)), "plain", SETUP)
    assert (out / "merged" / "generation_config.json").read_text() == content
    assert open_student(str(out / "merged")).folder == out / "merged"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"eos_token_id": "</s>"}', "has the eos_token_id '</s>', which is not a number"),
    ],
)
def test_a_generation_config_that_cannot_be_read_is_left_out(
    tiny_student: Student, tmp_path: Path, content: str, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = shutil.copytree(tiny_student.folder, tmp_path / "student"), tmp_path / "out"
    (folder / "generation_config.json").write_text(content)
    fine_tune([PROBLEM], out, open_student(str(folder)), "plain", SETUP)
    assert f"generation_config.json {fault}: it is left out" in capsys.readouterr().err
    assert not (out / "merged" / "generation_config.json").exists()


def test_sampling_in_the_config_itself_does_no_harm_either(tiny_student: Student, tmp_path: Path) -> None:
    """Old models have it there; transformers moved it to the generation config, and then refused that."""
    folder, out = shutil.copytree(tiny_student.folder, tmp_path / "student"), tmp_path / "out"
    config = json.loads((folder / "config.json").read_text()) | {"temperature": 0.7}
    (folder / "config.json").write_text(json.dumps(config))
    fine_tune([PROBLEM], out, open_student(str(folder)), "plain", SETUP)
    assert (out / "merged" / "model.safetensors").is_file()


def test_another_chat_template_keeps_the_finished_adapter_of_a_plain_prompt(tiny_student: Student) -> None:
    before = tiny_student.to_train().fingerprint()
    files = {**tiny_student.files, "chat template": "other", "generation_config.json": "other"}
    other = tiny_student._replace(files=files, sha256="other")
    assert other.to_train().fingerprint() == before
    assert other.fingerprint() != tiny_student.fingerprint()


def test_a_training_that_is_refused_leaves_nothing(tiny_student: Student, tmp_path: Path) -> None:
    """It left a hidden folder with nothing to go on with."""
    out = tmp_path / "out"
    setup = TrainingSetup(LoraOptions(r=2, target_modules=("nowhere",)), TrainingOptions(threads=1), "float32", seed=0)
    with pytest.raises(FddError, match="names 'nowhere', which tiny does not have"):
        fine_tune([PROBLEM], out, tiny_student, "plain", setup)
    assert list(tmp_path.iterdir()) == []


def test_a_merge_that_fails_keeps_the_finished_adapter(
    tiny_student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **options: Any) -> None:
        raise FddError("The disk is full.")

    out = tmp_path / "out"
    with monkeypatch.context() as patched, pytest.raises(FddError, match="disk is full"):
        patched.setattr(module, "merge", full)
        fine_tune([PROBLEM], out, tiny_student, "plain", SETUP)
    adapter = inode_and_time(partial_of(out) / "adapter" / "adapter_model.safetensors")
    fine_tune([PROBLEM], out, tiny_student, "plain", SETUP)
    assert is_file_of(adapter, out)
