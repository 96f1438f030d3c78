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
from typing import TYPE_CHECKING, Any

from fdd_edge.arguments import (
    AnswerKind,
    PathLike,
    Rows,
    check_asking,
    check_choice,
    check_count,
    check_decoding,
    check_evaluation,
    check_samples,
    default_tokens,
    distinct_names,
    find_model,
    label_artifacts,
    list_of,
    name_of,
    optional,
    path_of,
    read_config,
    runtime_of,
)
from fdd_edge.errors import FddError
from fdd_edge.feedback import LABELS, Bands, EvolveOptions
from fdd_edge.ondevice.protocol import Decoding
from fdd_edge.ondevice.verdicts import Verdict
from fdd_edge.renames import accepts_old_names
from fdd_edge.results import (
    DoctorResult,
    EvaluationResult,
    EvaluationTable,
    EvolveResult,
    ExportedArtifact,
    ExportResult,
    Solution,
    SplitResult,
    TableEntry,
    TrainResult,
)
from fdd_edge.run_result import RoundResult, RunResult

if TYPE_CHECKING:
    from fdd_edge.arguments import AskedProblems, ConfigLike, EvaluationOptions
    from fdd_edge.feedback import Policy
    from fdd_edge.loaded_model import Model
    from fdd_edge.operations.bench import Measurement
    from fdd_edge.operations.cached_files import CacheInfo
    from fdd_edge.operations.listing import Listing
    from fdd_edge.parity import Certificate
    from fdd_edge.pipeline.findings import Finding, Verification
    from fdd_edge.pipeline.ledger_report import LedgerReport
    from fdd_edge.pipeline.paired_comparison import Comparison
    from fdd_edge.pipeline.round_summary import RoundSummary
    from fdd_edge.pipeline.run_listing import RunList
    from fdd_edge.pipeline.run_plan import RunPlan
    from fdd_edge.pipeline.shown_questions import Shown
    from fdd_edge.pipeline.shown_rows import RowsResult
    from fdd_edge.pipeline.validation import ValidConfig
    from fdd_edge.records import Problem
    from fdd_edge.reporting import ReportFormat, ReportResult
    from fdd_edge.teachers.ledger.imported import ImportedReplies

__all__ = [
    "bench",
    "cache_info",
    "certify",
    "clean_cache",
    "compare",
    "doctor",
    "evaluate",
    "evaluate_all",
    "evolve",
    "export",
    "import_replies",
    "ledger",
    "list_runs",
    "load",
    "load_run",
    "ls",
    "plan",
    "report",
    "rows",
    "run",
    "solve",
    "split",
    "train",
    "validate",
    "verify",
]


def run(
    config: ConfigLike,
    *,
    output: PathLike | None = None,
    overrides: str | Sequence[str] = (),
    rounds: int | None = None,
    parity: bool = True,
    on_round: Callable[[RoundResult], None] = lambda finished: None,
    on_answers: Callable[[Shown], None] = lambda shown: None,
) -> RunResult:
    """Distil the student described in a config, or resume where an earlier call stopped.

    Args:
        config: Name of a packaged config, a YAML file, a run folder, a dict like the YAML, or a ``Config``.
        output: Run folder; None takes the run folder that ``config`` names, or else the config's ``output_dir``.
        overrides: ``a.b=value`` for single keys.
        rounds: Number of rounds; more than before extends a run.
        parity: Whether each artifact is certified before it is evaluated; if not, the manifest says so.
        on_round: Called with every round when it is finished, also with those that were finished earlier.
        on_answers: Called with what the student answered to the run's questions: before training if there is a
            baseline, and in each round as soon as its file is evaluated; also with earlier answers.

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

    return RunResult(loop.run(given.config, given.source, parity=parity, on_round=show, on_answers=on_answers).root)


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


def validate(config: ConfigLike, *, overrides: str | Sequence[str] = ()) -> ValidConfig:
    """Check all that the start of a run checks, without starting it: ``fdd-edge validate``.

    The student, the problems and every model and target that the config names are opened. Downloads go to the cache;
    nothing is written to the run folder. Of a run that is there already, the start that would resume it is checked.

    Args:
        config: As for ``run``.
        overrides: ``a.b=value`` for single keys.

    Raises:
        FddError: The config has errors, something that it names is missing or broken, or another process works on the
            run.
    """
    from fdd_edge.pipeline.start import find_missing
    from fdd_edge.pipeline.validation import validate as check

    given = read_config(config, overrides, find_missing=find_missing)
    name = os.fspath(config) if isinstance(config, str | os.PathLike) else "config"
    return check(given.config, name)


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
    threads: int | None = None,
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
        threads: CPU threads; default: every core this process may use.
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

    check_decoding(threads=threads)
    changes = [*list_of(overrides, "overrides"), *([] if threads is None else [f"training.threads={threads}"])]
    checked, out = read_config(config, changes, output=output).config, path_of(output, "output")
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
    threads: int | None = None,
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
        threads: Threads of the runtime, of the float model, and of what quantizes it; default: one per physical core;
            ``threads`` in the target's profile takes precedence in the runtime.
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
    check_decoding(threads=threads)
    wanted = load_recipes(names)
    asked = _read_prompts(prompts, question_field, answer_field)
    families = {recipe.family for recipe in wanted}
    source = open_float_model(name_of(model, "model"), revision=revision, prompt=wording, families=families)
    certificates: list[Certificate] = []

    def show(certificate: Certificate) -> None:
        certificates.append(certificate)
        on_certificate(certificate)

    cards = export_all(source, out, wanted, prompts=asked, parity=parity, threads=threads, on_certificate=show)
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
    threads: int | None = None,
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
        threads: Threads of the runtime, of the float model, and of what quantizes it; default: one per physical core;
            ``threads`` in the target's profile takes precedence in the runtime.
        output: New file for the certificate; None keeps none.

    Returns:
        The certificate, passed or failed.

    Raises:
        FddError: Something the caller can fix; the message says how.
        TargetError: The target failed.
    """
    from fdd_edge.operations.certify import certify_file, check_new, find_bounds, reference_of
    from fdd_edge.resolve.model import open_float_model

    check_decoding(threads=threads)
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
    outputs = reference_of(source.student, asked, template=source.template, trained=trained, threads=threads)
    template = None if prompt is None else source.template
    certificate = certify_file(
        model, source.student.folder, outputs, bounds, runtime=runtime, threads=threads, prompt=template
    )
    if out is not None:
        certificate.write(out)
    return certificate


def verify(
    path: PathLike,
    *,
    reference: PathLike | None = None,
    on_finding: Callable[[Finding], None] = lambda finding: None,
) -> Verification:
    """Check that a run or an exported folder is as it was written: ``fdd-edge verify``.

    Nothing is written to the folder; artifacts that are made again are made in the system's folder for temporary files.

    Args:
        path: A run, a folder of one, such as ``best``, or a folder that ``export`` wrote.
        reference: The float model that the artifacts in an exported folder were made from, named as for ``export``.
        on_finding: Called with each finding as soon as it is there.

    Returns:
        The findings, up to the first thing that does not hold.

    Raises:
        FddError: The folder is none of these, or a process is writing to it.
    """
    from fdd_edge.pipeline.verification import verify_path

    return verify_path(path_of(path, "path"), reference=optional(reference, "reference"), on_finding=on_finding)


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
    max_new_tokens: int | None = None,
    batch_size: int = Decoding.batch_size,
    threads: int | None = None,
    flash_attention: bool | None = None,
    wave: int = Decoding.wave,
    samples: int = 1,
    temperature: float = Decoding.temperature,
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
        max_new_tokens: Maximum tokens per reply. Default: 200; 512 for answers in free-form text.
        batch_size: Number of sequences that share a batch.
        threads: Threads of the runtime; default: one per physical core; ``threads`` in the target's profile takes
            precedence.
        flash_attention: Whether llama.cpp uses flash attention; default: whichever is faster on the target, by a
            measurement.
        wave: Number of replies that are decoded, resumed and shared between boards as one unit.
        samples: Replies per problem; ``votes`` of the result counts the problems that the majority of them solves.
        temperature: Of sampling; 0 decodes greedily.
        seed: Seed for generated problems, and for sampling.
        output: Folder for rows, timing and summary; one that holds this evaluation is read back. None keeps none.

    Raises:
        FddError: Something the caller can fix; the message says how.
        TargetError: The target failed.
    """
    options = check_evaluation(
        format=format,
        split=split,
        subset=subset,
        revision=revision,
        question_field=question_field,
        answer_field=answer_field,
        target=target,
        limit=limit,
        prompt=prompt,
        num_fewshot=num_fewshot,
        answer=answer,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        threads=threads,
        flash_attention=flash_attention,
        wave=wave,
        samples=samples,
        temperature=temperature,
        seed=seed,
    )
    out = None if output is None else path_of(output, "output")
    model = find_model(artifact, "artifact")
    runtime_of(model, target)
    return _evaluated(model, options.read(data), out, options)


def evaluate_all(
    artifacts: PathLike | Sequence[PathLike],
    data: PathLike | Sequence[PathLike],
    *,
    output: PathLike | None = None,
    **options: Any,
) -> EvaluationTable:
    """Evaluate several model files on several sets of problems: ``fdd-edge eval A B --data X --data Y``.

    Args:
        artifacts: Model files, each named as for ``evaluate``.
        data: Sets of problems, each named as for ``evaluate``.
        output: Folder that gets a folder per artifact, with one per set; what it holds already is read back.
        options: The other arguments of ``evaluate``, for all of them.

    Returns:
        An evaluation per set and artifact, and how each artifact compares with the first one on the same problems.

    Raises:
        FddError: Something the caller can fix; the message says how.
        TargetError: The target failed.
    """
    from fdd_edge.operations.evaluate import check_output_of
    from fdd_edge.runs.stage_files import EvaluationFiles

    checked = check_evaluation(**options)
    out = None if output is None else path_of(output, "output")
    names, sets = list_of(artifacts, "artifacts"), list_of(data, "data")
    if not names or not sets:
        raise FddError("Name at least one artifact and one set of problems.")
    if out is not None and EvaluationFiles(out).rows.exists():
        raise FddError(f"{out} holds a single evaluation; choose another folder for several.")
    models = [find_model(name, "artifacts") for name in names]
    for model in models:
        runtime_of(model, checked.target)
    asked = [checked.read(path) for path in sets]
    labels = label_artifacts(names, models)
    titles = distinct_names([one.about["name"] or "problems" for one in asked])
    cells = [
        (title, label, model, problems, None if out is None else out / label / title)
        for problems, title in zip(asked, titles, strict=True)
        for model, label in zip(models, labels, strict=True)
    ]
    for _, _, model, problems, place in cells:
        if place is not None:
            runtime = runtime_of(model, checked.target)
            check_output_of(model, problems.problems, place, runtime=runtime, asking=checked.asking)
    return EvaluationTable(
        [
            TableEntry(title, label, _evaluated(model, problems, place, checked))
            for title, label, model, problems, place in cells
        ]
    )


def _evaluated(model: Path, asked: AskedProblems, out: Path | None, options: EvaluationOptions) -> EvaluationResult:
    """Evaluate one model file on one set."""
    from fdd_edge.operations.evaluate import evaluate_file

    runtime = runtime_of(model, options.target)
    found = evaluate_file(model, asked.problems, out, runtime=runtime, asking=options.asking, data=asked.about)
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
    from fdd_edge.checked_options import checked
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
    from fdd_edge.checked_options import checked
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


def rows(
    path: PathLike,
    *,
    verdict: str | Sequence[str] = (),
    label: str | None = None,
    dataset: str | None = None,
    n: int | None = None,
    against: PathLike | None = None,
) -> RowsResult:
    """Return replies with their questions, gold answers and verdicts: ``fdd-edge rows``.

    Args:
        path: A run (the judge's artifact in its best round), a round, an evaluation folder, or a folder of these.
        verdict: Only replies with this verdict, or with one of these.
        label: Only problems that a round of a run labelled so, such as ``lost``.
        dataset: Only this set. Default: all but ``pool``, which a round labels.
        n: Only the first N.
        against: Other evaluations: each row has their reply to the same problem as ``against``.

    Raises:
        FddError: There is no such evaluation, set or label, or the other evaluations have other problems.
    """
    from fdd_edge.pipeline.shown_rows import find_rows

    verdicts = list_of(verdict, "verdict")
    for one in verdicts:
        check_choice("verdict", one, Verdict)
    if label is not None:
        check_choice("label", label, LABELS)
    if n is not None:
        check_count("n", n)
    return find_rows(
        path_of(path, "path"),
        verdicts=verdicts,
        label=label,
        dataset=optional(dataset, "dataset"),
        n=n,
        against=None if against is None else path_of(against, "against"),
    )


def compare(*paths: PathLike) -> Comparison:
    """Compare runs, rounds or evaluations with the first one, on the same problems: ``fdd-edge compare``.

    Of several replies to a problem, as ``evaluate(samples=8)`` asks for, the majority counts as one.

    Args:
        paths: Runs (the judge's artifact in its best round), rounds, or evaluation folders; at least two.

    Raises:
        FddError: One holds no evaluation, two have no problem in common, or one id is that of different problems.
    """
    from fdd_edge.pipeline.paired_comparison import compare_paths

    return compare_paths([path_of(path, "paths") for path in paths])


def report(
    runs: PathLike | Sequence[PathLike],
    output: PathLike,
    *,
    format: ReportFormat | None = None,
    force: bool = False,
) -> ReportResult:
    """Write a report on finished rounds of runs, one file that needs nothing else: ``fdd-edge report``.

    Args:
        runs: A run, or several: the others are compared with the first.
        output: The file. An earlier report is replaced, anything else only with ``force``.
        format: ``html``, or ``md`` for a repository's README. Default: by the file's name.
        force: Replace a file that is not a report.

    Raises:
        FddError: A run is still running, has no finished round, or is of another version; or something is in the way.
    """
    from fdd_edge.reporting import FORMATS, write_report

    if format is not None:
        check_choice("format", format, FORMATS)
    paths = [Path(name) for name in list_of(runs, "runs")]
    return write_report(paths, path_of(output, "output"), format=format, force=force)


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
    max_new_tokens: int | None = None,
    batch_size: int = Decoding.batch_size,
    threads: int | None = None,
    samples: int = 1,
    temperature: float = Decoding.temperature,
    seed: int = 0,
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
        max_new_tokens: Maximum tokens per reply. Default: 200; 512 for answers in free-form text.
        batch_size: Number of sequences that share a batch.
        threads: Threads of the runtime; default: one per physical core; ``threads`` in the target's profile takes
            precedence.
        samples: Replies per question; the answer is the one that most of them give.
        temperature: Of sampling; 0 decodes greedily.
        seed: Seed for sampling.

    Raises:
        FddError: Something the caller can fix; the message says how.
        TargetError: The target failed.
    """
    from fdd_edge.artifacts.facts import describe_model
    from fdd_edge.loaded_model import Model
    from fdd_edge.operations.asking import announce_prompt
    from fdd_edge.progress import warn

    decoding = check_decoding(
        max_new_tokens=default_tokens(answer) if max_new_tokens is None else max_new_tokens,
        batch_size=batch_size,
        threads=threads,
        temperature=temperature,
    )
    asking = check_asking(decoding, prompt=prompt, num_fewshot=num_fewshot, answer=answer, samples=samples, seed=seed)
    file = find_model(model, "model")
    runtime = runtime_of(file, target)
    announce_prompt(file, describe_model(file), asking.prompt)
    if Path(model).is_dir():
        from fdd_edge.pipeline.kept_evaluations import weakness_of

        if (weakness := weakness_of(Path(model))) is not None:
            warn(weakness)
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
    max_new_tokens: int | None = None,
    threads: int | None = None,
    samples: int = 1,
    temperature: float = Decoding.temperature,
    seed: int = 0,
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
        max_new_tokens: Maximum tokens per reply. Default: 200; 512 for answers in free-form text.
        threads: Threads of the runtime; default: one per physical core; ``threads`` in the target's profile takes
            precedence.
        samples: Replies to the question; the answer is the one that most of them give.
        temperature: Of sampling; 0 decodes greedily.
        seed: Seed for sampling.

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
        batch_size=min(check_samples(samples), Decoding.batch_size),
        threads=threads,
        samples=samples,
        temperature=temperature,
        seed=seed,
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


def list_runs(folder: PathLike = ".") -> RunList:
    """Return the runs in a folder and its subfolders: ``fdd-edge ls runs``.

    Args:
        folder: A folder with runs, or a run.

    Raises:
        FddError: There is no such folder.
    """
    from fdd_edge.pipeline.run_listing import list_runs_in

    return list_runs_in(path_of(folder, "folder"))


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
