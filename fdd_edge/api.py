"""The commands as functions: ``fdd-edge run | export | parity | eval | split | evolve | bench | solve`` from Python."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fdd_edge.ondevice.protocol import Completion
from fdd_edge.runs import RunLayout

if TYPE_CHECKING:
    from fdd_edge.feedback import Policy
    from fdd_edge.operations.bench import Measurement
    from fdd_edge.parity import Certificate
    from fdd_edge.pipeline.round_summary import RoundSummary
    from fdd_edge.records import Problem

__all__ = ["bench", "certify", "evaluate", "evolve", "export", "run", "solve", "split"]


def run(
    config: str,
    *,
    output: str | None = None,
    overrides: Sequence[str] = (),
    rounds: int | None = None,
    parity: bool = True,
    on_round: Callable[[RoundSummary], None] = lambda summary: None,
) -> RunLayout:
    """Distil a student as a config says, or go on where an earlier call stopped.

    Args:
        config: Name of a packaged config, or a YAML file.
        output: Run folder; None takes the config's ``output_dir``.
        overrides: ``a.b=value`` for single keys.
        rounds: Number of rounds; more than before extends a run.
        parity: Whether each artifact is certified before it is evaluated; if not, the manifest says so.
        on_round: Called with the figures of every round.

    Returns:
        Where everything lies.

    Raises:
        FddError: Something the user can mend; the message says how.
        ParityError: An artifact failed its certificate: the judge's at once, any other once the rounds are done.
    """
    from fdd_edge.config import load_config
    from fdd_edge.pipeline import loop

    changes = list(overrides)
    if output is not None:
        changes.append(f"output_dir={json.dumps(output)}")
    if rounds is not None:
        changes.append(f"rounds={rounds}")
    checked, source = load_config(config, changes)
    return loop.run(checked, source, parity=parity, on_round=on_round)


def export(
    model: str,
    recipes: Sequence[str],
    output: str,
    *,
    revision: str | None = None,
    prompt: str | None = None,
    prompts: str | None = None,
    parity: bool = True,
    on_certificate: Callable[[Certificate], None] = lambda certificate: None,
) -> list[dict[str, Any]]:
    """Export a model by recipes, one folder a recipe, each with its parity certificate.

    Args:
        model: Hugging Face folder or hub id, ``.gguf``, ``package:NAME``, a run, or a round of one.
        recipes: Names or paths.
        output: Folder that gets the artifacts.
        revision: Branch, tag or commit of a hub id.
        prompt: Stored in the files; None takes the one the model was trained on, or ``plain``.
        prompts: File of problems for the certificates, and for an importance matrix of a model that is no run's; None
            takes 64 packaged ones.
        parity: Whether to make certificates.
        on_certificate: Called with each certificate.

    Returns:
        What each artifact is: path, recipe, bytes, bits a weight, tensor types.

    Raises:
        FddError: Something the user can mend; the message says how.
        ParityError: An artifact failed its certificate and was left out; the others are in their places.
    """
    from fdd_edge.artifacts.recipe import load_recipes
    from fdd_edge.operations.export import export_all
    from fdd_edge.resolve.model import open_source

    wanted = load_recipes(recipes)
    asked = _certificate_prompts(prompts)
    source = open_source(model, revision=revision, prompt=prompt, families={recipe.family for recipe in wanted})
    return export_all(source, Path(output), wanted, prompts=asked, parity=parity, on_certificate=on_certificate)


def certify(
    artifact: str,
    reference: str,
    *,
    revision: str | None = None,
    prompts: str | None = None,
    recipe: str | None = None,
    prompt: str | None = None,
    target: str = "local",
    output: str | None = None,
) -> Certificate:
    """Hold a model file against the float model it was made from: ``fdd-edge parity``.

    Args:
        artifact: A model file, an artifact folder, a run or a round.
        reference: The float model, named as for ``export``.
        revision: Branch, tag or commit of the reference, a hub id.
        prompts: File of problems; None takes 64 packaged ones, which also fill up fewer.
        recipe: Whose bounds apply; None takes the one the file names.
        prompt: ``plain``, ``chat`` or a file, for both sides; None takes the one each of them carries.
        target: Device profile on which the file runs.
        output: New file for the certificate; None keeps none.

    Returns:
        The certificate, passed or failed.

    Raises:
        FddError: Something the user can mend; the message says how.
        TargetError: The target failed.
    """
    from fdd_edge.operations.certify import certify, check_new, find_bounds, reference_of
    from fdd_edge.resolve.model import open_source
    from fdd_edge.resolve.model_file import find_artifact

    model = find_artifact(artifact)
    if output is not None:
        check_new(Path(output))
    bounds = find_bounds(model, recipe)
    asked = _certificate_prompts(prompts)
    source = open_source(reference, revision=revision, prompt=prompt, families={bounds.family})
    # ParityPrompt by a prompt of the caller's choice, a file may still chat in its own way.
    trained = source.trained and prompt is None
    record = reference_of(source.student, asked, template=source.template, trained=trained)
    template = None if prompt is None else source.template
    certificate = certify(model, source.student.folder, record, bounds, target=target, prompt=template)
    if output is not None:
        certificate.write(Path(output))
    return certificate


def _certificate_prompts(path: str | None) -> list[Problem]:
    """Return the problems of a user's file, or none: then the packaged ones are taken."""
    from fdd_edge.data import read_dataset

    return [] if path is None else read_dataset(Path(path)).problems


def evaluate(
    artifact: str,
    data: str,
    *,
    format: str | None = None,
    split: str | None = None,
    subset: str | None = None,
    revision: str | None = None,
    target: str = "local",
    limit: int | None = None,
    prompt: str | None = None,
    shots: int = 0,
    answer: Literal["program", "number"] = "program",
    max_new_tokens: int = 200,
    sequences: int = 16,
    threads: int | None = None,
    wave: int = 64,
    seed: int = 0,
    output: str | None = None,
) -> dict[str, Any]:
    """Evaluate a model file on a target; return the object that ``fdd-edge eval --json`` prints.

    Args:
        artifact: A model file of anybody's, an artifact folder, or a run.
        data: File of problems, hub id, or ``symbolic:train``, ``symbolic:heldout``.
        format: Data format; None recognises it from the content.
        split: Part of a hub id, such as ``test``.
        subset: Of a hub id that has several, such as ``main``.
        revision: Branch, tag or commit of a hub id.
        target: Device profile to run on.
        limit: Take the first so many problems.
        prompt: ``plain``, ``chat``, a file, or None for the prompt stored in the artifact.
        shots: Worked examples in the prompt.
        answer: ``program``, or ``number`` for the last number of a free text.
        max_new_tokens: Tokens a reply may have.
        sequences: Problems in one batch.
        threads: None for one a physical core.
        wave: Unit of resume.
        seed: Draws of symbolic problems.
        output: New folder for rows, timing and summary; None keeps none.

    Raises:
        FddError: Something the user can mend; the message says how.
        TargetError: The target failed.
    """
    from fdd_edge.operations.evaluate import Decoding, evaluate_file
    from fdd_edge.resolve.dataset import DatasetSpec, fetch_set, read_set
    from fdd_edge.resolve.model_file import find_artifact
    from fdd_edge.resolve.prompts import requested_prompt, shot_stops, worked_examples

    model = find_artifact(artifact)
    asked = DatasetSpec(Path(data).stem.replace(":", "-"), data, format, limit, split, subset, revision)
    dataset = fetch_set(asked)
    problems, skipped = read_set(dataset, seed=seed)
    decoding = Decoding(
        max_new_tokens,
        sequences,
        threads,
        temperature=0.0,
        wave=wave,
        answer=answer,
        prompt=requested_prompt(prompt),
        shots=worked_examples(shots, answer),
        stop=shot_stops(shots, prompt),
    )
    out = None if output is None else Path(output)
    report = evaluate_file(model, problems, out, target=target, decoding=decoding) | {"skipped": skipped}
    if dataset.commit is not None:
        report["data"] = {"id": data, "revision": dataset.commit}
    return report


def split(
    problems: str,
    answers: str,
    output: str,
    *,
    float_answers: str | None = None,
    easy_at: float = 0.75,
    hard_at: float = 0.25,
) -> dict[str, int]:
    """Part problems by an artifact's answers, as a round of a run does: ``fdd-edge split``.

    Args:
        problems: File of problem records, or the data set that was evaluated; what was not asked is left out.
        answers: Folder of an evaluation of them, the judge's.
        output: New folder; gets one file a label.
        float_answers: Folder of the float artifact's evaluation of at least those that are not easy.
        easy_at: Easy from this pass rate.
        hard_at: Hard up to this pass rate.

    Returns:
        How many problems each label has.

    Raises:
        FddError: Something the user can mend; the message says how.
    """
    from fdd_edge.operations import evolve as feedback
    from fdd_edge.resolve.answered import answered
    from fdd_edge.runs.stage import build_atomic

    floats = None if float_answers is None else Path(float_answers)
    bands = {"easy_at": easy_at, "hard_at": hard_at}
    pool = answered(Path(problems), Path(answers), floats, **bands)
    build_atomic(Path(output), lambda out: feedback.split(pool, Path(answers), floats, out, **bands))
    return {label: len(items) for label, items in feedback.read_split(Path(output)).items()}


def evolve(
    split: str,
    output: str,
    *,
    teacher: str = "symbolic",
    per_easy: int = 1,
    per_hard: int = 1,
    max_depth: int = 3,
    policy: Policy = "fdd",
    round_number: int = 0,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Let a teacher write new problems from a split, unchecked, as a round of a run does: ``fdd-edge evolve``.

    Args:
        split: Folder of a split.
        output: New file of problem records.
        teacher: Who writes.
        per_easy: More complex problems for an easy one.
        per_hard: Similar problems for a hard one.
        max_depth: Problems evolve while their depth is below this.
        policy: Which problems evolve into what.
        round_number: The round whose split it is.
        seed: Of the run, to which the round's number is added.

    Returns:
        ``evolved``: how many were written, by origin; ``declined``: parents without any, by origin and reason.

    Raises:
        FddError: Something the user can mend; the message says how.
    """
    from collections import Counter

    from fdd_edge.errors import FddError
    from fdd_edge.operations import evolve as feedback
    from fdd_edge.records import read_problems

    if Path(output).exists():
        raise FddError(f"{output} exists already; name another file, or remove it.")
    refusals = feedback.evolve(
        Path(split),
        Path(output),
        teacher=teacher,
        per_easy=per_easy,
        per_hard=per_hard,
        max_depth=max_depth,
        policy=policy,
        round_number=round_number,
        seed=seed + round_number,
    )
    counts = Counter(problem.origin for problem in read_problems(Path(output)))
    declined = {origin: {reason: len(ids) for reason, ids in why.items()} for origin, why in refusals.items()}
    return {"evolved": {origin: counts[origin] for origin in ("complex", "similar")}, "declined": declined}


def bench(
    artifact: str, *, target: str = "local", prompt: str | None = None, threads: int | None = None
) -> Measurement:
    """Measure what a model file costs on a target: ``fdd-edge bench``.

    Args:
        artifact: A model file of anybody's, an artifact folder, or a run.
        target: Device profile to run on.
        prompt: ``plain``, ``chat``, a file, or None for the prompt stored in the artifact.
        threads: None for one a physical core.

    Raises:
        FddError: Something the user can mend; the message says how.
        TargetError: The target failed.
    """
    from fdd_edge.operations.bench import measure
    from fdd_edge.resolve.model_file import find_artifact
    from fdd_edge.resolve.prompts import requested_prompt

    return measure(find_artifact(artifact), target=target, prompt=requested_prompt(prompt), threads=threads)


def solve(
    model: str,
    question: str,
    *,
    target: str = "local",
    prompt: str | None = None,
    shots: int = 0,
    max_new_tokens: int = 200,
) -> Completion:
    """Put one question to a model file, an artifact folder, or a run.

    Raises:
        FddError: Something the user can mend; the message says how.
        TargetError: The target failed.
    """
    from fdd_edge.operations.evaluate import Decoding, ask
    from fdd_edge.resolve.model_file import find_artifact
    from fdd_edge.resolve.prompts import requested_prompt, shot_stops, worked_examples

    decoding = Decoding(
        max_new_tokens,
        sequences=1,
        threads=None,
        temperature=0.0,
        wave=1,
        prompt=requested_prompt(prompt),
        shots=worked_examples(shots),
        stop=shot_stops(shots, prompt),
    )
    return ask(find_artifact(model), question, target=target, decoding=decoding)
