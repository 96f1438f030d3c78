"""What callers of ``api.py`` pass, checked before any work starts: paths, configs, problems, how a model is asked."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from fdd_edge.errors import FddError, did_you_mean
from fdd_edge.ondevice.verdicts import ANSWER_RULES, AnswerRule

if TYPE_CHECKING:
    from fdd_edge.config import Config
    from fdd_edge.ondevice.protocol import Decoding
    from fdd_edge.operations.asking import Asking
    from fdd_edge.records import Problem
    from fdd_edge.targets import TargetRuntime

    ConfigLike: TypeAlias = str | os.PathLike[str] | Mapping[str, Any] | Config

__all__ = [
    "AnswerKind",
    "AskedProblems",
    "GivenConfig",
    "PathLike",
    "Rows",
    "check_asking",
    "check_count",
    "check_decoding",
    "find_model",
    "list_of",
    "name_of",
    "optional",
    "path_of",
    "problems_to_ask",
    "read_config",
    "runtime_of",
]

PathLike: TypeAlias = str | os.PathLike[str]
"""A path, or a result that lies in one: a run, a round, an exported artifact, a split."""

Rows: TypeAlias = Iterable[Mapping[str, Any]]
"""Problems in memory."""

AnswerKind: TypeAlias = AnswerRule
"""How the answer of a reply is found."""


def name_of(value: PathLike, name: str) -> str:
    """Return the name or path that an argument gives.

    Raises:
        FddError: It is not a path.
    """
    if value is None:
        raise FddError(f"{name} is None. If it is the best round of a run, no round has passed its gates yet.")
    if not isinstance(value, str | os.PathLike):
        raise FddError(f"{name} must be a path, or a result that has one, not {value!r}.")
    return os.fspath(value)


def optional(value: PathLike | None, name: str) -> str | None:
    """Return the name or path that an argument gives, or None; see ``name_of``."""
    return None if value is None else name_of(value, name)


def path_of(value: PathLike, name: str) -> Path:
    """Return the path that an argument gives.

    Raises:
        FddError: It is not a path.
    """
    return Path(name_of(value, name))


def list_of(value: PathLike | Sequence[PathLike], name: str) -> list[str]:
    """Return the names or paths of a list; a single one is a list of one.

    Raises:
        FddError: It is something else.
    """
    if isinstance(value, str | os.PathLike):
        return [os.fspath(value)]
    if not isinstance(value, Sequence):
        raise FddError(f"{name} must be a list, not {value!r}.")
    return [name_of(one, f"{name}[{i}]") for i, one in enumerate(value)]


def find_model(model: PathLike, name: str) -> Path:
    """Return the model file that an argument names; see ``find_model_file``.

    Raises:
        FddError: There is none.
    """
    from fdd_edge.resolve.model_file import find_model_file

    return find_model_file(name_of(model, name))


def runtime_of(model: Path, target: PathLike) -> TargetRuntime:
    """Return what runs a model file on a target.

    Raises:
        FddError: There is no such target.
    """
    from fdd_edge.ondevice.model_files import family_of
    from fdd_edge.targets import TargetRuntime, load_profile

    return TargetRuntime(load_profile(name_of(target, "target")), family_of(model))


class GivenConfig(NamedTuple):
    """A config that was checked.

    Attributes:
        config: The config.
        source: The same as written.
    """

    config: Config
    source: dict[str, Any]


def read_config(
    config: ConfigLike,
    overrides: str | Sequence[str],
    *,
    output: PathLike | None = None,
    rounds: int | None = None,
    find_missing: Callable[[Config], Sequence[str]] = lambda config: (),
) -> GivenConfig:
    """Read and check a config.

    Args:
        config: Name of a packaged config, a YAML file, a run folder, a dict like the YAML, or a ``Config``.
        overrides: ``a.b=value`` for single keys.
        output: Run folder; None takes the run folder that ``config`` names, or else the config's ``output_dir``.
        rounds: Number of rounds; None takes the config's.
        find_missing: See ``parse_config``.

    Raises:
        FddError: There is no such config, or it has errors; lists all of them.
    """
    from fdd_edge.config import Config
    from fdd_edge.config_file import override_source, parse_config, read_config_source
    from fdd_edge.runs import RunLayout

    changes, origin = list_of(overrides, "overrides"), "config"
    if output is not None:
        changes.append(f"output_dir={json.dumps(name_of(output, 'output'))}")
    if rounds is not None:
        check_count("rounds", rounds)
        changes.append(f"rounds={rounds}")
    if isinstance(config, Config):
        source = config.model_dump(mode="json", exclude_unset=True)
    elif isinstance(config, Mapping):
        source = dict(config)
    elif isinstance(config, str | os.PathLike):
        layout = RunLayout(Path(config))
        origin = str(layout.config) if layout.is_run() else os.fspath(config)
        source = read_config_source(origin)
        if layout.is_run():
            # The folder may have been moved since the run began.
            source["output_dir"] = str(layout.root)
    else:
        raise FddError(f"config must be a name, a path, a dict or a Config, not {config!r}.")
    source = override_source(source, changes)
    return GivenConfig(parse_config(source, origin, find_missing), source)


def check_decoding(**values: int | None) -> Decoding:
    """Check how replies are decoded; the arguments are fields of ``Decoding``.

    Raises:
        FddError: A value is of the wrong type or out of range; lists all faults.
    """
    from fdd_edge.config_file import checked
    from fdd_edge.ondevice.protocol import Decoding

    return checked(Decoding, **values)


def check_asking(decoding: Decoding, *, prompt: PathLike | None, num_fewshot: int, answer: AnswerKind) -> Asking:
    """Check how a model is to be asked.

    Raises:
        FddError: A value is out of range; the message names it.
    """
    from fdd_edge.operations.asking import Asking
    from fdd_edge.resolve.prompts import requested_prompt, worked_examples

    if answer not in ANSWER_RULES:
        near = did_you_mean(str(answer), ANSWER_RULES)
        raise FddError(f"answer must be 'program', 'number' or 'last-number', not {answer!r}.{near}")
    check_count("num_fewshot", num_fewshot)
    wording = optional(prompt, "prompt")
    return Asking(
        decoding,
        answer=answer,
        prompt=requested_prompt(wording),
        examples=worked_examples(num_fewshot, answer),
    )


def check_count(name: str, value: object) -> None:
    """Refuse what is not a non-negative integer.

    Raises:
        FddError: It is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise FddError(f"{name} must be a non-negative integer, not {value!r}.")


class AskedProblems(NamedTuple):
    """The problems of an evaluation.

    Attributes:
        problems: With gold answers.
        skipped: Items without a numeric answer, each with its set and the reason.
        about: Path, limit and commit, and how many problems there are.
        label: The set's name, for the progress line.
    """

    problems: list[Problem]
    skipped: list[dict[str, Any]]
    about: dict[str, Any]
    label: str


def problems_to_ask(data: PathLike | Rows, *, seed: int, limit: int | None, **choice: str | None) -> AskedProblems:
    """Read the problems of an evaluation.

    Args:
        data: A file, a hub id, a symbolic set, or rows in memory.
        seed: Draws the problems of a symbolic set.
        limit: Take the first N.
        choice: ``format``, ``split``, ``subset``, ``revision``, ``question_field`` and ``answer_field``, see
            ``DatasetOptions``.

    Raises:
        FddError: There is no such set, it is broken, or an option does not apply to it.
    """
    from fdd_edge.config_file import checked
    from fdd_edge.data import read_list
    from fdd_edge.resolve.dataset import DatasetOptions, fetch_set, read_set

    check_count("seed", seed)
    path = os.fspath(data) if isinstance(data, str | os.PathLike) else "rows"
    options = checked(DatasetOptions, path=path, limit=limit, **choice)
    about: dict[str, Any] = {"path": path, "limit": limit}
    if isinstance(data, str | os.PathLike):
        fetched = fetch_set(options)
        problems, skipped = read_set(options, fetched.files, seed=seed)
        if fetched.commit is not None:
            about |= {"id": path, "revision": fetched.commit}
    else:
        if not isinstance(data, Iterable):
            raise FddError(f"data must be a path, a hub id or a list of dicts, not {data!r}.")
        fields = {"question_field", "answer_field"}
        if given := [key for key, value in choice.items() if value is not None and key not in fields]:
            raise FddError(f"`{given[0]}` does not apply to a list of problems: leave it out.")
        found = read_list(data, limit=options.limit, columns=options.columns)
        problems, skipped = found.problems, [{"set": path} | entry._asdict() for entry in found.skipped]
    return AskedProblems(problems, skipped, about | {"n": len(problems)}, options.label)
