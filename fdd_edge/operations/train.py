"""Training a LoRA adapter on problem records, after proving that the device will see the same token ids."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fdd_edge.artifacts.gguf import check_architecture, hf_names
from fdd_edge.artifacts.recipe import GgufRecipe
from fdd_edge.distributed import is_first_process, local_world_size, world_size
from fdd_edge.errors import FddError
from fdd_edge.ondevice.json_text import parse_json
from fdd_edge.ondevice.model_files import decoder_start
from fdd_edge.ondevice.prompt import Prompt
from fdd_edge.operations.export import warn_of_rounding
from fdd_edge.operations.mixing import choose_mixture, group_of, operations_of, tokens_by
from fdd_edge.operations.operation_counts import operations_group
from fdd_edge.operations.quantized_student import quantized_weights
from fdd_edge.operations.training_record import TrainingRecord, write_training
from fdd_edge.progress import announce, progress, warn
from fdd_edge.records import Problem, read_problems
from fdd_edge.resolve.student import Student
from fdd_edge.runs.fingerprint import Json, plain
from fdd_edge.safetensors_folder import tensor_names
from fdd_edge.students.grids import GRIDS
from fdd_edge.students.tracking import Tracking
from fdd_edge.students.training_options import LoraOptions, MixOptions, ResolvedTraining, TrainingOptions

if TYPE_CHECKING:
    from fdd_edge.students.lora_training import TrainingTrace
    from fdd_edge.students.mixture import Mixture
    from fdd_edge.students.tokenizer import Example

__all__ = ["TrainingSetup", "check_training", "train", "train_on"]

_EMBEDDINGS = ("lm_head", "embed_tokens", "shared")
"""Names of the modules that share one matrix if the head is tied, in every architecture."""


@dataclass(frozen=True)
class TrainingSetup:
    """How a student is trained, whatever it is trained on.

    Attributes:
        lora: Shape of the adapter.
        training: How it is trained.
        dtype: ``auto``, ``float32`` or ``bfloat16``.
        seed: Order of the data, and the initial adapter.
        qat_recipe: For quantization-aware training, the recipe by which weights are rounded in the forward pass.
        weights: How often the problems of each source are trained on, relative to others; empty if all are alike.
        round_number: So that the next round draws other examples, if examples are drawn.
    """

    lora: LoraOptions
    training: TrainingOptions
    dtype: str
    seed: int
    qat_recipe: GgufRecipe | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    round_number: int = 0

    @property
    def draw_seed(self) -> str:
        """The seed by which examples are drawn."""
        return f"mix:{self.seed}:{self.round_number}"

    def fingerprint(self) -> Json:
        """Return what the adapter depends on."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        if self.training.mix is None and not self.weights:
            # Keys that are not set are left out, or adapters made before there were these keys would be outdated.
            del found["weights"], found["round_number"]
        training = {f.name: getattr(self.training, f.name) for f in fields(self.training) if f.name != "report_to"}
        if self.training.mix is None:
            del training["mix"]
        return plain(found | {"training": training})


def train(
    out: Path,
    *,
    problems: Path,
    valid: Path,
    start_from: Path | None,
    student: Student,
    template: str,
    setup: TrainingSetup,
    tracking: Tracking | None = None,
) -> None:
    """Train an adapter on files of problem records; see ``train_on``."""
    held_out = read_problems(valid)
    train_on(
        read_problems(problems),
        out,
        student,
        template,
        setup,
        valid=held_out,
        start_from=start_from,
        tracking=tracking,
    )


def train_on(
    problems: Sequence[Problem],
    out: Path,
    student: Student,
    template: str,
    setup: TrainingSetup,
    *,
    valid: Sequence[Problem] = (),
    start_from: Path | None = None,
    tracking: Tracking | None = None,
) -> None:
    """Train a LoRA adapter on problem records and write it, with its trace, to the folder ``out``.

    Under ``accelerate launch`` every process calls this; only the first one writes.

    Args:
        problems: Training examples; those without a program are left out.
        out: Folder for the adapter, see ``AdapterFiles``.
        student: The model to train.
        template: The prompt, which holds ``{question}``.
        setup: How it is trained.
        valid: Problems for the validation loss; those without a program are left out.
        start_from: An adapter to continue from.
        tracking: Where the losses are reported to; None reports nothing.

    Raises:
        FddError: There is no problem to train on, or one has no share; a token id differs from what the device would
            see; early stopping has no validation loss to go by; or ``check_training`` refuses.
    """
    from fdd_edge.students.lora_training import train_adapter

    training, qat_recipe = setup.training, setup.qat_recipe
    check_training(student, setup.lora.target_modules, qat_recipe)
    encoded = _encode(student, problems, valid, template, training)
    examples, lengths = encoded.examples, encoded.lengths
    announce(f"programs: {encoded.program_tokens:,} tokens, {_compared(encoded.tokens_saved)}")
    mixture = choose_mixture(encoded.problems, lengths, training.mix, setup.weights, setup.draw_seed)
    resolved = _resolve(setup, sum(lengths) if mixture is None else sum(mixture.tokens(lengths).values()))
    if qat_recipe is not None:
        warn_of_rounding(qat_recipe.type, [qat_recipe])
        announce(f"reading the tensor types of {qat_recipe.name} ...")
    per_step = training.per_device_train_batch_size * training.gradient_accumulation_steps * world_size()
    size = len(examples) if mixture is None else len(mixture)
    steps = math.ceil(-(-size // per_step) * resolved.num_train_epochs)
    title = f"training on {size} examples" + ("" if mixture is None else f" an epoch, drawn from {len(examples)}")
    quantizing = nullcontext() if qat_recipe is None else quantized_weights(student, qat_recipe, out)
    with quantizing as quantized, progress(title, steps, "steps") as advance:
        trace = train_adapter(
            student.folder,
            examples,
            out,
            lora=setup.lora,
            options=training,
            resolved=resolved,
            base_name=student.name,
            valid=encoded.held_out,
            start_from=start_from,
            quantized=quantized,
            on_step=lambda step, of, loss: advance(step),
            mixture=mixture,
            tracking=tracking,
        )
    if is_first_process():
        write_training(out, _record(encoded, trace, resolved, training.mix, mixture))


def _record(
    encoded: _Encoded, trace: TrainingTrace, resolved: ResolvedTraining, mix: MixOptions | None, mixture: Mixture | None
) -> TrainingRecord:
    """Return what the training did."""
    facts = trace._asdict()
    times = facts.pop("times")
    operations = [operations_group(operations_of(problem)) for problem in encoded.problems]
    groups = [group_of(problem, mix) for problem in encoded.problems]
    return TrainingRecord(
        examples=len(encoded.examples),
        too_long=encoded.too_long,
        bf16=resolved.bf16,
        program_tokens=encoded.program_tokens,
        tokens_saved=encoded.tokens_saved,
        operation_tokens=tokens_by(operations, encoded.lengths, times),
        group_tokens=None if mixture is None else tokens_by(groups, encoded.lengths, times),
        **facts,
    )


def _compared(tokens_saved: int) -> str:
    if tokens_saved == 0:
        return "as they were written"
    return f"{abs(tokens_saved):,} {'fewer' if tokens_saved > 0 else 'more'} than as written"


def check_training(student: Student, target_modules: Sequence[str], qat_recipe: GgufRecipe | None) -> None:
    """Refuse what cannot be trained, before anything is made.

    Raises:
        FddError: The student does not have a module that should get an adapter; or the module is both embedding and
            head, so that merging would untie the two or change both; or the recipe to train for has no grid.
    """
    if qat_recipe is not None and qat_recipe.type.upper() not in GRIDS:
        raise FddError(
            f"training.quantization_aware: {qat_recipe.name} stores {qat_recipe.type}; training for it is not "
            f"supported yet. Supported: {', '.join(kind.lower() for kind in GRIDS)}."
        )
    config = parse_json((student.folder / "config.json").read_text(encoding="utf-8"))
    is_seq2seq = decoder_start(student.folder) is not None
    shared = [module for module in target_modules if module.rsplit(".", 1)[-1] in _EMBEDDINGS]
    if shared and (is_seq2seq or check_architecture(student.folder).is_tied(config)):
        raise FddError(
            f"lora.target_modules names {' and '.join(shared)}, but the head of {student.name} is tied to its "
            "embeddings, and a merged adapter would change both. Remove it."
        )
    stored = tensor_names(student.folder) if is_seq2seq else hf_names(student.folder).values()
    names = [name.removesuffix(".weight") for name in stored if name.endswith(".weight")]
    modules = {name.rsplit(".", 1)[-1] for name in names if not name.endswith("norm")}
    if unknown := [module for module in target_modules if module.rsplit(".", 1)[-1] not in modules]:
        raise FddError(
            f"lora.target_modules names {unknown[0]!r}, which {student.name} does not have. "
            f"It has: {', '.join(sorted(modules))}."
        )


class _Encoded(NamedTuple):
    """What a training sees.

    Attributes:
        problems: The problem of every training example.
        examples: Training examples.
        held_out: Those of the validation loss.
        too_long: How many problems are too long to train on.
        program_tokens: Tokens of the programs that are trained on, with the one that ends each.
        tokens_saved: How many more they would have as they were written.
    """

    problems: list[Problem]
    examples: list[Example]
    held_out: list[Example]
    too_long: int
    program_tokens: int
    tokens_saved: int

    @property
    def lengths(self) -> list[int]:
        """The tokens of every training example."""
        return [len(example.prompt_ids) + len(example.completion_ids) for example in self.examples]


def _encode(
    student: Student, problems: Sequence[Problem], valid: Sequence[Problem], template: str, training: TrainingOptions
) -> _Encoded:
    """Encode the training set and the problems of the validation loss.

    Raises:
        FddError: There is nothing to train on, or no validation loss although early stopping needs one.
    """
    fitting, too_long = _examples(student, problems, template, training.max_length)
    trained, examples = [problem for problem, _ in fitting], [example for _, example in fitting]
    if not examples:
        raise FddError(f"There is no problem to train on ({too_long} are longer than training.max_length).")
    if too_long:
        total = len(examples) + too_long
        warn(f"{too_long} of {total} examples are longer than training.max_length = {training.max_length}: left out")
    held_out = [example for _, example in _examples(student, valid, template, training.max_length)[0]]
    if training.early_stopping_patience is not None and not held_out:
        raise FddError(
            "training.early_stopping_patience needs a validation loss, but no problem of valid has a program: name a "
            "set with programs under data.valid, or remove the key."
        )
    tokens = sum(len(example.completion_ids) for example in examples)
    return _Encoded(trained, examples, held_out, too_long, tokens, _tokens_saved(student, fitting))


def _tokens_saved(student: Student, trained: Sequence[tuple[Problem, Example]]) -> int:
    """Return how many more tokens the programs that are trained on would have as they were written."""
    from fdd_edge.students.tokenizer import encode_texts, load_tokenizer

    terse = [(problem.written, example) for problem, example in trained if problem.written is not None]
    if not terse:
        return 0
    written = encode_texts(load_tokenizer(student.folder), [text for text, _ in terse], special=False)
    return sum(len(ids) + 1 - len(example.completion_ids) for ids, (_, example) in zip(written, terse, strict=True))


def _resolve(setup: TrainingSetup, tokens: float) -> ResolvedTraining:
    """Return what follows from the setup, this machine, and the number of tokens in an epoch."""
    from fdd_edge.students.lora_training import cpu_has_bf16

    training, dtype = setup.training, setup.dtype
    return ResolvedTraining(
        num_train_epochs=training.max_tokens / tokens if training.max_tokens else training.num_train_epochs,
        seed=setup.seed,
        bf16=dtype == "bfloat16" or (dtype == "auto" and cpu_has_bf16()),
        threads=training.threads or max(1, len(os.sched_getaffinity(0)) // local_world_size()),
    )


def _examples(
    student: Student, problems: Sequence[Problem], template: str, max_length: int
) -> tuple[list[tuple[Problem, Example]], int]:
    """Encode the problems, compare the ids with the device's tokenizer, and drop and count what is too long."""
    from fdd_edge.students.tokenizer import encode_examples, load_tokenizer

    prompt = Prompt.parse(template)
    solved: list[Problem] = []
    pairs: list[tuple[str, str]] = []
    for problem in problems:
        if problem.program is not None:
            solved += [problem] * problem.repeat
            pairs += [(prompt.render(problem.question), problem.program)] * problem.repeat
    tokenizer = load_tokenizer(student.folder)
    start = decoder_start(student.folder)
    examples = encode_examples(tokenizer, pairs, adds_bos=student.adds_bos, decoder_start=start)
    for vocab in student.vocabs:
        _check_ids(vocab, pairs, examples)
    fitting = [
        (problem, example)
        for problem, example in zip(solved, examples, strict=True)
        if len(example.prompt_ids) + len(example.completion_ids) <= max_length
    ]
    return fitting, len(examples) - len(fitting)


def _check_ids(vocab: Path, pairs: Sequence[tuple[str, str]], examples: Sequence[Example]) -> None:
    """Compare every training id with a runtime that reads the vocabulary that will be exported.

    The ids must be those the device would see, and the ids of a program must decode to that very program: a program
    that contains an end token would be cut there, and some tokenizers lose spaces or newlines.

    Raises:
        FddError: They differ.
    """
    from fdd_edge.artifacts.vocab import open_vocab

    with open_vocab(vocab) as device:
        # A problem that is repeated needs to be compared only once.
        for (prompt, program), example in dict(zip(pairs, examples, strict=True)).items():
            *written, end = example.completion_ids
            sides = (
                (prompt, example.prompt_ids, device.encode_prompt(prompt)),
                (program, written, device.encode(program)),
                ("the end of a reply", [end], [device.eos]),
            )
            for text, ids, seen in sides:
                if seen != ids:
                    raise FddError(
                        f"The device would encode {text!r} as {seen}, but training used {ids}: the exported vocabulary "
                        "does not match the student's tokenizer. Choose another student."
                    )
            back = device.write_back(written)
            if back != program.encode():
                raise FddError(
                    f"The student's tokenizer cannot reproduce a program: {program!r} would become "
                    f"{back.decode(errors='replace')!r}. Change that program, or leave its problem out."
                )
