"""The run config: every option of a run, composed of the options that other packages define."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from fdd_edge.catalog import NAME, OnShelf
from fdd_edge.curation import ProgramStyle
from fdd_edge.feedback import Bands, EvolveOptions
from fdd_edge.ondevice.options import option
from fdd_edge.ondevice.protocol import Decoding
from fdd_edge.resolve.dataset import DatasetOptions
from fdd_edge.runs.stage_files import NON_EASY, POOL, SHOWN, VALID
from fdd_edge.students.training_options import NO_RECIPE, LoraOptions, TrainingOptions
from fdd_edge.targets import Budgets
from fdd_edge.teachers import TEACHERS
from fdd_edge.teachers.language_model.spending_limit import BudgetOptions
from fdd_edge.teachers.language_model.teacher_options import EndpointOptions, GgufOptions, RecordedOptions
from fdd_edge.yaml_errors import section_tag

__all__ = ["RESERVED_SETS", "Config", "Conflict", "DecodingOptions", "FeedbackOptions", "Gates"]

RESERVED_SETS = {VALID, POOL, NON_EASY, SHOWN, "pooled"}
"""Names that a run uses for its own sets among the evaluation folders, and ``compare`` for all sets together."""

Recipe = Annotated[str, OnShelf("export/recipes")]
Target = Annotated[str, OnShelf("devices/profiles")]


class Conflict(NamedTuple):
    """Values that do not go together.

    Attributes:
        keys: The paths of the values that were compared.
        message: What is wrong.
    """

    keys: Sequence[str]
    message: str


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _report(conflicts: Sequence[Conflict], info: ValidationInfo) -> None:
    """Add conflicts to the list in the context of the validation; without one, raise them."""
    if info.context is not None:
        info.context["conflicts"] += conflicts
    elif conflicts:
        raise ValueError("; ".join(conflict.message for conflict in conflicts))


class StudentOptions(_Section):
    """The model that is trained."""

    model_name_or_path: str = Field(description="hub id, folder, .gguf file, package:NAME, or tiny")
    revision: str | None = Field(None, description="branch, tag or commit of a hub id")
    prompt: str = Field("plain", description="plain, chat, or a file that holds {question}")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="number format of training; auto is bfloat16 if the CPU supports it"
    )


class BaselineOptions(_Section):
    """The untuned student, evaluated next to the trained one."""

    num_fewshot: int = Field(4, ge=0, description="worked examples in its prompt")
    prompt: str = Field("plain", description="plain, chat, or a file that holds {question}")


def _kind_of_model(value: object) -> str | None:
    """Return the tag of a teacher's model: the key that only its kind has."""
    for key in ("base_url", "gguf", "recorded"):
        if key in value if isinstance(value, Mapping) else hasattr(value, key):
            return section_tag(key)
    return None


TeacherModel = Annotated[
    Annotated[EndpointOptions, Tag(section_tag("base_url"))]
    | Annotated[GgufOptions, Tag(section_tag("gguf"))]
    | Annotated[RecordedOptions, Tag(section_tag("recorded"))],
    Discriminator(
        _kind_of_model,
        custom_error_type="teacher_model",
        custom_error_message="needs base_url (an endpoint), gguf (a model file) or recorded (a bank of problems)",
    ),
]


class TeacherOptions(_Section):
    """Which teachers write programs and new problems."""

    rationale: list[str] = Field(
        ["annotated", "symbolic"],
        min_length=1,
        description="teachers to try, in this order; the first that can writes the program",
    )
    evolve: str = Field("symbolic", description="teacher that writes the new problems after a split")
    models: dict[Annotated[str, Field(pattern=NAME)], TeacherModel] = Field(
        {}, description="language models and banks, by the name that rationale and evolve call them"
    )
    budget: BudgetOptions = Field(BudgetOptions(), description="default: no limit")
    draws: int = Field(1, ge=1, le=64, description="independent solutions that a language model writes of a problem")
    style: ProgramStyle = Field(
        "terse", description="terse: programs are trained on in their terse form, whoever wrote them; or as_written"
    )
    show_failure: bool = Field(
        False, description="show a language model the student's wrong program when it writes a similar problem"
    )
    prompts: str | None = Field(None, description="folder whose files replace those of configs/prompts/teacher")

    @model_validator(mode="after")
    def _names_are_free(self, info: ValidationInfo) -> Self:
        if taken := sorted(TEACHERS.keys() & self.models.keys()):
            message = f"teacher.models: {taken[0]} is the name of a built-in teacher; choose another"
            _report([Conflict([f"teacher.models.{taken[0]}"], message)], info)
        return self


class DataOptions(_Section):
    """The training problems, those that choose the best round, and those that are only reported."""

    train: list[DatasetOptions] = Field(min_length=1, description="seed problems")
    valid: list[DatasetOptions] = Field(
        [], description="chooses the best round; default: a tenth of train, at most 200 problems"
    )
    eval: list[DatasetOptions] = Field([], description="only reported; nothing is chosen or tuned on it")

    @property
    def weights(self) -> dict[str, float]:
        """How often each set of ``train`` is trained on, relative to the others; empty if there is no difference."""
        found = {d.label: 1.0 if d.weight is None else d.weight for d in self.train}
        return found if len(set(found.values())) > 1 else {}

    @model_validator(mode="after")
    def _names_are_usable(self, info: ValidationInfo) -> Self:
        _report(list(self._conflicts()), info)
        return self

    def _conflicts(self) -> Iterator[Conflict]:
        for role, sets in (("train", self.train), ("valid", self.valid), ("eval", self.eval)):
            keys = [
                f"data.{role}",
                *(f"data.{role}.{i}{key}" for i in range(len(sets)) for key in ("", ".path", ".name")),
            ]
            counts = Counter(d.label for d in sets)
            if twice := sorted(name for name, n in counts.items() if n > 1):
                names = ", ".join(twice)
                yield Conflict(keys, f"data.{role}: several sets are named {names}; give each its own name")
            if "" in counts:
                yield Conflict(keys, f"data.{role}: no name can be made from the path of a set; give the set a name")
            if role != "train" and (numbers := [i for i, d in enumerate(sets) if d.weight is not None]):
                key = f"data.{role}.{numbers[0]}.weight"
                yield Conflict([key], f"{key}: nothing is trained on this set; remove it")
            if role == "eval" and (taken := sorted(RESERVED_SETS & counts.keys())):
                names = ", ".join(taken)
                yield Conflict(keys, f"data.eval: the name {names} is reserved; give the set another name")
            if role != "eval" and any(d.path == "symbolic:heldout" for d in sets):
                why = "nothing is trained on its problems or chosen with them"
                yield Conflict(keys, f"data.{role}: symbolic:heldout is for data.eval only: {why}")


class ExportOptions(_Section):
    """The artifacts that each round makes."""

    recipes: list[Recipe] = Field(["gguf-q4_0", "gguf-q8_0"], min_length=1, description="names or paths of recipes")


@dataclass(frozen=True)
class DecodingOptions(Decoding):
    """How replies are decoded, the same on every target."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    temperature: float = option(
        0.7, "used if feedback.num_return_sequences is above 1; otherwise decoding is greedy", ge=0, le=100
    )

    def as_decoding(self, *, threads: int, temperature: float) -> Decoding:
        """Return how one set of problems is decoded."""
        return Decoding(self.max_new_tokens, self.batch_size, threads, temperature, self.wave, self.flash_attention)


@dataclass(frozen=True)
class FeedbackOptions(EvolveOptions, Bands):
    """Which artifact labels the problems, what counts as easy or hard, and what is written next."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    artifact: str = option("gguf-q4_0", "recipe of the artifact that labels problems, or float")
    target: str = option("local", "target that this artifact runs on")
    limit: int = option(300, "problems that are labelled each round", ge=1)
    num_return_sequences: int = option(1, "replies per labelled problem; 1 decodes greedily", ge=1)
    max_new: int | None = option(
        None, "maximum new problems per round, split proportionally between branches; default: all", ge=1
    )
    own_solutions: int = option(
        0, "train on up to this many other right programs that the student wrote, for each labelled problem", ge=0
    )
    pool: Literal["trained", "fresh"] = option(
        "trained",
        "which problems are labelled: those trained on, or half of the seed problems before they are trained on",
    )


@dataclass(frozen=True)
class Gates(Budgets):
    """What a round must achieve, on valid and on the judge's target, to become the best."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    min_accuracy: float | None = option(None, "lowest accuracy on valid", ge=0, le=1)
    max_drop: float | None = option(None, "largest accuracy drop on valid, relative to the float artifact", ge=0, le=1)


class Config(_Section):
    """A whole run."""

    student: StudentOptions
    baseline: BaselineOptions | None = Field(None, description="default: not evaluated")
    teacher: TeacherOptions = TeacherOptions()
    data: DataOptions
    lora: LoraOptions = LoraOptions()
    training: TrainingOptions = TrainingOptions()
    export: ExportOptions = ExportOptions()
    decoding: DecodingOptions = DecodingOptions()
    targets: list[Target] = Field(["local"], min_length=1, description="devices on which every artifact is evaluated")
    feedback: FeedbackOptions = FeedbackOptions()
    gates: Gates = Gates()
    keep: Literal["best", "last", "all"] | None = Field(
        None, description="which rounds' models stay on disk; default: the last and the best"
    )
    questions: int = Field(
        3,
        ge=0,
        le=20,
        description="questions whose answers are shown after every round: one of the first eval set, the others of "
        "valid, which are also asked before training; 1 is one of valid; 0 shows none",
    )
    rounds: int = Field(2, ge=1, description="number of rounds; more than before extends a run")
    seed: int = Field(0, ge=0, lt=2**31, description="seed of every random choice")
    output_dir: str = Field(min_length=1, description="the run folder")

    @property
    def output_path(self) -> Path:
        """The run folder."""
        return Path(self.output_dir)

    @property
    def recipe_names(self) -> list[str]:
        """Every recipe it names: the exported ones, and the one to train for."""
        qat = self.training.quantization_aware
        return [*self.export.recipes, *([] if qat == NO_RECIPE else [qat])]

    @property
    def distinguishes_sets(self) -> bool:
        """Whether what is trained on depends on the set that a problem comes from."""
        return bool(self.data.weights) or (self.training.mix is not None and self.training.mix.by == "source")

    @field_validator("targets")
    @classmethod
    def _names_differ(cls, names: list[str]) -> list[str]:
        stems = Counter(Path(name).stem if "/" in name or name.endswith((".yaml", ".yml")) else name for name in names)
        if twice := sorted(stem for stem, n in stems.items() if n > 1):
            raise ValueError(f"two are called {', '.join(twice)}; results are stored by name, so rename one file")
        return names

    @model_validator(mode="after")
    def _sections_fit(self, info: ValidationInfo) -> Self:
        _report(list(self._conflicts()), info)
        return self

    def _conflicts(self) -> Iterator[Conflict]:
        feedback = self.feedback
        if feedback.artifact not in (*self.export.recipes, "float"):
            keys = ("feedback.artifact", "export.recipes")
            yield Conflict(keys, f"feedback.artifact: {feedback.artifact!r} is not among export.recipes")
        if feedback.target not in self.targets:
            keys = ("feedback.target", "targets")
            yield Conflict(keys, f"feedback.target: {feedback.target!r} is not among targets")
        if feedback.max_candidates is not None and feedback.target_new is None:
            keys = ("feedback.max_candidates", "feedback.target_new")
            yield Conflict(keys, "feedback.max_candidates: is a limit for feedback.target_new, which is not set")
        if (feedback.max_new or math.inf) < (feedback.target_new or 0):
            keys = ("feedback.max_new", "feedback.target_new")
            yield Conflict(keys, "feedback.max_new: must not be below feedback.target_new, which would be in vain")
        if self.training.quantization_aware != NO_RECIPE and self.lora.lora_dropout:
            keys = ("lora.lora_dropout", "training.quantization_aware")
            yield Conflict(
                keys,
                "lora.lora_dropout: must be 0, because training.quantization_aware rounds merged weights, to which "
                "dropout cannot be applied",
            )
        yield from self._mix_conflicts()
        if feedback.num_return_sequences > 1 and self.decoding.temperature == 0:
            keys = ("decoding.temperature", "feedback.num_return_sequences")
            yield Conflict(keys, "decoding.temperature: must be above 0 if feedback.num_return_sequences is above 1")

    def _mix_conflicts(self) -> Iterator[Conflict]:
        mix, labels = self.training.mix, [d.label for d in self.data.train]
        if mix is None or mix.by != "source":
            return
        keys = (
            *("training", "training.mix", "data", "data.train"),
            *(f"data.train.{i}{key}" for i in range(len(labels)) for key in ("", ".path", ".name", ".weight")),
        )
        known = f"the sets are {', '.join(labels)}"
        if unknown := [str(group) for group in mix.shares if group not in labels]:
            yield Conflict(keys, f"training.mix: data.train has no set named {unknown[0]}; {known}")
        if missing := [label for label in labels if label not in mix.shares]:
            yield Conflict(keys, f"training.mix: {missing[0]} has no share, and every set needs one, be it 0; {known}")
        if self.data.weights:
            yield Conflict(
                keys, "training.mix: by source, its shares already say how often each set is trained on; remove weight"
            )
