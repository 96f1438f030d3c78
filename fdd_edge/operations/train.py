"""Training a student on a round's problems, and merging the adapter into it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fdd_edge.artifacts.recipe import GgufRecipe
from fdd_edge.distributed import is_first_process, local_world_size, rank, world_size
from fdd_edge.errors import FddError
from fdd_edge.ondevice.model_files import decoder_start
from fdd_edge.ondevice.prompt import Prompt
from fdd_edge.operations.export import check_disk, count_parameters, warn_of_rounding
from fdd_edge.operations.problem_sets import REPEAT
from fdd_edge.parity import relative_error
from fdd_edge.progress import announce, progress
from fdd_edge.records import Problem
from fdd_edge.resolve.student import MODEL_CARD, Student
from fdd_edge.safetensors_folder import tensor_names, weight_files

__all__ = [
    "MERGE_VERSION",
    "QUANTIZED_COPIES",
    "TRAIN_VERSION",
    "check_training",
    "merge",
    "quantized_weights",
    "train",
]

TRAIN_VERSION = 2
MERGE_VERSION = 3

_QUANTIZED = "quantized"
QUANTIZED_COPIES = 1.4
"""Of the student in float32: its float file, and the quantized one beside it."""

_EMBEDDINGS = ("lm_head", "embed_tokens", "shared")
"""Names of the modules that share one matrix where a head is tied, in every family."""


def train(
    student: Student,
    problems: Sequence[Problem],
    out: Path,
    *,
    template: str,
    lora: dict[str, Any],
    training: dict[str, Any],
    dtype: str,
    seed: int,
    valid: Sequence[Problem] = (),
    start_from: Path | None = None,
    aware_of: GgufRecipe | None = None,
) -> None:
    """Train a LoRA adapter on problem records and write it, with ``training.json``, to ``out``.

    Under ``accelerate launch`` every process calls this; the first alone writes.

    Args:
        student: What is trained.
        problems: What it learns; those without a program are left out.
        out: Folder for the adapter.
        template: The prompt, holding ``{question}``.
        lora: The config's ``lora``.
        training: The config's ``training``.
        dtype: ``auto``, ``float32`` or ``bfloat16``.
        seed: Order of the data, initial adapter.
        valid: What the validation loss is taken on; those without a program are left out.
        start_from: An adapter to go on from.
        aware_of: Quantization-aware training: the recipe that weights are rounded by in the forward pass.

    Raises:
        FddError: No problem is left to train on, an id differs from what the device would see, or early stopping is
            asked for and there is nothing to take a validation loss on; or ``check_training`` refuses.
    """
    from fdd_edge.students.lora_training import LoraSettings, train_adapter

    check_training(student, lora["target_modules"], aware_of)
    examples, too_long = _examples(student, problems, template, training["max_length"])
    if not examples:
        raise FddError(f"There is no problem that can be trained on ({too_long} are longer than max_length).")
    held = _examples(student, valid, template, training["max_length"])[0]
    if training["early_stopping_patience"] is not None and not held:
        raise FddError(
            "training.early_stopping_patience needs a validation loss, and no problem of valid has a program: "
            "name a set with programs under data.valid, or leave the key out."
        )
    settings = _settings(training, dtype, seed, tokens=sum(len(e.prompt_ids) + len(e.completion_ids) for e in examples))
    shape = LoraSettings(lora["r"], lora["lora_alpha"], lora["lora_dropout"], tuple(lora["target_modules"]))
    per_step = settings.per_device_train_batch_size * settings.gradient_accumulation_steps * world_size()
    steps = round(-(-len(examples) // per_step) * settings.num_train_epochs)
    if aware_of is not None:
        warn_of_rounding(aware_of.type, [aware_of])
        announce(f"reading the tensor types of {aware_of.name} ...")
    title = f"training on {len(examples)} examples"
    with quantized_weights(student, aware_of, out) as quantized, progress(title, steps) as advance:
        trace = train_adapter(
            student.folder,
            examples,
            out,
            lora=shape,
            settings=settings,
            base_name=student.name,
            valid=held,
            start_from=start_from,
            quantized=quantized,
            on_step=lambda step, of, loss: advance(step),
        )
    if is_first_process():
        facts = {"examples": len(examples), "too_long": too_long, "bf16": settings.bf16} | trace._asdict()
        (out / "training.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _settings(training: Mapping[str, Any], dtype: str, seed: int, *, tokens: int) -> Any:
    """Return the config's ``training`` as the trainer takes it, for examples of so many tokens together."""
    from fdd_edge.students.lora_training import TrainSettings, cpu_has_bf16

    return TrainSettings(
        learning_rate=training["learning_rate"],
        num_train_epochs=training["max_tokens"] / tokens if training["max_tokens"] else training["num_train_epochs"],
        per_device_train_batch_size=training["per_device_train_batch_size"],
        gradient_accumulation_steps=training["gradient_accumulation_steps"],
        max_length=training["max_length"],
        seed=seed,
        bf16=dtype == "bfloat16" or (dtype == "auto" and cpu_has_bf16()),
        threads=training["threads"] or max(1, len(os.sched_getaffinity(0)) // local_world_size()),
        eval_steps=training["eval_steps"],
        early_stopping_patience=training["early_stopping_patience"],
        save_steps=training["save_steps"],
    )


def check_training(student: Student, target_modules: Sequence[str], aware_of: GgufRecipe | None) -> None:
    """Refuse what cannot be trained, before anything is made.

    Raises:
        FddError: An adapter has no matrix of the student, or would sit on one that is both embedding and head: merged,
            it would part the two, or change both. Or there is no grid for the recipe that is trained for.
    """
    from fdd_edge.artifacts.gguf import check_architecture, hf_names
    from fdd_edge.students.grids import GRIDS

    if aware_of is not None and aware_of.type.upper() not in GRIDS:
        raise FddError(
            f"training.quantization_aware: {aware_of.name} holds {aware_of.type}, which cannot be trained for yet. "
            f"Types that can: {', '.join(kind.lower() for kind in GRIDS)}."
        )
    config = json.loads((student.folder / "config.json").read_text(encoding="utf-8"))
    is_seq2seq = decoder_start(student.folder) is not None
    shared = [module for module in target_modules if module.rsplit(".", 1)[-1] in _EMBEDDINGS]
    if shared and (is_seq2seq or check_architecture(student.folder).is_tied(config)):
        raise FddError(
            f"lora.target_modules names {' and '.join(shared)}, but the head of {student.name} is tied to its "
            "embeddings, and a merged adapter would change both: leave it out."
        )
    stored = tensor_names(student.folder) if is_seq2seq else hf_names(student.folder).values()
    names = [name.removesuffix(".weight") for name in stored if name.endswith(".weight")]
    modules = {name.rsplit(".", 1)[-1] for name in names if not name.endswith("norm")}
    if unknown := [module for module in target_modules if module.rsplit(".", 1)[-1] not in modules]:
        raise FddError(
            f"lora.target_modules names {unknown[0]!r}, which {student.name} does not have. "
            f"It has: {', '.join(sorted(modules))}."
        )


@contextmanager
def quantized_weights(student: Student, recipe: GgufRecipe | None, out: Path) -> Iterator[Any]:
    """Quantize a student by a recipe, for the tensor types it gives and the weights as they are read back.

    The files lie in ``out`` while they are needed, each process's own.
    """
    if recipe is None:
        yield None
        return
    from fdd_edge.artifacts.gguf import QuantizedFile, quantize_gguf, write_float_gguf

    check_disk(out, count_parameters(student.folder), copies=QUANTIZED_COPIES * local_world_size())
    folder = out / f"{_QUANTIZED}-{rank()}"
    folder.mkdir(parents=True, exist_ok=True)
    whole, small = folder / "float.gguf", folder / "quantized.gguf"
    write_float_gguf(student.folder, student.vocab, whole, metadata={})
    quantize_gguf(whole, small, recipe.type, recipe=recipe.name)
    whole.unlink()
    yield QuantizedFile(small, student.folder)
    shutil.rmtree(folder)


def merge(student: Student, adapter: Path, out: Path, *, template: str, aware_of: GgufRecipe | None = None) -> None:
    """Merge an adapter into its student, in float32, with tokenizer, vocabulary and prompt beside the weights.

    Quantization-aware training has seen the weights rounded, so rounded they are written: the folder is the model that
    was trained, and every artifact of it is made from that model and held against it. Matrices that a recipe keeps at a
    type without a grid (a K-quant head) stay as they are, because rounding those twice would not give the same file.

    Args:
        student: What was trained.
        adapter: Folder of the adapter.
        out: Folder for the merged student.
        template: The prompt it was trained on.
        aware_of: The recipe whose rounding it was trained for.
    """
    from fdd_edge.students.adapter_merge import merge_adapter

    announce("merging ...")
    merge_adapter(student.folder, adapter, out)
    for vocab in student.vocabs:
        shutil.copy2(vocab, out / vocab.name)
    if aware_of is not None:
        with quantized_weights(student._replace(folder=out), aware_of, out) as quantized:
            _round_weights(out, quantized, most=aware_of.parity.tensors)
    card = {
        "prompt_template": template,
        "base": student.name,
        "base_sha256": student.sha256,
        "base_revision": student.revision,
        "license": student.license,
        "quantization_aware": aware_of and aware_of.type,
    }
    (out / MODEL_CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def _round_weights(folder: Path, quantized: Any, *, most: float) -> None:
    """Put the matrices of a float32 folder onto the grids of its quantized file, in place.

    Raises:
        FddError: A matrix comes back from the file further from itself than rounding explains. No certificate would
            see it later, because both of its sides are made from this folder.
    """
    from safetensors.numpy import load_file, save_file

    from fdd_edge.students.grids import GRIDS

    for path in weight_files(folder):
        tensors = load_file(path)
        for name, weight in tensors.items():
            if weight.ndim < 2 or quantized.type_of(name) not in GRIDS:
                continue
            tensors[name] = quantized.dequantized(name)
            if (error := relative_error(tensors[name], weight)) > most:
                raise FddError(
                    f"{name} is read back with a relative error of {error:.2g}, and rounding makes {most:g}."
                )
        save_file(tensors, path, metadata={"format": "pt"})


def _examples(student: Student, problems: Sequence[Problem], template: str, max_length: int) -> tuple[list[Any], int]:
    """Encode the problems, prove the ids against the device's tokenizer, and leave out what is too long."""
    from fdd_edge.students.tokenizer import encode_examples, load_tokenizer

    prompt = Prompt.parse(template)
    pairs: list[tuple[str, str]] = []
    for problem in problems:
        if problem.program is not None:
            pairs += [(prompt.render(problem.question), problem.program)] * int(problem.extra.get(REPEAT, 1))
    tokenizer = load_tokenizer(student.folder)
    start = decoder_start(student.folder)
    examples = encode_examples(tokenizer, pairs, adds_bos=student.adds_bos, decoder_start=start)
    for vocab in student.vocabs:
        _prove_ids(vocab, pairs, examples)
    short = [e for e in examples if len(e.prompt_ids) + len(e.completion_ids) <= max_length]
    return short, len(examples) - len(short)


def _prove_ids(vocab: Path, pairs: Sequence[tuple[str, str]], examples: Sequence[Any]) -> None:
    """Hold every training id against a runtime reading the vocabulary that will be exported.

    The ids must be those the device would see, and those of a program must be written back as that very program:
    one that holds an end token would be cut there, and some tokenizers lose spaces or newlines.
    """
    from fdd_edge.artifacts.vocab import open_vocab

    with open_vocab(vocab) as device:
        # A problem that is repeated need not be proved again.
        for (prompt, program), example in dict(zip(pairs, examples, strict=True)).items():
            *written, end = example.completion_ids
            sides = (
                (prompt, example.prompt_ids, device.encode_prompt(prompt)),
                (program, written, device.encode(program)),
                ("the end of a reply", [end], [device.eos]),
            )
            for text, ids, seen in sides:
                if seen != ids:
                    raise FddError(f"The device would see other ids than training for {text!r}: {seen}, not {ids}.")
            back = device.write_back(written)
            if back != program.encode():
                raise FddError(
                    f"The student's tokenizer cannot write a program back: {program!r} would be read as "
                    f"{back.decode(errors='replace')!r}; change that program, or leave its problem out."
                )
