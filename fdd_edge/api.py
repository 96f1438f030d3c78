"""The commands as functions, with the same names for the same options.

Paths are strings or ``Path`` objects. Problems are a path, a hub id, or a list of dicts with ``question`` and
``answer``. Every fault that the caller can fix raises an ``FddError``, before any long work starts if possible.
"""

from __future__ import annotations

import functools
import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

from fdd_edge.feedback import Bands, EvolveOptions
from fdd_edge.ondevice.protocol import Decoding
from fdd_edge.results import (
    EvaluationResult,
    EvolveResult,
    ExportedArtifact,
    RunResult,
    Solution,
    SplitResult,
    TrainResult,
)

if TYPE_CHECKING:
    from fdd_edge.config import Config
    from fdd_edge.feedback import Policy
    from fdd_edge.loaded_model import Model
    from fdd_edge.operations.bench import Measurement
    from fdd_edge.operations.evaluate import Asking
    from fdd_edge.parity import Certificate
    from fdd_edge.pipeline.round_summary import RoundSummary
    from fdd_edge.records import Problem
    from fdd_edge.targets.diagnostics import Check

__all__ = [
    "bench",
    "certify",
    "doctor",
    "evaluate",
    "evolve",
    "export",
    "load",
    "load_run",
    "ls",
    "run",
    "solve",
    "split",
    "train",
]

PathLike = str | os.PathLike[str]
Rows = Sequence[Mapping[str, Any]]
P = ParamSpec("P")
R = TypeVar("R")


def _renamed(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that accepts old names of arguments, with a warning."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for old, new in names.items():
                if old in kwargs:
                    warnings.warn(f"{old} is now called {new}; the old name still works.", FutureWarning, stacklevel=2)
                    kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call

    return decorate


def run(
    config: PathLike | Mapping[str, Any] | Config,
    *,
    output: PathLike | None = None,
    overrides: Sequence[str] = (),
    rounds: int | None = None,
    parity: bool = True,
    on_round: Callable[[RoundSummary], None] = lambda summary: None,
) -> RunResult:
    """Distil a student as a config says, or resume where an earlier call stopped.

    Args:
        config: Name of a packaged config, a YAML file, a run folder, a dict like the YAML, or a ``Config``.
        output: Run folder; None takes the config's ``output_dir``.
        overrides: ``a.b=value`` for single keys.
        rounds: Number of rounds; more than before extends a run.
        parity: Whether each artifact is certified before it is evaluated; if not, the manifest says so.
        on_round: Called with the figures of every round.

    Returns:
        The run: its folder, its rounds with their accuracies and artifacts, and the best one.

    Raises:
        FddError: Something the caller can fix; the message says how.
        ParityError: An artifact failed its certificate: the judge's at once, any other once the rounds are done.
    """
    from fdd_edge.config_file import override_source, parse_config
    from fdd_edge.pipeline import loop

    changes = list(overrides)
    if output is not None:
        changes.append(f"output_dir={json.dumps(os.fspath(output))}")
    if rounds is not None:
        changes.append(f"rounds={rounds}")
    source, origin = _config_source(config)
    if (folder := _run_folder(config)) is not None:
        source["output_dir"] = str(folder)
    source = override_source(source, changes)
    layout = loop.run(parse_config(source, origin), source, parity=parity, on_round=on_round)
    return RunResult(layout.root)


def load_run(path: PathLike) -> RunResult:
    """Open a run folder: its finished rounds, their accuracies and artifacts, and the best one.

    Raises:
        FddError: The folder is not a run.
    """
    from fdd_edge.errors import FddError
    from fdd_edge.runs import RunLayout

    layout = RunLayout(Path(path))
    if not layout.is_run():
        raise FddError(f"{path} is not a run: it has no {layout.config.name}.")
    return RunResult(layout.root)


def train(
    config: PathLike | Mapping[str, Any] | Config,
    data: PathLike | Rows,
    output: PathLike,
    *,
    valid: PathLike | Rows | None = None,
    overrides: Sequence[str] = (),
) -> TrainResult:
    """LoRA-tune the student of a config on problems and merge it; the same call resumes an interrupted one.

    Args:
        config: As for ``run``; its student, lora, training and seed are used.
        data: Problems with ``question``, ``answer`` and ``program``.
        output: New folder; gets ``adapter/`` and ``merged/``.
        valid: The same, for a validation loss.
        overrides: ``a.b=value`` for single keys.

    Raises:
        FddError: Something the caller can fix; the message says how.
    """
    from fdd_edge.artifacts.recipe import families_of, load_gguf_recipe
    from fdd_edge.config_file import override_source, parse_config
    from fdd_edge.errors import FddError
    from fdd_edge.operations.fine_tune import fine_tune
    from fdd_edge.resolve.student import open_student
    from fdd_edge.runs.stage_files import FineTunedFiles
    from fdd_edge.students.training_options import NO_RECIPE

    source, origin = _config_source(config)
    checked = parse_config(override_source(source, [*overrides, f"output_dir={json.dumps(os.fspath(output))}"]), origin)
    problems = _read_problems(data)
    if not any(problem.program for problem in problems):
        raise FddError(f"{_called(data)} has no problem with a program to train on; each row needs a `program`.")
    qat = checked.training.quantization_aware
    recipe = None if qat == NO_RECIPE else load_gguf_recipe(qat, "training.quantization_aware")
    student = open_student(
        checked.student.model_name_or_path, checked.student.revision, families=families_of(checked.recipe_names)
    )
    fine_tune(
        student,
        problems,
        Path(output),
        prompt=checked.student.prompt,
        lora=checked.lora,
        training=checked.training,
        dtype=checked.student.dtype,
        seed=checked.seed,
        valid=() if valid is None else _read_problems(valid),
        qat_recipe=recipe,
    )
    made = FineTunedFiles(Path(output))
    return TrainResult(made.adapter, made.merged)


def export(
    model: PathLike,
    recipes: PathLike | Sequence[PathLike],
    output: PathLike,
    *,
    revision: str | None = None,
    prompt: str | None = None,
    prompts: PathLike | Rows | None = None,
    parity: bool = True,
    on_certificate: Callable[[Certificate], None] = lambda certificate: None,
) -> list[ExportedArtifact]:
    """Export a model by recipes, one folder per recipe, each with its parity certificate.

    Args:
        model: Hugging Face folder or hub id, ``.gguf``, ``package:NAME``, a run, or a round of one.
        recipes: Names or paths; a single one may be a string.
        output: Folder that gets the artifacts.
        revision: Branch, tag or commit of a hub id.
        prompt: Stored in the files; None takes the one the model was trained on, or ``plain``.
        prompts: Problems for the certificates, and for the importance matrix unless ``model`` is a run. Default: 64
            packaged problems.
        parity: Whether to make certificates.
        on_certificate: Called with each certificate.

    Raises:
        FddError: Something the caller can fix; the message says how.
        ParityError: An artifact failed its certificate and was left out; the others are in place.
    """
    from fdd_edge.artifacts.recipe import load_recipes
    from fdd_edge.errors import FddError
    from fdd_edge.operations.export import export_all
    from fdd_edge.resolve.model import open_float_model

    names = [recipes] if isinstance(recipes, str | os.PathLike) else recipes
    if not names:
        raise FddError("Name at least one recipe, such as 'gguf-q4_0'.")
    wanted = load_recipes([os.fspath(name) for name in names])
    asked = [] if prompts is None else _read_problems(prompts)
    families = {recipe.family for recipe in wanted}
    source = open_float_model(os.fspath(model), revision=revision, prompt=prompt, families=families)
    cards = export_all(source, Path(output), wanted, prompts=asked, parity=parity, on_certificate=on_certificate)
    return [_exported(card) for card in cards]


def certify(
    artifact: PathLike,
    reference: PathLike,
    *,
    revision: str | None = None,
    prompts: PathLike | Rows | None = None,
    recipe: str | None = None,
    prompt: str | None = None,
    target: PathLike = "local",
    output: PathLike | None = None,
) -> Certificate:
    """Compare a model file with the float model it was made from: ``fdd-edge parity``.

    Args:
        artifact: A model file, an artifact folder, a run or a round.
        reference: The float model, named as for ``export``.
        revision: Branch, tag or commit of the reference, a hub id.
        prompts: Problems; None takes 64 packaged ones, which also fill up a smaller number.
        recipe: Whose bounds apply; None takes the one the file names.
        prompt: ``plain``, ``chat`` or a file, for both sides; None takes the one stored with each of them.
        target: Device profile on which the file runs.
        output: New file for the certificate; None keeps none.

    Returns:
        The certificate, passed or failed.

    Raises:
        FddError: Something the caller can fix; the message says how.
        TargetError: The target failed.
    """
    from fdd_edge.operations.certify import certify_file, check_new, find_bounds, reference_of
    from fdd_edge.resolve.model import open_float_model
    from fdd_edge.resolve.model_file import find_model_file
    from fdd_edge.targets import TargetRuntime, load_profile

    model = find_model_file(os.fspath(artifact))
    if output is not None:
        check_new(Path(output))
    bounds = find_bounds(model, recipe)
    profile = load_profile(os.fspath(target))
    asked = [] if prompts is None else _read_problems(prompts)
    source = open_float_model(os.fspath(reference), revision=revision, prompt=prompt, families={bounds.family})
    # Given a prompt of the caller's choice, a file may still chat in its own way.
    trained = source.trained and prompt is None
    outputs = reference_of(source.student, asked, template=source.template, trained=trained)
    template = None if prompt is None else source.template
    certificate = certify_file(
        model, source.student.folder, outputs, bounds, runtime=TargetRuntime(profile, bounds.family), prompt=template
    )
    if output is not None:
        certificate.write(Path(output))
    return certificate


@_renamed(shots="num_fewshot", sequences="batch_size")
def evaluate(
    artifact: PathLike,
    data: PathLike | Rows,
    *,
    format: str | None = None,
    split: str | None = None,
    subset: str | None = None,
    revision: str | None = None,
    target: PathLike = "local",
    limit: int | None = None,
    prompt: str | None = None,
    num_fewshot: int = 0,
    answer: Literal["program", "number"] = "program",
    max_new_tokens: int = Decoding.max_new_tokens,
    batch_size: int = Decoding.batch_size,
    threads: int | None = None,
    wave: int = Decoding.wave,
    seed: int = 0,
    output: PathLike | None = None,
) -> EvaluationResult:
    """Evaluate a model file on a target.

    Args:
        artifact: Any GGUF or ONNX model file, yours or not, an artifact folder, or a run.
        data: File of problems, hub id, ``symbolic:train``, ``symbolic:heldout``, or a list of dicts.
        format: Data format; None recognises it from the content.
        split: Split of a hub id, such as ``test``.
        subset: Subset of a hub id that has several, such as ``main``.
        revision: Branch, tag or commit of a hub id.
        target: Device profile to run on.
        limit: Take the first N problems.
        prompt: ``plain``, ``chat``, a file, or None for the prompt stored in the artifact.
        num_fewshot: Worked examples in the prompt.
        answer: ``program``, or ``number`` for the last number of a free text.
        max_new_tokens: Most tokens per reply.
        batch_size: Problems per batch.
        threads: None for one per physical core.
        wave: Problems saved per checkpoint.
        seed: Seed for generated problems.
        output: New folder for rows, timing and summary; None keeps none.

    Raises:
        FddError: Something the caller can fix; the message says how.
        TargetError: The target failed.
    """
    from fdd_edge.config_file import checked
    from fdd_edge.operations.evaluate import evaluate_file
    from fdd_edge.resolve.dataset import DatasetOptions, fetch_set, read_set
    from fdd_edge.resolve.model_file import find_model_file
    from fdd_edge.targets import TargetRuntime, load_profile

    asking = _asking(
        prompt=prompt,
        num_fewshot=num_fewshot,
        answer=answer,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        threads=threads,
        wave=wave,
    )
    path = os.fspath(data) if isinstance(data, str | os.PathLike) else "rows"
    spec = checked(DatasetOptions, path=path, limit=limit, format=format, split=split, subset=subset, revision=revision)
    profile = load_profile(os.fspath(target))
    model = find_model_file(os.fspath(artifact))
    about: dict[str, Any] = {"path": spec.path, "limit": limit}
    skipped: list[dict[str, Any]] = []
    if not isinstance(data, str | os.PathLike):
        problems = _read_problems(data)[:limit]
    else:
        fetched = fetch_set(spec)
        problems, skipped = read_set(spec, fetched.files, seed=seed)
        if fetched.commit is not None:
            about |= {"id": spec.path, "revision": fetched.commit}
    out = None if output is None else Path(output)
    runtime = TargetRuntime(profile, _family_of(model))
    evaluation, rows, file = evaluate_file(model, problems, out, runtime=runtime, asking=asking, dataset=spec.label)
    summary, timing = evaluation.summary, evaluation.timing
    return EvaluationResult(
        n=summary.n,
        correct=summary.correct,
        accuracy=summary.accuracy,
        ci95=(summary.ci95.low, summary.ci95.high),
        verdicts=summary.verdicts,
        problems_per_second=timing["problems_per_second"],
        tokens_per_second=timing["tokens_per_second"],
        peak_rss_bytes=timing["peak_rss_bytes"],
        artifact=file,
        target=timing["target"],
        data=about | {"n": len(problems)},
        skipped=skipped,
        rows=rows,
    )


def split(
    problems: PathLike,
    answers: PathLike,
    output: PathLike,
    *,
    float_answers: PathLike | None = None,
    easy_at: float = Bands.easy_at,
    hard_at: float = Bands.hard_at,
) -> SplitResult:
    """Split problems into easy and hard by an artifact's answers, as a round of a run does: ``fdd-edge split``.

    Args:
        problems: File of problem records, or the data set that was evaluated; problems without an answer are left out.
        answers: Folder of the judge's evaluation of them.
        output: New folder; gets one file per label.
        float_answers: Folder of the float artifact's evaluation, at least of those that are not easy.
        easy_at: A problem is easy from this pass rate on.
        hard_at: A problem is hard up to this pass rate.

    Raises:
        FddError: Something the caller can fix; the message says how.
    """
    from fdd_edge.config_file import checked
    from fdd_edge.operations.split import read_answered, read_split
    from fdd_edge.operations.split import split as write_split
    from fdd_edge.records import ProblemSet
    from fdd_edge.runs.stage import build_atomic

    rows, out = Path(answers), Path(output)
    floats = None if float_answers is None else Path(float_answers)
    bands = checked(Bands, easy_at=easy_at, hard_at=hard_at)
    pool = ProblemSet(read_answered(Path(problems), rows, floats, bands))

    def make(folder: Path) -> None:
        write_split(folder, pool=pool, rows=rows, float_rows=floats, bands=bands)

    build_atomic(out, make, pool=pool, bands=bands)
    return SplitResult(out, {label: len(items) for label, items in read_split(out).items()})


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
        teacher: Who writes: a name, or ``module:Class``.
        per_easy: Harder problems per easy one.
        per_hard: Similar problems per hard one.
        max_depth: Only problems whose depth is lower than this evolve.
        policy: Which problems evolve into what.
        round_number: The round whose split it is.
        seed: Of the run, to which the round's number is added.

    Raises:
        FddError: Something the caller can fix; the message says how.
    """
    from collections import Counter

    from fdd_edge.config_file import checked
    from fdd_edge.operations.evolve import evolve as write_offspring
    from fdd_edge.operations.evolve import read_declined
    from fdd_edge.operations.split import read_split
    from fdd_edge.records import read_problems
    from fdd_edge.runs.stage import build_atomic
    from fdd_edge.runs.stage_files import OffspringFiles
    from fdd_edge.teachers import load_writer

    options = checked(EvolveOptions, per_easy=per_easy, per_hard=per_hard, max_depth=max_depth, policy=policy)
    _check_count("round_number", round_number)
    _check_count("seed", seed)
    load_writer(teacher)
    read_split(Path(split))
    out, draw = Path(output), seed + round_number

    def make(folder: Path) -> None:
        write_offspring(
            folder, split=Path(split), teacher=teacher, options=options, round_number=round_number, seed=draw
        )

    build_atomic(out, make, teacher=teacher, options=options, round_number=round_number, seed=draw)
    files = OffspringFiles(out)
    counts = Counter(problem.origin for problem in read_problems(files.problems))
    declined = read_declined(files.declined)
    return EvolveResult(
        out,
        {"complex": counts["complex"], "similar": counts["similar"]},
        {branch: {reason: len(ids) for reason, ids in why.items()} for branch, why in declined.items()},
    )


def bench(
    artifact: PathLike, *, target: PathLike = "local", prompt: str | None = None, threads: int | None = None
) -> Measurement:
    """Measure what a model file costs on a target: ``fdd-edge bench``.

    Args:
        artifact: Any GGUF or ONNX model file, an artifact folder, or a run.
        target: Device profile to run on.
        prompt: ``plain``, ``chat``, a file, or None for the prompt stored in the artifact.
        threads: None for one per physical core.

    Raises:
        FddError: Something the caller can fix; the message says how.
        TargetError: The target failed.
    """
    from fdd_edge.config_file import checked
    from fdd_edge.operations.bench import measure
    from fdd_edge.resolve.model_file import find_model_file
    from fdd_edge.resolve.prompts import requested_prompt
    from fdd_edge.targets import TargetRuntime, load_profile

    checked(Decoding, threads=threads)
    runtime_prompt, profile = requested_prompt(prompt), load_profile(os.fspath(target))
    model = find_model_file(os.fspath(artifact))
    return measure(model, runtime=TargetRuntime(profile, _family_of(model)), prompt=runtime_prompt, threads=threads)


def load(
    model: PathLike,
    *,
    target: PathLike = "local",
    prompt: str | None = None,
    num_fewshot: int = 0,
    max_new_tokens: int = Decoding.max_new_tokens,
    batch_size: int = Decoding.batch_size,
    threads: int | None = None,
) -> Model:
    """Load a model and hold it open, so that many questions share one process.

    ``with fdd_edge.load(path) as model: model.solve(question)``; or call ``model.close()`` when done.

    Args:
        model: Any GGUF or ONNX model file, an artifact folder, or a run.
        target: Device profile to run on.
        prompt: ``plain``, ``chat``, a file, or None for the prompt stored in the artifact.
        num_fewshot: Worked examples in the prompt.
        max_new_tokens: Most tokens per reply.
        batch_size: Questions per batch.
        threads: None for one per physical core.

    Raises:
        FddError: Something the caller can fix; the message says how.
        TargetError: The target failed.
    """
    from fdd_edge.artifacts.facts import describe_model
    from fdd_edge.loaded_model import Model
    from fdd_edge.resolve.model_file import find_model_file
    from fdd_edge.targets import TargetRuntime, load_profile

    asking = _asking(
        prompt=prompt,
        num_fewshot=num_fewshot,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        threads=threads,
    )
    profile = load_profile(os.fspath(target))
    file = find_model_file(os.fspath(model))
    describe_model(file)
    return Model(file, runtime=TargetRuntime(profile, _family_of(file)), asking=asking)


@_renamed(shots="num_fewshot")
def solve(
    model: PathLike,
    question: str,
    *,
    target: PathLike = "local",
    prompt: str | None = None,
    num_fewshot: int = 0,
    max_new_tokens: int = Decoding.max_new_tokens,
    threads: int | None = None,
) -> Solution:
    """Ask a model one question; ``load`` is faster for several.

    Args:
        model: Any GGUF or ONNX model file, an artifact folder, or a run.
        question: A word problem.
        target: Device profile to run on.
        prompt: ``plain``, ``chat``, a file, or None for the prompt stored in the artifact.
        num_fewshot: Worked examples in the prompt.
        max_new_tokens: Most tokens in the reply.
        threads: None for one per physical core.

    Returns:
        The answer, and the program that gives it.

    Raises:
        FddError: Something the caller can fix; the message says how.
        TargetError: The target failed.
    """
    from fdd_edge.errors import FddError

    if not isinstance(question, str) or not question.strip():
        raise FddError("The question is empty." if isinstance(question, str) else "The question must be a string.")
    with load(
        model,
        target=target,
        prompt=prompt,
        num_fewshot=num_fewshot,
        max_new_tokens=max_new_tokens,
        batch_size=1,
        threads=threads,
    ) as loaded:
        return loaded.solve(question)


def doctor(target: PathLike | None = None) -> list[Check]:
    """Check this machine, or a target; each check that fails names the command that fixes it."""
    from fdd_edge.operations.diagnose import check_machine
    from fdd_edge.targets import load_profile
    from fdd_edge.targets.diagnostics import check_target

    return check_machine() if target is None else list(check_target(load_profile(os.fspath(target))))


def ls() -> dict[str, dict[str, str]]:
    """Return the names of recipes, targets, configs, teachers and data formats, each with its description."""
    from fdd_edge.operations.listing import list_names

    return list_names()


def _run_folder(config: PathLike | Mapping[str, Any] | Config) -> Path | None:
    """Return the run folder that a config names, which may have been moved since it began."""
    from fdd_edge.runs import RunLayout

    if isinstance(config, str | os.PathLike) and RunLayout(Path(config)).is_run():
        return Path(config)
    return None


def _config_source(config: PathLike | Mapping[str, Any] | Config) -> tuple[dict[str, Any], str]:
    """Return a config as written, and what errors call it."""
    from fdd_edge.config import Config
    from fdd_edge.config_file import read_config_source
    from fdd_edge.errors import FddError
    from fdd_edge.runs import RunLayout

    if isinstance(config, Config):
        return config.model_dump(mode="json", exclude_unset=True), "config"
    if isinstance(config, Mapping):
        return dict(config), "config"
    if not isinstance(config, str | os.PathLike):
        raise FddError(f"config must be a name, a path, a dict or a Config, not {config!r}.")
    folder = _run_folder(config)
    name = os.fspath(config) if folder is None else str(RunLayout(folder).config)
    return read_config_source(name), name


def _asking(
    *,
    prompt: str | None,
    num_fewshot: int,
    max_new_tokens: int,
    batch_size: int,
    threads: int | None,
    wave: int = Decoding.wave,
    answer: Literal["program", "number"] = "program",
) -> Asking:
    """Check how a model is to be asked.

    Raises:
        FddError: A value is out of range; names it.
    """
    from fdd_edge.config_file import checked
    from fdd_edge.errors import FddError, did_you_mean
    from fdd_edge.operations.evaluate import Asking
    from fdd_edge.resolve.prompts import few_shot_stops, requested_prompt, worked_examples

    if answer not in ("program", "number"):
        near = did_you_mean(str(answer), ("program", "number"))
        raise FddError(f"answer must be 'program' or 'number', not {answer!r}.{near}")
    _check_count("num_fewshot", num_fewshot)
    decoding = checked(
        Decoding, max_new_tokens=max_new_tokens, batch_size=batch_size, threads=threads, wave=wave, temperature=0.0
    )
    return Asking(
        decoding,
        answer=answer,
        prompt=requested_prompt(prompt),
        examples=worked_examples(num_fewshot, answer),
        stop=few_shot_stops(num_fewshot, prompt),
    )


def _check_count(name: str, value: object) -> None:
    """Refuse what is not a whole number from 0.

    Raises:
        FddError: It is not.
    """
    from fdd_edge.errors import FddError

    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise FddError(f"{name} must be a whole number of at least 0, not {value!r}.")


def _called(data: PathLike | Rows) -> str:
    return os.fspath(data) if isinstance(data, str | os.PathLike) else "The list"


def _read_problems(data: PathLike | Rows) -> list[Problem]:
    """Read problems from a file of any known format, or from rows.

    Raises:
        FddError: They cannot be read; names the row.
    """
    from fdd_edge.errors import FddError
    from fdd_edge.operations.user_problems import read_rows_of_user, read_user_problems

    if isinstance(data, str | os.PathLike):
        return read_user_problems(Path(data))
    if not isinstance(data, Iterable):
        raise FddError(f"Problems must be a path, a hub id or a list of dicts, not {data!r}.")
    return read_rows_of_user(list(data))


def _exported(card: Mapping[str, Any]) -> ExportedArtifact:
    rest = {key: value for key, value in card.items() if key != "path"}
    return ExportedArtifact(
        Path(card["path"]), card["recipe"], card["bytes"], card["bits_per_weight"], card["types"], rest
    )


def _family_of(model: Path) -> str:
    from fdd_edge.ondevice.model_files import family_of

    return family_of(model)
