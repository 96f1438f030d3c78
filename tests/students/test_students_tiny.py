"""Training and merging, on the tiny student."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from architectures import Case

from fdd_edge.errors import FddError
from fdd_edge.operations.merge import merge
from fdd_edge.operations.train import TrainingSetup, train
from fdd_edge.records import Problem, write_jsonl
from fdd_edge.resolve.prompts import student_prompt
from fdd_edge.resolve.student import Student
from fdd_edge.students.float_model import Reference
from fdd_edge.students.load import load_model
from fdd_edge.students.lora_training import train_adapter
from fdd_edge.students.model_card import read_license
from fdd_edge.students.tokenizer import encode_examples, encode_prompts, load_tokenizer
from fdd_edge.students.training_options import LoraOptions, ResolvedTraining, TrainingOptions

LORA = LoraOptions(4, 8, target_modules=("q_proj", "v_proj", "down_proj"))
OPTIONS = TrainingOptions(learning_rate=5e-3)
RESOLVED = ResolvedTraining(1.0, seed=0, bf16=False, threads=1)
PAIRS = [
    (f"Question: Tom had {n} figs and got {k}.\nProgram:\n", f"answer = {n} + {k}") for n in range(2, 8) for k in (3, 9)
]


def fit(student: Student, out: Path, **changes: object) -> tuple[list[float], Path]:
    resolved = replace(RESOLVED, **changes)  # type: ignore[arg-type]
    examples = encode_examples(load_tokenizer(student.folder), PAIRS)
    trace = train_adapter(
        student.folder, examples, out, lora=LORA, options=OPTIONS, resolved=resolved, base_name=student.name
    )
    return trace.losses, out


def test_the_same_seed_trains_the_same_adapter(tiny_student: Student, tmp_path: Path) -> None:
    first, second, other = (fit(tiny_student, tmp_path / n, seed=s)[1] for n, s in (("a", 0), ("b", 0), ("c", 1)))
    weights = [(p / "adapter_model.safetensors").read_bytes() for p in (first, second, other)]
    assert weights[0] == weights[1] != weights[2]


def test_training_lowers_the_loss(tiny_student: Student, tmp_path: Path) -> None:
    losses, _ = fit(tiny_student, tmp_path / "a", num_train_epochs=20.0)
    assert losses[-1] < losses[0] / 2


def test_the_loss_covers_only_the_completion(tiny_student: Student, tmp_path: Path) -> None:
    """With everything in one batch, the logged loss is torch's own loss with the prompt masked."""
    import torch

    examples = encode_examples(load_tokenizer(tiny_student.folder), PAIRS)
    trace = train_adapter(
        tiny_student.folder,
        examples,
        tmp_path / "a",
        lora=LORA,
        base_name="tiny",
        options=TrainingOptions(per_device_train_batch_size=len(PAIRS), learning_rate=1e-12),
        resolved=replace(RESOLVED, num_train_epochs=10.0),
    )
    model, total, n = load_model(tiny_student.folder), 0.0, 0
    for e in examples:
        ids = torch.tensor([[*e.prompt_ids, *e.completion_ids]])
        labels = ids.clone()
        labels[0, : len(e.prompt_ids)] = -100
        total += float(model(input_ids=ids, labels=labels).loss.detach()) * len(e.completion_ids)
        n += len(e.completion_ids)
    assert trace.losses[-1] == pytest.approx(total / n, rel=1e-3)


def test_merging_adds_the_scaled_product_in_float32(tiny_student: Student, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    _, adapter = fit(tiny_student, tmp_path / "adapter", num_train_epochs=3.0)
    merge(tmp_path / "merged", adapter=adapter, student=tiny_student, template="{question}", qat_recipe=None)
    name = "model.layers.0.self_attn.q_proj"
    lora = load_file(adapter / "adapter_model.safetensors")
    a, b = (lora[f"base_model.model.{name}.lora_{part}.weight"].float() for part in "AB")
    base, merged = (
        load_file(p / "model.safetensors")[f"{name}.weight"] for p in (tiny_student.folder, tmp_path / "merged")
    )
    assert (merged - (base + LORA.lora_alpha / LORA.r * b @ a)).abs().max() < 1e-6
    assert (merged - base).abs().max() > 1e-4
    for file in ("tokenizer.json", "vocab.gguf", "fdd_edge.json"):
        assert (tmp_path / "merged" / file).is_file()


def test_continuing_from_an_adapter_starts_where_it_stopped(tiny_student: Student, tmp_path: Path) -> None:
    losses, adapter = fit(tiny_student, tmp_path / "a", num_train_epochs=20.0)
    examples = encode_examples(load_tokenizer(tiny_student.folder), PAIRS)
    more = train_adapter(
        tiny_student.folder,
        examples,
        tmp_path / "b",
        lora=LORA,
        options=OPTIONS,
        resolved=replace(RESOLVED, num_train_epochs=4.0),
        base_name="tiny",
        start_from=adapter,
    )
    assert more.losses[0] < losses[0] / 2


def records(path: Path, n: int) -> Path:
    rows = [Problem(f"p{i}", f"Tom had {i} figs.", i, "test", program=f"answer = {i}") for i in range(n)]
    write_jsonl(path, (row.to_row() for row in rows))
    return path


def stage(student: Student, data: Path, out: Path, **training: Any) -> None:
    (none := data.with_name("none.jsonl")).touch()
    train(
        out,
        problems=data,
        valid=none,
        start_from=None,
        student=student,
        template=student_prompt("plain", student.folder),
        setup=TrainingSetup(LoraOptions(r=2), replace(TrainingOptions(threads=1), **training), "float32", seed=0),
    )


def test_long_examples_are_left_out_and_counted(tiny_student: Student, tmp_path: Path) -> None:
    data = records(tmp_path / "d.jsonl", 8)
    long = Problem("long", "Tom had 3 figs. " * 200, 3, "test", program="answer = 3")
    with data.open("a", encoding="utf-8") as file:
        file.write(json.dumps(long.to_row()) + "\n")
    stage(tiny_student, data, tmp_path / "a")
    facts = json.loads((tmp_path / "a" / "training.json").read_text(encoding="utf-8"))
    assert (facts["examples"], facts["too_long"]) == (8, 1)


def test_nothing_to_train_on_is_one_sentence(tiny_student: Student, tmp_path: Path) -> None:
    with pytest.raises(FddError, match="There is no problem to train on"):
        stage(tiny_student, records(tmp_path / "d.jsonl", 3), tmp_path / "a", max_length=2)


def test_different_ids_on_the_device_stop_the_training(tiny_student: Student, tmp_path: Path) -> None:
    """The tokenizer that transformers rebuilds from a GGUF file does not split digits, so its ids differ."""
    import shutil

    folder = Path(shutil.copytree(tiny_student.folder, tmp_path / "student"))
    spec = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    spec["pre_tokenizer"] = spec["pre_tokenizer"]["pretokenizers"][-1]
    (folder / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    spoiled = tiny_student._replace(folder=folder)
    rows = [Problem("p", "Tom had  3 figs.", 3, "test", program="answer = 3")]
    write_jsonl(tmp_path / "d.jsonl", (row.to_row() for row in rows))
    with pytest.raises(FddError, match=r"The device would encode .* but training used"):
        stage(spoiled, tmp_path / "d.jsonl", tmp_path / "a")


@pytest.mark.parametrize(
    ("case", "program", "back"),
    [
        (Case("qwen2"), 'say = "<|im_end|>"\nanswer = 1', "'say = \"'"),
        (Case("qwen2"), 'say = "<|im_start|>"\nanswer = 1', """'say = ""\\\\nanswer = 1'"""),
        (Case("gemma3"), 'say = "a▁b"\nanswer = 1', """'say = "a b"\\\\nanswer = 1'"""),
    ],
)
def test_a_program_that_cannot_be_written_back_stops_the_training(
    case: Case, program: str, back: str, architecture_student: Callable[[Case], Student], tmp_path: Path
) -> None:
    """Both sides agree on the ids, but the device would decode them to a different text."""
    rows = [Problem("p", "Tom had 3 figs.", 1, "test", program=program)]
    write_jsonl(tmp_path / "d.jsonl", (row.to_row() for row in rows))
    with pytest.raises(FddError, match=r"cannot reproduce a program: .* would become") as error:
        stage(architecture_student(case), tmp_path / "d.jsonl", tmp_path / "a")
    assert back.replace("\\\\", "\\") in str(error.value)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("case", [Case("qwen2"), Case("gemma3")], ids=str)
def test_every_architecture_is_trained_merged_and_exported(
    case: Case, architecture_student: Callable[[Case], Student], tmp_path: Path
) -> None:
    """Training ids, adapter, merge, float file: the merged student's file gives the same answers as torch."""
    from fdd_edge.artifacts.recipe import load_recipe
    from fdd_edge.operations.export import export_all
    from fdd_edge.resolve.model import open_float_model

    student = architecture_student(case)
    stage(student, records(tmp_path / "d.jsonl", 8), tmp_path / "adapter")
    template = student_prompt("plain", student.folder)
    licensed, merged = student._replace(license="mit"), tmp_path / "merged"
    merge(merged, adapter=tmp_path / "adapter", student=licensed, template=template, qat_recipe=None)
    source = open_float_model(str(merged), prompt=None)
    assert (source.base, source.trained, source.student.license) == (student.name, True, "mit")
    assert source.student.adds_bos == student.adds_bos
    (card,) = export_all(source, tmp_path / "out", [load_recipe("gguf-q8_0")])
    assert (card["architecture"], card["base"], card["license"]) == (case.architecture, student.name, "mit")


@pytest.mark.parametrize(
    ("card", "license"),
    [
        ("---\nlicense: apache-2.0\ntags: [math]\n---\n# Model\n", "apache-2.0"),
        ("---\r\nlicense: gemma\r\n---\r\n", "gemma"),
        ("---\ntags: [math]\n---\nlicense: mit\n", None),
        ("# Model\nlicense: mit\n", None),
        ("---\nlicense: [a, b\n---\n", None),
        ("---\njust text\n---\n", None),
        (None, None),
    ],
)
def test_the_license_is_read_from_the_model_card(card: str | None, license: str | None, tmp_path: Path) -> None:
    if card is not None:
        (tmp_path / "README.md").write_bytes(card.encode())
    assert read_license(tmp_path) == license


def test_the_reference_generates_the_same_alone_and_in_a_batch(tiny_student: Student) -> None:
    """Prompts of other lengths in the batch, padded on the left, must change neither ids nor logits."""
    import torch

    prompts = load_tokenizer(tiny_student.folder)([pair[0] for pair in PAIRS[:5]])["input_ids"]
    prompts[0] = prompts[0][-3:]
    reference = Reference(tiny_student.folder)
    written = reference.generate(prompts, max_new_tokens=12, eos_ids={0}, keep={0, 4})
    model = load_model(tiny_student.folder)
    for prompt, own in zip(prompts, written, strict=True):
        with torch.inference_mode():
            logits = model(torch.tensor([[*prompt, *own.ids]])).logits[0, len(prompt) - 1 : -1].numpy()
        assert own.ids == tuple(logits.argmax(1))
        assert own.ids.index(0) == len(own.ids) - 1 if 0 in own.ids else len(own.ids) == 12
        assert own.rows == tuple(sorted({n for n in (0, 4) if n < len(own.ids)} | {len(own.ids) - 1}))
        assert np.abs(own.logits - logits[list(own.rows)]).max() < 1e-3
        top = np.sort(logits, axis=1)[:, -2:]
        assert np.abs(np.array(own.leads) - (top[:, 1] - top[:, 0])).max() < 1e-3


def test_options_are_plain_values() -> None:
    assert json.loads(json.dumps(asdict(RESOLVED)))["bf16"] is False
    assert json.loads(json.dumps(asdict(OPTIONS)))["learning_rate"] == 5e-3


def test_saving_an_adapter_makes_no_request_and_records_no_path(
    tiny_student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PEFT asked the hub for a repository named like the student, with 25 seconds of retries offline."""
    import huggingface_hub

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the hub was asked")

    for name in ("file_exists", "hf_hub_download", "snapshot_download"):
        monkeypatch.setattr(huggingface_hub, name, refuse)
        monkeypatch.setattr(f"peft.utils.save_and_load.{name}", refuse, raising=False)
    _, adapter = fit(tiny_student, tmp_path / "a")
    assert str(tiny_student.folder) not in (adapter / "adapter_config.json").read_text(encoding="utf-8")


def test_a_vocabulary_that_adds_bos_adds_it_to_prompts_once(tiny_student: Student) -> None:
    """Prompts once lacked the BOS that the runner adds, so training and device saw different ids."""
    tokenizer = load_tokenizer(tiny_student.folder)
    tokenizer.bos_token = tokenizer.eos_token
    bos = tokenizer.bos_token_id
    plain, begun = encode_prompts(tokenizer, ["Tom", f"{tokenizer.bos_token}Tom"], adds_bos=True)
    assert plain == begun == [bos, *encode_prompts(tokenizer, ["Tom"], adds_bos=False)[0]]
