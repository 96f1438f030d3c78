"""The commands as functions: what ``fdd-edge run | export | eval | solve`` do, for use from Python."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fdd_edge.ondevice.protocol import Completion
from fdd_edge.runs import RunLayout

if TYPE_CHECKING:
    from fdd_edge.stages.summary import RoundSummary

__all__ = ["evaluate", "export", "run", "solve"]


def run(
    config: str,
    *,
    output: str | None = None,
    overrides: Sequence[str] = (),
    rounds: int | None = None,
    on_round: Callable[[RoundSummary], None] = lambda summary: None,
) -> RunLayout:
    """Distil a student as a config says, or go on where an earlier call stopped.

    Args:
        config: Name of a packaged config, or a YAML file.
        output: Run folder; None takes the config's ``output_dir``.
        overrides: ``a.b=value`` for single keys.
        rounds: Number of rounds; more than before extends a run.
        on_round: Called with the figures of every round.

    Returns:
        Where everything lies.

    Raises:
        FddError: Something the user can mend; the message says how.
    """
    from fdd_edge import loop
    from fdd_edge.config import load_config

    changes = list(overrides)
    if output is not None:
        changes.append(f"output_dir={json.dumps(output)}")
    if rounds is not None:
        changes.append(f"rounds={rounds}")
    checked, source = load_config(config, changes)
    return loop.run(checked, source, on_round=on_round)


def export(model: str, recipes: Sequence[str], output: str, *, prompt: str | None = None) -> list[dict[str, Any]]:
    """Export a model by recipes, one folder a recipe, and hold its float file against torch.

    Args:
        model: Hugging Face folder or hub id, ``.gguf``, ``package:NAME``, a run, or a round of one.
        recipes: Names or paths.
        output: Folder that gets the artifacts.
        prompt: Stored in the files; None takes the one the model was trained on, or ``plain``.

    Returns:
        What each artifact is: path, recipe, bytes, bits a weight, tensor types.

    Raises:
        FddError: Something the user can mend; the message says how.
        ParityError: The float file does not answer as torch does.
    """
    from fdd_edge.artifacts.recipe import load_recipes
    from fdd_edge.stages.artifact import open_source
    from fdd_edge.stages.export import export_all

    wanted = load_recipes(recipes)
    source = open_source(model, prompt=prompt)
    return export_all(
        source.student,
        Path(output),
        wanted,
        template=source.template,
        base=source.base,
        round=source.round,
        trained=source.trained,
    )


def evaluate(
    artifact: str,
    data: str,
    *,
    format: str | None = None,
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
        data: Problems, or ``symbolic:train``, ``symbolic:heldout``.
        format: Data format; None recognises it from the content.
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
    from fdd_edge.stages.artifact import find_artifact
    from fdd_edge.stages.evaluation import Decoding, evaluate_file
    from fdd_edge.stages.problems import DatasetSpec, read_set
    from fdd_edge.stages.prompts import requested_prompt, shot_stops, worked_examples

    model = find_artifact(artifact)
    problems, skipped = read_set(DatasetSpec(Path(data).stem.replace(":", "-"), data, format, limit), seed=seed)
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
    return evaluate_file(model, problems, out, target=target, decoding=decoding) | {"skipped": skipped}


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
    from fdd_edge.stages.artifact import find_artifact
    from fdd_edge.stages.evaluation import Decoding, ask
    from fdd_edge.stages.prompts import requested_prompt, shot_stops, worked_examples

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
