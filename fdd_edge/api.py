"""The commands as functions; docs/python.md lists them and the few names that differ.

Paths are strings, ``Path`` objects, or results that have a path, such as a run, a round or an exported artifact.
Problems are a path, a hub id, or a list of dicts with ``question`` and ``answer``. Every function but ``load`` returns
a ``Result``. Every fault that the caller can fix raises an ``FddError``, before any long work starts if possible.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fdd_edge.arguments import (
    AnswerKind,
    PathLike,
    Rows,
    check_asking,
    check_count,
    check_decoding,
    find_model,
    list_of,
    name_of,
    optional,
    path_of,
    problems_to_ask,
    read_config,
    runtime_of,
)
from fdd_edge.errors import FddError
from fdd_edge.feedback import Bands, EvolveOptions
from fdd_edge.ondevice.protocol import Decoding
from fdd_edge.renames import accepts_old_names
from fdd_edge.results import (
    DoctorResult,
    EvaluationResult,
    EvolveResult,
    ExportedArtifact,
    ExportResult,
    Solution,
    SplitResult,
    TrainResult,
)
from fdd_edge.run_result import RoundResult, RunResult

if TYPE_CHECKING:
    from fdd_edge.arguments import ConfigLike
    from fdd_edge.feedback import Policy
    from fdd_edge.loaded_model import Model
    from fdd_edge.operations.bench import Measurement
    from fdd_edge.operations.cached_files import CacheInfo
    from fdd_edge.operations.listing import Listing
    from fdd_edge.parity import Certificate
    from fdd_edge.pipeline.ledger_report import LedgerReport
    from fdd_edge.pipeline.round_summary import RoundSummary
    from fdd_edge.pipeline.run_plan import RunPlan
    from fdd_edge.records import Problem
    from fdd_edge.teachers.ledger.imported import ImportedReplies

__all__ = [
    "bench",
    "cache_info",
    "certify",
    "clean_cache",
    "doctor",
    "evaluate",
    "evolve",
    "export",
    "import_replies",
    "ledger",
    "load",
    "load_run",
    "ls",
    "plan",
    "run",
    "solve",
    "split",
    "train",
]


def run(
    config: ConfigLike,
    *,
    output: PathLike | None = None,
    overrides: str | Sequence[str] = (),
    rounds: int | None = None,
    parity: bool = True,
    on_round: Callable[[RoundResult], None] = lambda finished: None,
) -> RunResult:
    """Distil the student described in a config, or resume where an earlier call stopped.

    Args:
        config: Name of a packaged config, a YAML file, a run folder, a dict like the YAML, or a ``Config``.
        output: Run folder; None takes the run folder that ``config`` names, or else the config's ``output_dir``.
        overrides: ``a.b=value`` for single keys.
        rounds: Number of rounds; more than before extends a run.
        parity: Whether each artifact is certified before it is evaluated; if not, the manifest says so.
        on_round: Called with every round when it is finished, also with those that were finished earlier.

    Returns:
        The run: its folder, its rounds with their accuracies and artifacts, and the best one.

    Raises:
        FddError: Something the caller can fix; the message says how.
        ParityError: An artifact failed its certificate: the judge's at once, any other once the rounds are done.
    """
    from fdd_edge.pipeline import loop
    from fdd_edge.pipeline.start import find_missing
    from fdd_edge.runs import RunLayout

    given = read_config(config, overrides, output=output, rounds=rounds, find_missing=find_missing)
    layout = RunLayout(Path(given.config.output_dir))

    def show(summary: RoundSummary) -> None:
        on_round(RoundResult.read(layout.round(summary.round)))

    return RunResult(loop.run(given.config, given.source, parity=parity, on_round=show).root)


def plan(
    config: ConfigLike,
    *,
    overrides: str | Sequence[str] = (),
    hours: float | None = None,
) -> RunPlan:
    """Return what a run will take, without beginning it: ``fdd-edge plan``.

    Nothing is downloaded, trained or spent. How fast this machine is, is measured once and kept in the cache.

    Args:
        config: As for ``run``. Of a run folder, the plan with which the run began is shown beside what it really took.
        overrides: ``a.b=value`` for single keys.
        hours: The most that it may take; what would have to shrink is found out.

    Returns:
        Problems, calls, tokens, cost, hours, disk, memory and sizes of files, each from its lowest to its highest.

    Raises:
        FddError: The config has errors, or something that it names is missing.
    """
    from fdd_edge.pipeline.plan_kept import compared_plan, kept_plan
    from fdd_edge.pipeline.run_plan import plan_source
    from fdd_edge.pipeline.start import find_missing
    from fdd_edge.runs import RunLayout

    if hours is not None and (isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours < 1e6):
        raise FddError(f"hours must be a number above 0, not {hours!r}.")
    given = read_config(config, overrides, find_missing=find_missing)
    layout = RunLayout(Path(given.config.output_dir))
    if (
        isinstance(config, str | os.PathLike)
        and RunLayout(Path(config)).is_run()
        and not list_of(overrides, "overrides")
    ):
        kept = kept_plan(layout)
        if kept is not None:
            return dataclasses.replace(kept, compared=compared_plan(layout))
    name = os.fspath(config) if isinstance(config, str | os.PathLike) else "config"
    return plan_source(given.config, given.source, name, hours=hours)


def load_run(path: PathLike) -> RunResult:
    """Open a run folder: its finished rounds, their accuracies and artifacts, and the best one.

    Raises:
        FddError: The folder is not a run.
    """
    from fdd_edge.runs import RunLayout

    layout = RunLayout(path_of(path, "path"))
    if not layout.is_run():
        raise FddError(f"{path} is not a run: it has no {layout.config.name}.")
    return RunResult(layout.root)


def ledger(run: PathLike) -> LedgerReport:
    """Return what a run's calls to language models cost, and what came of them: ``fdd-edge ledger``.

    Args:
        run: A run.

    Raises:
        FddError: The folder is not a run, or its copies of the ledger are damaged.
    """
    from fdd_edge.pipeline.ledger_report import report_calls
    from fdd_edge.teachers.ledger import default_ledger

    opened = load_run(run)
    shares = [100 * one.accuracy for one in opened.rounds]
    points = shares[-1] - shares[0] if len(shares) > 1 else None
    return report_calls(opened.layout, default_ledger(), points=points)


def import_replies(results: PathLike) -> ImportedReplies:
    """Put the replies of a batch into the ledger of calls: ``fdd-edge ledger import``.

    Args:
        results: A file in OpenAI's batch format, in any order, whole or in parts.

    Raises:
        FddError: The file cannot be read, or the ledger cannot be written.
    """
    from fdd_edge.teachers.ledger import default_ledger
    from fdd_edge.teachers.ledger.imported import import_replies as put

    return put(default_ledger(), path_of(results, "results"))


def train(
    config: ConfigLike,
    data: PathLike | Rows,
    output: PathLike,
    *,
    valid: PathLike | Rows | None = None,
    question_field: str | None = None,
    answer_field: str | None = None,
    overrides: str | Sequence[str] = (),
) -> TrainResult:
    """LoRA-tune the student of a config on problems and merge it; the same call resumes an interrupted one.

    Args:
        config: As for ``run``; its student, teacher.style, lora, training and seed are used.
        data: Problems with ``question``, ``answer`` and ``program``. As in a run, those whose program does not give
            the answer are left out, and the others are trained on in the form that ``teacher.style`` names.
        output: New folder; gets ``adapter/`` and ``merged/``.
        valid: The same, for a validation loss.
        question_field: Column of the question, for rows in no known format.
        answer_field: Column of the answer, for rows in no known format: a number, or a solution that marks it.
        overrides: ``a.b=value`` for single keys.

    Raises:
        FddError: Something the caller can fix; the message says how.
    """
    from fdd_edge.artifacts.recipe import families_of, load_gguf_recipe
    from fdd_edge.curation import count_reasons
    from fdd_edge.operations.fine_tune import fine_tune
    from fdd_edge.operations.train import TrainingSetup
    from fdd_edge.operations.training_data import examples_to_train_on
    from fdd_edge.operations.user_problems import read_user_problems
    from fdd_edge.resolve.dataset import columns_of
    from fdd_edge.resolve.student import open_student
    from fdd_edge.runs.stage_files import FineTunedFiles
    from fdd_edge.students.training_options import NO_RECIPE

    checked, out = read_config(config, overrides, output=output).config, path_of(output, "output")
    if data == valid == "-":
        raise FddError("Standard input can be read only once: name a file for data or for valid.")
    columns = columns_of(question_field, answer_field)
    where = os.fspath(data) if isinstance(data, str | os.PathLike) else "The list"
    label, style = "Standard input" if where == "-" else where, checked.teacher.style
    examples = examples_to_train_on(read_user_problems(data, columns), label, style=style)
    qat = checked.training.quantization_aware
    recipe = None if qat == NO_RECIPE else load_gguf_recipe(qat, "training.quantization_aware")
    name, revision = checked.student.model_name_or_path, checked.student.revision
    student = open_student(name, revision, families=families_of(checked.recipe_names))
    dtype, weights = checked.student.dtype, checked.data.weights
    setup = TrainingSetup(checked.lora, checked.training, dtype, checked.seed, recipe, weights=weights)
    held_out = [] if valid is None else read_user_problems(valid, columns)
    has_programs = any(p.program for p in held_out)
    measured = examples_to_train_on(held_out, "valid", style=style, measured=True).kept if has_programs else []
    fine_tune(examples.kept, out, student, checked.student.prompt, setup, valid=measured)
    made = FineTunedFiles(out)
    return TrainResult(made.adapter, made.merged, count_reasons(examples.rejected))


def export(
    model: PathLike,
    recipes: PathLike | Sequence[PathLike],
    output: PathLike,
    *,
    revision: str | None = None,
    prompt: PathLike | None = None,
    prompts: PathLike | Rows | None = None,
    question_field: str | None = None,
    answer_field: str | None = None,
    parity: bool = True,
    on_certificate: Callable[[Certificate], None] = lambda certificate: None,
) -> ExportResult:
    """Export a model by recipes, one folder per recipe, each with its parity certificate.

    Args:
        model: Hugging Face folder or hub id, ``.gguf`` file, ``package:NAME``, a run (its best round), or a round.
        recipes: Names or paths; a single one may be a string.
        output: Folder that gets the artifacts.
        revision: Branch, tag or commit of a hub id.
        prompt: Stored in the files; None takes the one the model was trained on, or ``plain``.
        prompts: Problems for the certificates, and for the importance matrix unless ``model`` is a run. Default: 64
            packaged problems.
        question_field: Column of the question in ``prompts``, for rows in no known format.
        answer_field: Column of the answer in ``prompts``, for rows in no known format.
        parity: Whether to make certificates.
        on_certificate: Called with each certificate.

    Raises:
        FddError: Something the caller can fix; the message says how.
        ParityError: An artifact failed its certificate and was left out; the others are in place.
    """
    from fdd_edge.artifacts.recipe import load_recipes
    from fdd_edge.operations.export import export_all
    from fdd_edge.resolve.model import open_float_model

    names, out, wording = list_of(recipes, "recipes"), path_of(output, "output"), optional(prompt, "prompt")
    if not names:
        raise FddError("Name at least one recipe, such as 'gguf-q4_0'.")
    wanted = load_recipes(names)
    asked = _read_prompts(prompts, question_field, answer_field)
    families = {recipe.family for recipe in wanted}
    source = open_float_model(name_of(model, "model"), revision=revision, prompt=wording, families=families)
    certificates: list[Certificate] = []

    def show(certificate: Certificate) -> None:
        certificates.append(certificate)
        on_certificate(certificate)

    cards = export_all(source, out, wanted, prompts=asked, parity=parity, on_certificate=show)
    return ExportResult([ExportedArtifact.of(card) for card in cards], certificates)


def certify(
    artifact: PathLike,
    reference: PathLike,
    *,
    revision: str | None = None,
    prompts: PathLike | Rows | None = None,
    question_field: str | None = None,
    answer_field: str | None = None,
    recipe: PathLike | None = None,
    prompt: PathLike | None = None,
    target: PathLike = "local",
    output: PathLike | None = None,
) -> Certificate:
    """Compare a model file with the float model it was made from: ``fdd-edge parity``.

    Args:
        artifact: Any GGUF or ONNX model file, ``package:NAME``, an artifact folder, a run (the judge's artifact of its
            best round), or a round.
        reference: The float model, named as for ``export``.
        revision: Branch, tag or commit of the reference, a hub id.
        prompts: Problems; None takes 64 packaged ones, which also fill up a smaller number.
        question_field: Column of the question in ``prompts``, for rows in no known format.
        answer_field: Column of the answer in ``prompts``, for rows in no known format.
        recipe: The recipe whose bounds to check against; None takes the one the file names.
        prompt: ``plain``, ``chat`` or a file, for both sides; None takes the one stored with each of them.
        target: Device profile to run on.
        output: New file for the certificate; None keeps none.

    Returns:
        The certificate, passed or failed.

    Raises:
        FddError: Something the caller can fix; the message says how.
        TargetError: The target failed.
    """
    from fdd_edge.operations.certify import certify_file, check_new, find_bounds, reference_of
    from fdd_edge.resolve.model import open_float_model

    model = find_model(artifact, "artifact")
    out = None if output is None else path_of(output, "output")
    if out is not None:
        check_new(out)
    bounds = find_bounds(model, optional(recipe, "recipe"))
    runtime = runtime_of(model, target)
    asked = _read_prompts(prompts, question_field, answer_field)
    float_name, families = name_of(reference, "reference"), {bounds.family}
    source = open_float_model(float_name, revision=revision, prompt=optional(prompt, "prompt"), families=families)
    # Given a prompt of the caller's choice, a file may still chat in its own way.
    trained = source.trained and prompt is None
    outputs = reference_of(source.student, asked, template=source.template, trained=trained)
    template = None if prompt is None else source.template
    certificate = certify_file(model, source.student.folder, outputs, bounds, runtime=runtime, prompt=template)
    if out is not None:
        certificate.write(out)
    return certificate


def _read_prompts(
    prompts: PathLike | Rows | None, question_field: str | None, answer_field: str | None
) -> list[Problem]:
    """Return the problems for certificates; none means the packaged ones.

    Raises:
        FddError: They cannot be read, or columns are named without them.
    """
    from fdd_edge.operations.user_problems import read_user_problems
    from fdd_edge.resolve.dataset import columns_of

    columns = columns_of(question_field, answer_field)
    if prompts is None and columns is not None:
        raise FddError("question_field and answer_field name columns of prompts; give prompts too.")
    return [] if prompts is None else read_user_problems(prompts, columns)


@accepts_old_names
def evaluate(
    artifact: PathLike,
    data: PathLike | Rows,
    *,
    format: str | None = None,
    split: str | None = None,
    subset: str | None = None,
    revision: str | None = None,
    question_field: str | None = None,
    answer_field: str | None = None,
    target: PathLike = "local",
    limit: int | None = None,
    prompt: PathLike | None = None,
    num_fewshot: int = 0,
    answer: AnswerKind = "program",
    max_new_tokens: int = Decoding.max_new_tokens,
    batch_size: int = Decoding.batch_size,
    threads: int | None = None,
    wave: int = Decoding.wave,
    seed: int = 0,
    output: PathLike | None = None,
) -> EvaluationResult:
    """Evaluate a model file on a target.

    Args:
        artifact: Any GGUF or ONNX model file, ``package:NAME``, an artifact folder, a run (the judge's artifact of its
            best round), or a round.
        data: File of problems, ``-`` for standard input, hub id, ``symbolic:train``, ``symbolic:heldout``, or a list of
            dicts.
        format: Data format, or ``module:attribute``; default: recognised from the content.
        split: Split of a hub id, such as train.
        subset: Subset of a hub id that has several, such as main.
        revision: Branch, tag or commit of a hub id.
        question_field: Column of the question, for rows in no known format.
        answer_field: Column of the answer, for rows in no known format: a number, or a solution that marks it.
        target: Device profile to run on.
        limit: Take the first N problems.
        prompt: ``plain``, ``chat``, a file, or None for the prompt stored in the artifact.
        num_fewshot: Worked examples in the prompt.
        answer: ``program`` takes the answer of the reply's program. For free-form text, ``number`` takes the number
            that it marks as its answer (``####``, a box, "answer is"), else its last one, and ``last-number`` the last.
        max_new_tokens: Maximum tokens per reply.
        batch_size: Number of sequences that share a batch.
        threads: Threads of the runtime; default: one per physical core; ``threads`` in the target's profile takes
            precedence.
        wave: Number of replies that are decoded, resumed and shared between boards as one unit.
        seed: Seed for generated problems.
        output: New folder for rows, timing and summary; None keeps none.

    Raises:
        FddError: Something the caller can fix; the message says how.
        TargetError: The target failed.
    """
    from fdd_edge.operations.evaluate import evaluate_file

    out = None if output is None else path_of(output, "output")
    decoding = check_decoding(max_new_tokens=max_new_tokens, batch_size=batch_size, threads=threads, wave=wave)
    asking = check_asking(decoding, prompt=prompt, num_fewshot=num_fewshot, answer=answer)
    model = find_model(artifact, "artifact")
    runtime = runtime_of(model, target)
    asked = problems_to_ask(
        data,
        seed=seed,
        limit=limit,
        format=format,
        split=split,
        subset=subset,
        revision=revision,
        question_field=question_field,
        answer_field=answer_field,
    )
    found = evaluate_file(model, asked.problems, out, runtime=runtime, asking=asking, dataset=asked.label)
    return EvaluationResult.of(found, data=asked.about, skipped=asked.skipped)


def split(
    problems: PathLike,
    answers: PathLike,
    output: PathLike,
    *,
    float_answers: PathLike | None = None,
    easy_at: float = Bands.easy_at,
    hard_at: float = Bands.hard_at,
    question_field: str | None = None,
    answer_field: str | None = None,
) -> SplitResult:
    """Split problems into easy and hard by an artifact's answers, as a round of a run does: ``fdd-edge split``.

    Args:
        problems: File of problem records, or the data set that was evaluated; problems without an answer are left out.
        answers: Evaluation folder for these problems, of the judge.
        output: New folder; gets one file per label.
        float_answers: Evaluation folder of the float artifact; problems that only it solves are ``lost``. It may
            lack easy problems.
        easy_at: A problem is easy at or above this pass rate.
        hard_at: A problem is hard at or below this pass rate.
        question_field: Column of the question in ``problems``, as for the evaluation.
        answer_field: Column of the answer in ``problems``, as for the evaluation.

    Raises:
        FddError: Something the caller can fix; the message says how.
    """
    from fdd_edge.config_file import checked
    from fdd_edge.operations.split import read_answered
    from fdd_edge.operations.split import split as write_split
    from fdd_edge.records import ProblemSet
    from fdd_edge.resolve.dataset import columns_of
    from fdd_edge.runs.hashing import HashCache
    from fdd_edge.runs.stage import build_atomic

    rows, out = path_of(answers, "answers"), path_of(output, "output")
    floats = None if float_answers is None else path_of(float_answers, "float_answers")
    bands = checked(Bands, easy_at=easy_at, hard_at=hard_at)
    columns = columns_of(question_field, answer_field)
    pool = ProblemSet(read_answered(path_of(problems, "problems"), rows, floats, bands, columns))

    def make(folder: Path) -> None:
        write_split(folder, pool=pool, rows=rows, float_rows=floats, bands=bands)

    build_atomic(
        out, make, pool=pool, bands=bands, answers=HashCache().of(rows), floats=floats and HashCache().of(floats)
    )
    return SplitResult.read(out)


def evolve(
    split: PathLike,
    output: PathLike,
    *,
    teacher: str = "symbolic",
    per_easy: int = EvolveOptions.per_easy,
    per_hard: int = EvolveOptions.per_hard,
    max_depth: int = EvolveOptions.max_depth,
    policy: Policy = EvolveOptions.policy,
    round_number: int = 0,
    seed: int = 0,
) -> EvolveResult:
    """Let a teacher write new problems from a split, not curated, as a round of a run does: ``fdd-edge evolve``.

    Args:
        split: Folder of a split.
        output: New folder; gets the new problems, and which parents the teacher declined.
        teacher: Teacher that writes: a name (see ``fdd-edge ls teachers``), or ``module:Class``.
        per_easy: Harder problems per easy one.
        per_hard: Similar problems per hard one.
        max_depth: Only problems with a lower depth than this evolve.
        policy: Which problems evolve into what; all but fdd are controls.
        round_number: Number of the round that the split belongs to.
        seed: The run's seed; the round number is added.

    Raises:
        FddError: Something the caller can fix; the message says how.
    """
    from fdd_edge.config_file import checked
    from fdd_edge.operations.evolve import evolve as write_offspring
    from fdd_edge.operations.split import read_split
    from fdd_edge.operations.teaching import name_teacher
    from fdd_edge.runs.hashing import HashCache
    from fdd_edge.runs.stage import build_atomic

    options = checked(EvolveOptions, per_easy=per_easy, per_hard=per_hard, max_depth=max_depth, policy=policy)
    check_count("round_number", round_number)
    check_count("seed", seed)
    writer = name_teacher(teacher, {}, writer=True)
    labelled, out, draw = path_of(split, "split"), path_of(output, "output"), seed + round_number
    read_split(labelled)

    write = partial(write_offspring, teacher=writer, options=options, round_number=round_number, seed=draw)
    build_atomic(out, partial(write, split=labelled), split=HashCache().of(labelled), made_by=write.keywords)
    return EvolveResult.read(out)


def bench(
    artifact: PathLike, *, target: PathLike = "local", prompt: PathLike | None = None, threads: int | None = None
) -> Measurement:
    """Measure what a model file costs on a target: ``fdd-edge bench``.

    Args:
        artifact: Any GGUF or ONNX model file, ``package:NAME``, an artifact folder, a run (the judge's artifact of its
            best round), or a round.
        target: Device profile to run on.
        prompt: ``plain``, ``chat``, a file, or None for the prompt stored in the artifact.
        threads: Threads of the runtime; default: one per physical core; ``threads`` in the target's profile takes
            precedence.

    Raises:
        FddError: Something the caller can fix; the message says how.
        TargetError: The target failed.
    """
    from fdd_edge.operations.bench import measure
    from fdd_edge.resolve.prompts import requested_prompt

    check_decoding(threads=threads)
    runtime_prompt = requested_prompt(optional(prompt, "prompt"))
    model = find_model(artifact, "artifact")
    return measure(model, runtime=runtime_of(model, target), prompt=runtime_prompt, threads=threads)


def load(
    model: PathLike,
    *,
    target: PathLike = "local",
    prompt: PathLike | None = None,
    num_fewshot: int = 0,
    answer: AnswerKind = "program",
    max_new_tokens: int = Decoding.max_new_tokens,
    batch_size: int = Decoding.batch_size,
    threads: int | None = None,
) -> Model:
    """Load a model and hold it open, so that many questions share one process.

    ``with fdd_edge.load(path) as model: model.solve(question)``; or call ``model.close()`` when done.

    Args:
        model: Any GGUF or ONNX model file, ``package:NAME``, an artifact folder, a run (the judge's artifact of its
            best round), or a round.
        target: Device profile to run on.
        prompt: ``plain``, ``chat``, a file, or None for the prompt stored in the artifact.
        num_fewshot: Worked examples in the prompt.
        answer: ``program`` takes the answer of the reply's program. For free-form text, ``number`` takes the number
            that it marks as its answer (``####``, a box, "answer is"), else its last one, and ``last-number`` the last.
        max_new_tokens: Maximum tokens per reply.
        batch_size: Number of sequences that share a batch.
        threads: Threads of the runtime; default: one per physical core; ``threads`` in the target's profile takes
            precedence.

    Raises:
        FddError: Something the caller can fix; the message says how.
        TargetError: The target failed.
    """
    from fdd_edge.artifacts.facts import describe_model
    from fdd_edge.loaded_model import Model
    from fdd_edge.operations.evaluate import announce_prompt

    decoding = check_decoding(max_new_tokens=max_new_tokens, batch_size=batch_size, threads=threads)
    asking = check_asking(decoding, prompt=prompt, num_fewshot=num_fewshot, answer=answer)
    file = find_model(model, "model")
    runtime = runtime_of(file, target)
    announce_prompt(file, describe_model(file), asking.prompt)
    return Model(file, runtime=runtime, asking=asking)


@accepts_old_names
def solve(
    model: PathLike,
    question: str,
    *,
    target: PathLike = "local",
    prompt: PathLike | None = None,
    num_fewshot: int = 0,
    answer: AnswerKind = "program",
    max_new_tokens: int = Decoding.max_new_tokens,
    threads: int | None = None,
) -> Solution:
    """Ask a model one question; ``load`` is faster for several.

    Args:
        model: Any GGUF or ONNX model file, ``package:NAME``, an artifact folder, a run (the judge's artifact of its
            best round), or a round.
        question: A word problem.
        target: Device profile to run on.
        prompt: ``plain``, ``chat``, a file, or None for the prompt stored in the artifact.
        num_fewshot: Worked examples in the prompt.
        answer: ``program`` takes the answer of the reply's program. For free-form text, ``number`` takes the number
            that it marks as its answer (``####``, a box, "answer is"), else its last one, and ``last-number`` the last.
        max_new_tokens: Maximum tokens per reply.
        threads: Threads of the runtime; default: one per physical core; ``threads`` in the target's profile takes
            precedence.

    Returns:
        The answer, and the program that gives it.

    Raises:
        FddError: Something the caller can fix; the message says how.
        TargetError: The target failed.
    """
    if not isinstance(question, str) or not question.strip():
        raise FddError("The question is empty." if isinstance(question, str) else "The question must be a string.")
    with load(
        model,
        target=target,
        prompt=prompt,
        num_fewshot=num_fewshot,
        answer=answer,
        max_new_tokens=max_new_tokens,
        batch_size=1,
        threads=threads,
    ) as loaded:
        return loaded.solve(question)


def doctor(target: PathLike | None = None) -> DoctorResult:
    """Check this machine, or a target; each check that fails names the command that fixes it."""
    from fdd_edge.operations.diagnose import check_machine
    from fdd_edge.targets import load_profile
    from fdd_edge.targets.diagnostics import check_target

    if target is None:
        return DoctorResult(check_machine())
    return DoctorResult(list(check_target(load_profile(name_of(target, "target")))))


def ls() -> Listing:
    """Return the names of recipes, targets, configs, teachers and data formats, each with its description."""
    from fdd_edge.operations.listing import list_names

    return list_names()


def cache_info() -> CacheInfo:
    """Return what the cache holds, what of it can be deleted, and what it costs to make that again."""
    from fdd_edge.operations.cached_files import list_cache

    return list_cache()


def clean_cache() -> CacheInfo:
    """Delete what the cache holds and can easily be made again; return what is left: ``fdd-edge cache --clean``.

    Raises:
        FddError: Another process is using the cache.
    """
    from fdd_edge.operations.cached_files import clean_cache as clean

    return clean()
