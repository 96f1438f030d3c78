"""What callers of ``api.py`` pass, checked before any work starts: paths, configs, problems, how a model is asked."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from fdd_edge.errors import FddError, did_you_mean
from fdd_edge.ondevice.options import option
from fdd_edge.ondevice.verdicts import ANSWER_RULES, AnswerRule

if TYPE_CHECKING:
    from fdd_edge.config import Config
    from fdd_edge.ondevice.protocol import Decoding
    from fdd_edge.operations.asking import Asking
    from fdd_edge.records import Problem
    from fdd_edge.targets import TargetRuntime

    ConfigLike: TypeAlias = str | os.PathLike[str] | Mapping[str, Any] | Config

__all__ = [
    "MAX_SAMPLES",
    "TOKENS_OF_TEXT",
    "AnswerKind",
    "AskedProblems",
    "EvaluationOptions",
    "GivenConfig",
    "HostOptions",
    "PathLike",
    "Rows",
    "check_asking",
    "check_choice",
    "check_count",
    "check_decoding",
    "check_evaluation",
    "check_samples",
    "default_tokens",
    "distinct_names",
    "find_model",
    "label_artifacts",
    "list_of",
    "name_of",
    "optional",
    "path_of",
    "problems_to_ask",
    "read_config",
    "runtime_of",
]

MAX_SAMPLES = 64
"""Replies per question, at most."""


@dataclass(frozen=True)
class HostOptions:
    """Options of exports and certificates, whose work is done on this machine and in part on a target."""

    threads: int | None = option(
        None,
        "threads of the runtime, of the float model, and of what quantizes it; default: one per physical core; "
        "`threads` in the target's profile takes precedence in the runtime",
        ge=1,
        le=512,
    )


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


TOKENS_OF_TEXT = 512
"""Tokens of a free-form reply, at most, unless the caller says otherwise: words need more of them than a program."""


def default_tokens(answer: AnswerKind) -> int:
    """Return how many tokens a reply may have if the caller does not say."""
    from fdd_edge.ondevice.protocol import Decoding

    return Decoding.max_new_tokens if answer == "program" else TOKENS_OF_TEXT


def check_decoding(**values: float | None) -> Decoding:
    """Check how replies are decoded; the arguments are fields of ``Decoding``.

    Raises:
        FddError: A value is of the wrong type or out of range; lists all faults.
    """
    from fdd_edge.checked_options import checked
    from fdd_edge.ondevice.protocol import Decoding

    return checked(Decoding, **values)


def check_asking(
    decoding: Decoding,
    *,
    prompt: PathLike | None,
    num_fewshot: int,
    answer: AnswerKind,
    samples: int = 1,
    seed: int = 0,
) -> Asking:
    """Check how a model is to be asked.

    Raises:
        FddError: A value is out of range, or several replies would all be the same; the message names it.
    """
    from fdd_edge.operations.asking import Asking
    from fdd_edge.resolve.prompts import requested_prompt, worked_examples

    if answer not in ANSWER_RULES:
        near = did_you_mean(str(answer), ANSWER_RULES)
        raise FddError(f"answer must be 'program', 'number' or 'last-number', not {answer!r}.{near}")
    check_count("num_fewshot", num_fewshot)
    check_count("seed", seed)
    if check_samples(samples) > 1 and decoding.temperature == 0:
        raise FddError(f"At temperature 0, all {samples} replies would be the same; give a temperature, such as 0.7.")
    wording = optional(prompt, "prompt")
    return Asking(
        decoding,
        num_return_sequences=samples,
        seed=seed,
        answer=answer,
        prompt=requested_prompt(wording),
        examples=worked_examples(num_fewshot, answer),
    )


class EvaluationOptions(NamedTuple):
    """The options of an evaluation, checked.

    Attributes:
        asking: How problems are asked.
        read: Reads the problems of a set, as ``problems_to_ask``.
        target: Device profile to run on.
    """

    asking: Asking
    read: Callable[[PathLike | Rows], AskedProblems]
    target: PathLike


def check_evaluation(
    *,
    target: PathLike = "local",
    prompt: PathLike | None = None,
    num_fewshot: int = 0,
    answer: AnswerKind = "program",
    max_new_tokens: int | None = None,
    samples: int = 1,
    seed: int = 0,
    limit: int | None = None,
    batch_size: int | None = None,
    threads: int | None = None,
    flash_attention: bool | None = None,
    wave: int | None = None,
    temperature: float | None = None,
    **choice: Any,
) -> EvaluationOptions:
    """Check the options of an evaluation; the arguments are those of ``api.evaluate``, and None is the default.

    Raises:
        FddError: One is wrong; the message names it.
    """
    given = {
        "batch_size": batch_size,
        "threads": threads,
        "wave": wave,
        "temperature": temperature,
        "flash_attention": flash_attention,
    }
    decoding = check_decoding(
        max_new_tokens=default_tokens(answer) if max_new_tokens is None else max_new_tokens,
        **{name: value for name, value in given.items() if value is not None},
    )
    asking = check_asking(decoding, prompt=prompt, num_fewshot=num_fewshot, answer=answer, samples=samples, seed=seed)
    return EvaluationOptions(asking, partial(problems_to_ask, seed=seed, limit=limit, **choice), target)


def distinct_names(names: Sequence[str]) -> list[str]:
    """Return names that differ: the second ``test`` is ``test-2``."""
    found: list[str] = []
    for name in names:
        n, new = 1, name
        while new in found:
            n += 1
            new = f"{name}-{n}"
        found.append(new)
    return found


def label_artifacts(names: Sequence[str], models: Sequence[Path]) -> list[str]:
    """Return a name for each of several artifacts; those that would share one get what differs in how they were named.

    The artifacts of ``runs/a`` and ``runs/b`` are ``a-gguf-q4_0`` and ``b-gguf-q4_0``.

    Args:
        names: What the user named: files, folders, runs.
        models: The model file of each.
    """
    from fdd_edge.operations.evaluate import name_of_artifact

    own = [name_of_artifact(model).removesuffix(".gguf") for model in models]
    # What repeats the artifact's name, or stands between it and its round, says nothing.
    said = {*own, *(model.name for model in models), "artifacts"}
    places = [[part for part in Path(name).absolute().parts if part not in said] for name in names]
    labels = []
    for label, place in zip(own, places, strict=True):
        alike = [other for name, other in zip(own, places, strict=True) if name == label]
        steps = enumerate(zip(*alike, strict=False))
        shared = next((n for n, parts in steps if len(set(parts)) > 1), min(map(len, alike)))
        differs = place[shared:] or place[-1:]
        labels.append(label if all(other == place for other in alike) else "-".join([*differs, label]))
    return distinct_names(labels)


def check_choice(name: str, value: object, known: Iterable[str]) -> None:
    """Refuse what is not one of a few words.

    Raises:
        FddError: It is not; suggests the nearest one.
    """
    words = [str(word) for word in known]
    if value not in words:
        raise FddError(f"{name} must be one of {', '.join(words)}, not {value!r}.{did_you_mean(str(value), words)}")


def check_samples(samples: object) -> int:
    """Return a number of replies per question.

    Raises:
        FddError: It is not one.
    """
    if not isinstance(samples, int) or isinstance(samples, bool) or not 1 <= samples <= MAX_SAMPLES:
        raise FddError(f"samples must be an integer from 1 to {MAX_SAMPLES}, not {samples!r}.")
    return samples


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
        about: Name, path, sha256, format, limit and commit of the set, and how many problems there are.
    """

    problems: list[Problem]
    skipped: list[dict[str, Any]]
    about: dict[str, Any]


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
    from fdd_edge.checked_options import checked
    from fdd_edge.data import read_list
    from fdd_edge.operations.evaluation_facts import hash_problems
    from fdd_edge.resolve.dataset import DatasetOptions, FetchedSet, describe_set, fetch_set, read_set

    check_count("seed", seed)
    path = os.fspath(data) if isinstance(data, str | os.PathLike) else "rows"
    options = checked(DatasetOptions, path=path, limit=limit, **choice)
    if isinstance(data, str | os.PathLike):
        fetched = fetch_set(options)
        problems, skipped, found_format = read_set(options, fetched.files, seed=seed)
    else:
        if not isinstance(data, Iterable):
            raise FddError(f"data must be a path, a hub id or a list of dicts, not {data!r}.")
        fields = {"question_field", "answer_field"}
        if given := [key for key, value in choice.items() if value is not None and key not in fields]:
            raise FddError(f"`{given[0]}` does not apply to a list of problems: leave it out.")
        found = read_list(data, limit=options.limit, columns=options.columns)
        problems, skipped = found.problems, [{"set": path} | entry._asdict() for entry in found.skipped]
        fetched, found_format = FetchedSet(options, ()), found.format
    about = describe_set(fetched, found_format)
    return AskedProblems(problems, skipped, about | {"n": len(problems), "problems_sha256": hash_problems(problems)})
