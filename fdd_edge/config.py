"""The run config: one typed definition of every option, and all faults of a file at once, each with its path."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fdd_edge import catalog
from fdd_edge.errors import FddError
from fdd_edge.feedback import Policy
from fdd_edge.runs.layout import NON_EASY, POOL, VALID
from fdd_edge.yaml_errors import faults_of, yaml_fault

__all__ = ["RESERVED_SETS", "Config", "changed_keys", "load_config", "parse_config", "read_config_source"]

_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StudentConfig(_Section):
    """Which model is taught."""

    model_name_or_path: str = Field(description="hub id, folder, .gguf file, package:NAME, or tiny")
    revision: str | None = Field(None, description="branch, tag or commit of a hub id")
    prompt: str = Field("plain", description="plain, chat, or a file that holds {question}")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="number format of training; auto is bfloat16 where the CPU has it"
    )


class BaselineConfig(_Section):
    """The untuned student, evaluated beside the tuned one."""

    shots: int = Field(4, ge=0, description="worked examples in its prompt")
    prompt: str = Field("plain", description="as student.prompt")


class TeacherConfig(_Section):
    """Who writes programs and problems."""

    rationale: list[str] = Field(["annotated", "symbolic"], min_length=1, description="the first that can, writes it")
    evolve: str = Field("symbolic", description="writes new problems after a split")


RESERVED_SETS = {VALID, POOL, NON_EASY}
"""Names that stand for a run's own sets among the folders of an evaluation."""


class DatasetConfig(_Section):
    """A set of problems."""

    path: str = Field(description="file, hub id, or symbolic:train or symbolic:heldout")
    name: str | None = Field(None, pattern=catalog.NAME, description="default: from the path")
    format: str | None = Field(None, description="default: recognised from the content")
    limit: Count | None = Field(None, description="take the first so many")
    max_operations: Count | None = Field(None, description="of a symbolic set: no problem has more")
    split: str | None = Field(None, description="part of a hub id, such as train")
    subset: str | None = Field(None, description="of a hub id that has several, such as main")
    revision: str | None = Field(None, description="branch, tag or commit of a hub id")

    @property
    def label(self) -> str:
        """The set's name, from its path where none was given; empty where the path gives none."""
        stem = self.path.replace(":", "-") if self.path.startswith("symbolic:") else Path(self.path).name.split(".")[0]
        return self.name or re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("._-")


class DataConfig(_Section):
    """What is trained on, chosen by, and reported on."""

    train: list[DatasetConfig] = Field(min_length=1, description="seed problems")
    valid: list[DatasetConfig] = Field([], description="chooses the best round; default: a tenth of train, at most 200")
    eval: list[DatasetConfig] = Field([], description="reported on; nothing is chosen or tuned on it")

    @model_validator(mode="after")
    def _names_are_fit(self) -> Self:
        for role in ("train", "valid", "eval"):
            names = [d.label for d in getattr(self, role)]
            if twice := sorted({n for n in names if names.count(n) > 1}):
                raise ValueError(f"{role} names {', '.join(twice)} twice; give each set a name of its own")
            if "" in names:
                raise ValueError(f"{role} holds a path that gives no name; give the set one")
        if taken := sorted(RESERVED_SETS & {d.label for d in self.eval}):
            raise ValueError(f"eval names {', '.join(taken)}, which means something else in a run; give the set a name")
        if any(d.path == "symbolic:heldout" for d in (*self.train, *self.valid)):
            raise ValueError(
                "symbolic:heldout is for eval only; nothing is trained on or chosen by held-out situations"
            )
        return self


class LoraConfig(_Section):
    """The adapter, under PEFT's names."""

    r: Count = 16
    lora_alpha: Count = 32
    lora_dropout: Fraction = 0.0
    target_modules: list[str] = Field(
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], min_length=1
    )


class TrainingConfig(_Section):
    """One round's training, under the names of Hugging Face's TrainingArguments."""

    learning_rate: float = Field(1e-3, gt=0)
    num_train_epochs: float = Field(1.0, gt=0)
    per_device_train_batch_size: Count = 4
    gradient_accumulation_steps: Count = 1
    max_length: Count = Field(512, description="longer examples are left out, and counted")
    max_tokens: Count | None = Field(
        None, description="train on so many tokens instead of num_train_epochs, however many examples there are"
    )
    eval_steps: Count | None = Field(None, description="steps between two validation losses; default: one an epoch")
    early_stopping_patience: Count | None = Field(
        None, description="stop after so many validation losses that were not the best; default: never"
    )
    save_steps: Count = Field(100, description="steps between two checkpoints, which an interrupted run goes on from")
    quantization_aware: str = Field(
        "none",
        description="recipe whose rounding the forward pass sees: its file is the model that was trained",
    )
    threads: Count | None = Field(None, description="default: every core this process may use")
    start_from: Literal["base", "previous"] = Field("base", description="a new adapter each round, or go on")

    @field_validator("quantization_aware")
    @classmethod
    def _is_known(cls, name: str) -> str:
        return name if name == "none" else _known("export/recipes", [name])[0]


class ExportConfig(_Section):
    """Which artifacts each round makes."""

    recipes: list[str] = Field(["gguf-q4_0", "gguf-q8_0"], min_length=1)

    @field_validator("recipes")
    @classmethod
    def _are_known(cls, names: list[str]) -> list[str]:
        return _known("export/recipes", names)


class DecodingConfig(_Section):
    """How answers are decoded, the same on every target."""

    max_new_tokens: Count = 200
    sequences: int = Field(16, ge=1, le=256, description="problems that share a batch")
    threads: int | None = Field(
        None, ge=1, le=512, description="default: one a physical core; a target's own number goes first"
    )
    temperature: float = Field(0.7, ge=0, description="used where feedback.samples is above 1; else greedy")
    wave: Count = Field(64, description="problems that are decoded, resumed and shared as one")


class FeedbackConfig(_Section):
    """Who judges, what counts as easy or hard, and what follows."""

    artifact: str = Field("gguf-q4_0", description="the recipe that splits easy from hard, or float")
    target: str = Field("local", description="the target it is run on")
    limit: Count = Field(300, description="problems that are labelled each round")
    samples: Count = Field(1, description="answers a problem; 1 is greedy")
    easy_at: Fraction = Field(0.75, description="easy from this pass rate")
    hard_at: Fraction = Field(0.25, description="hard up to this pass rate")
    per_easy: int = Field(1, ge=0, description="more complex problems for an easy one")
    per_hard: int = Field(1, ge=0, description="similar problems for a hard one")
    max_depth: Count = Field(3, description="problems evolve while their depth is below this")
    max_new: Count | None = Field(None, description="new problems a round, each branch in its share; default: all")
    pool: Literal["trained", "fresh"] = Field(
        "trained",
        description="what is labelled: problems that were trained on, or half of the seed problems before they are",
    )
    policy: Policy = Field("fdd", description="which problems evolve into what; the others are controls")

    @model_validator(mode="after")
    def _bands(self) -> Self:
        if self.hard_at >= self.easy_at:
            raise ValueError("hard_at must be below easy_at")
        return self


class GatesConfig(_Section):
    """What a round's artifact must keep, on valid and on the judge's target, to become the best."""

    min_accuracy: Fraction | None = Field(None, description="least share of valid that it solves")
    max_drop: Fraction | None = Field(None, description="most that it solves less of valid than its float artifact")
    max_size_mb: float | None = Field(None, gt=0, description="size of the file or folder")
    max_rss_mb: float | None = Field(None, gt=0, description="most memory of its runner")
    min_tokens_per_s: float | None = Field(None, gt=0, description="least speed, one reply at a time")


class Config(_Section):
    """A whole run."""

    student: StudentConfig
    baseline: BaselineConfig | None = None
    teacher: TeacherConfig = TeacherConfig()
    data: DataConfig
    lora: LoraConfig = LoraConfig()
    training: TrainingConfig = TrainingConfig()
    export: ExportConfig = ExportConfig()
    decoding: DecodingConfig = DecodingConfig()
    targets: list[str] = Field(["local"], min_length=1)
    feedback: FeedbackConfig = FeedbackConfig()
    gates: GatesConfig = GatesConfig()
    keep: Literal["best", "last", "all"] | None = Field(
        None, description="which rounds' models stay; default: last and best"
    )
    rounds: Count = 2
    seed: int = Field(0, ge=0, lt=2**31)
    output_dir: str = Field(min_length=1, description="the run folder")

    @field_validator("targets")
    @classmethod
    def _are_known(cls, names: list[str]) -> list[str]:
        stems = [Path(name).stem if "/" in name or name.endswith((".yaml", ".yml")) else name for name in names]
        if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
            raise ValueError(f"two are called {', '.join(twice)}; results go by name, so give one file another name")
        return _known("devices/profiles", names)

    @property
    def recipe_names(self) -> list[str]:
        """Every recipe it names: those that are exported, and the one that is trained for."""
        aware_of = self.training.quantization_aware
        return [*self.export.recipes, *([] if aware_of == "none" else [aware_of])]

    @model_validator(mode="after")
    def _sections_fit(self) -> Self:
        problems = []
        if self.feedback.artifact not in (*self.export.recipes, "float"):
            problems.append(f"feedback.artifact {self.feedback.artifact!r} is not among export.recipes")
        if self.feedback.target not in self.targets:
            problems.append(f"feedback.target {self.feedback.target!r} is not among targets")
        if self.training.quantization_aware != "none" and self.lora.lora_dropout:
            problems.append(
                "training.quantization_aware rounds the merged weight, which has no place for lora.lora_dropout; "
                "set it to 0"
            )
        if self.feedback.samples > 1 and self.decoding.temperature == 0:
            problems.append("feedback.samples above 1 needs a decoding.temperature above 0")
        if problems:
            raise ValueError("; ".join(problems))
        return self


EXTENDABLE = {"rounds", "export.recipes", "targets", "data.eval"}
"""Keys that may grow on an existing run."""

FREE = {"keep", *(f"gates.{key}" for key in GatesConfig.model_fields)}
"""Keys that change no result, and so may change on an existing run."""


def read_config_source(name_or_path: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a config as written, ``${ENV}`` unresolved, with ``a.b=value`` overrides put in.

    Raises:
        FddError: No such config, no YAML, or an override that is no ``key=value``.
    """
    path = catalog.find("configs", name_or_path)
    try:
        source = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise FddError(f"{path} is no config: it is not UTF-8 text.") from None
    except yaml.YAMLError as error:
        raise FddError(f"{path} is not valid YAML: {yaml_fault(error)}.") from None
    if not isinstance(source, dict):
        raise FddError(f"{path} is no config: it must be a mapping of keys.")
    for override in overrides:
        _put(source, override)
    return source


def parse_config(source: Mapping[str, Any], origin: str) -> Config:
    """Check a config and resolve its ``${ENV}``.

    Raises:
        FddError: It has faults; all are listed, each with its path.
    """
    faults: list[str] = []
    resolved = _resolve(source, "", faults)
    try:
        config = Config.model_validate(resolved)
    except ValidationError as error:
        faults += faults_of(error, _known_keys)
        config = None
    if config is None or faults:
        listed = faults[0] if len(faults) == 1 else "".join(f"\n  - {fault}" for fault in faults)
        number = "" if len(faults) == 1 else f"{len(faults)} faults:"
        raise FddError(f"{origin}: {number}{listed}")
    return config


def load_config(name_or_path: str, overrides: Sequence[str] = ()) -> tuple[Config, dict[str, Any]]:
    """Return a config, and its source as written."""
    source = read_config_source(name_or_path, overrides)
    return parse_config(source, name_or_path), source


def _known(shelf: catalog.Shelf, names: list[str]) -> list[str]:
    """Return the names if every one is on the shelf or a file."""
    faults = []
    for name in names:
        try:
            catalog.find(shelf, name)
        except FddError as error:
            faults.append(str(error))
    if faults:
        raise ValueError(" ".join(faults))
    return names


def changed_keys(old: Config, new: Config) -> dict[str, tuple[Any, Any]]:
    """Return the keys that differ in a way that a run cannot be extended by, each with its old and new value."""
    before, after = (dict(_leaves(c.model_dump(mode="json", exclude={"output_dir"}))) for c in (old, new))
    changed: dict[str, tuple[Any, Any]] = {}
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key), after.get(key)
        if was == now or key in FREE or (key in EXTENDABLE and _extends(was, now)):
            continue
        changed |= _apart(key, was, now)
    return changed


def _apart(key: str, was: Any, now: Any) -> dict[str, tuple[Any, Any]]:
    """Narrow a difference down to the keys of a list's sections, such as ``data.train.0.limit``."""
    sections = [value for side in (was, now) for value in (side if isinstance(side, list) else [side])]
    if not all(isinstance(section, dict) for section in sections) or len(was) != len(now):
        return {key: (_brief(was), _brief(now))}
    return {
        f"{key}.{number}.{name}": (old.get(name), new.get(name))
        for number, (old, new) in enumerate(zip(was, now, strict=True))
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    }


def _brief(value: Any) -> Any:
    """Leave out of a list's sections what they do not set."""
    if not isinstance(value, list):
        return value
    return [
        {name: part for name, part in item.items() if part is not None} if isinstance(item, dict) else item
        for item in value
    ]


def _extends(was: Any, now: Any) -> bool:
    if isinstance(was, list) and isinstance(now, list):
        return all(item in now for item in was)
    return isinstance(was, int) and isinstance(now, int) and now >= was


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _put(source: dict[str, Any], override: str) -> None:
    """Put ``a.b=value`` into a config; the value is read as YAML."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise FddError(f"--set takes KEY=VALUE, such as feedback.limit=100; {override!r} is not.")
    *parents, last = key.strip().split(".")
    at = source
    for parent in parents:
        at = at.setdefault(parent, {})
        if not isinstance(at, dict):
            raise FddError(f"--set {override}: {parent} is not a group of keys.")
    try:
        at[last] = yaml.safe_load(text)
    except yaml.YAMLError:
        raise FddError(f"--set {override}: the value is not valid YAML.") from None


def _resolve(value: Any, path: str, faults: list[str]) -> Any:
    """Replace ``${NAME}`` by environment variables; an unset one is a fault."""
    if isinstance(value, dict):
        return {key: _resolve(item, f"{path}.{key}" if path else str(key), faults) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, f"{path}.{i}", faults) for i, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    for name in _ENV.findall(value):
        if not os.environ.get(name):
            faults.append(f"{path}: the environment variable {name} is not set")
    return _ENV.sub(lambda match: os.environ.get(match[1], match[0]), value)


def _known_keys(location: Sequence[Any]) -> list[str]:
    """Return the keys that a section of the config has."""
    model: Any = Config
    for part in location:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        args = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)]
        model = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else args[0]
    return list(model.model_fields)
