"""A run: its config with everything it names resolved once, its folder, and the engine that makes its stages."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from fdd_edge.artifacts.recipe import GgufRecipe, Recipe, float_recipe_of, load_gguf_recipe, load_recipe, load_recipes
from fdd_edge.config import Config
from fdd_edge.operations.asking import Asking
from fdd_edge.operations.teaching import Calls, NamedTeacher, fetch_teacher, name_teacher
from fdd_edge.resolve.dataset import FetchedSet
from fdd_edge.resolve.student import Student
from fdd_edge.runs import Manifest, RoundLayout, RunLayout, Stages
from fdd_edge.runs.stage_files import VALID
from fdd_edge.students.training_options import NO_RECIPE
from fdd_edge.targets import Profile, TargetRuntime, is_emulated, load_profile
from fdd_edge.teachers.language_model.teacher_prompts import TeacherPrompts, read_prompts
from fdd_edge.teachers.ledger import default_ledger

__all__ = ["Named", "Run", "RunView", "find_teacher", "name_objects"]


@dataclass(frozen=True)
class Named:
    """The recipes and targets that a config names, as objects.

    Attributes:
        recipes: Those that every round exports, by name.
        judge: The recipe of the artifact that labels problems.
        float_recipe: The recipe of the float artifact, which finds the lost problems.
        qat_recipe: The recipe whose rounding the student is trained for.
        targets: Where the reported sets are evaluated.
        judge_target: Where the judge's artifact runs.
        run_id: By which the ledger of calls to language models knows the run.
        solvers: The teachers that are asked for missing programs, in this order.
        writer: The teacher that writes new problems.
    """

    recipes: Mapping[str, Recipe]
    judge: Recipe
    float_recipe: Recipe
    qat_recipe: GgufRecipe | None
    targets: tuple[Profile, ...]
    judge_target: Profile
    run_id: str
    solvers: tuple[NamedTeacher, ...]
    writer: NamedTeacher

    @property
    def families(self) -> set[str]:
        """The families of the artifacts that are exported."""
        return {recipe.family for recipe in self.recipes.values()}

    def with_files(self, commits: MutableMapping[str, str]) -> Named:
        """Return the same with the teachers' model files of the hub, at commits as for ``hub.find``."""
        solvers = tuple(fetch_teacher(teacher, commits) for teacher in self.solvers)
        return replace(self, solvers=solvers, writer=fetch_teacher(self.writer, commits))

    @property
    def asked(self) -> list[NamedTeacher]:
        """The teachers that are language models."""
        return [teacher for teacher in (*self.solvers, self.writer) if teacher.is_asked]


def name_objects(config: Config, run_id: str, pinned_prompts: Mapping[str, Mapping[str, str]] | None = None) -> Named:
    """Load the recipes, profiles and teachers that a config names.

    Args:
        config: The config.
        run_id: The run on whose behalf language models are asked.
        pinned_prompts: With which texts the run has asked them so far.

    Raises:
        FddError: One does not exist or is broken.
    """
    recipes = load_recipes(config.export.recipes)
    float_recipe = load_recipe(float_recipe_of(recipes))
    judge = float_recipe if config.feedback.artifact == "float" else load_recipe(config.feedback.artifact)
    qat = config.training.quantization_aware
    named = partial(find_teacher, config, run_id=run_id, prompts=read_prompts(config.teacher.prompts, pinned_prompts))
    return Named(
        {recipe.name: recipe for recipe in recipes},
        judge,
        float_recipe,
        None if qat == NO_RECIPE else load_gguf_recipe(qat, "training.quantization_aware"),
        tuple(load_profile(target) for target in config.targets),
        load_profile(config.feedback.target),
        run_id,
        tuple(named(name) for name in config.teacher.rationale),
        named(config.teacher.evolve, writer=True),
    )


def find_teacher(
    config: Config, name: str, run_id: str = "", *, writer: bool = False, prompts: TeacherPrompts | None = None
) -> NamedTeacher:
    """Return a teacher of a config by its name.

    Args:
        config: The config.
        name: Its name.
        run_id: The run on whose behalf language models are asked.
        writer: Whether it must write new problems.
        prompts: What language models are asked; default: what the config says.

    Raises:
        FddError: It does not exist, or cannot be asked.
    """
    options = config.teacher
    return name_teacher(
        name,
        options.models,
        writer=writer,
        prompts=prompts or read_prompts(options.prompts),
        draws=options.draws,
        calls=Calls(run_id, default_ledger(), options.budget, RunLayout(config.output_path).batches),
    )


@dataclass(frozen=True)
class RunView:
    """What the figures of a run follow from: its config and its folder, without the student and the data sets' files.

    Attributes:
        config: The checked config.
        layout: The run folder.
        named: The recipes and targets that the config names.
        parity: Whether artifacts get parity certificates.
    """

    config: Config
    layout: RunLayout
    named: Named
    parity: bool

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.config.seed

    @cached_property
    def reported(self) -> dict[str, Path]:
        """The sets that every artifact is evaluated on: valid, then eval."""
        labels = [options.label for options in self.config.data.eval]
        return {VALID: self.layout.valid} | {label: self.layout.eval_set(label) for label in labels}

    @property
    def reserve(self) -> Path | None:
        """The seed problems that are labelled before they are trained on; None if trained ones are labelled."""
        return self.layout.round(0).reserve if self.config.feedback.pool == "fresh" else None

    @cached_property
    def evaluated(self) -> dict[str, Recipe]:
        """The recipes that are evaluated on the reported sets, by name: those of the config, and the judge's."""
        return {**self.named.recipes, self.named.judge.name: self.named.judge}

    @cached_property
    def certified(self) -> dict[str, Recipe]:
        """The recipes whose artifacts get certificates, by name: all that are evaluated, and the float artifact."""
        return {self.named.float_recipe.name: self.named.float_recipe, **self.evaluated}

    @property
    def certified_on(self) -> Profile:
        """Where certificates are made: the judge's target; an emulated one would take an hour per certificate."""
        target = self.named.judge_target
        return load_profile("local") if is_emulated(target) else target


@dataclass(frozen=True)
class Run(RunView):
    """What every stage needs.

    Attributes:
        stages: Makes outputs that are missing.
        manifest: What each output was made from.
        student: The student before training.
        sets: The data sets by role: ``train``, ``valid``, ``eval``.
        template: The prompt, which holds ``{question}``.
        threads: To decode with, unless the target's profile states ``threads``.
    """

    stages: Stages
    manifest: Manifest
    student: Student
    sets: Mapping[str, Sequence[FetchedSet]]
    template: str
    threads: int

    def trained_on(self, round_dir: RoundLayout) -> list[Path]:
        """Return the problems that a round trains on, and those that a later one will."""
        return [round_dir.train, *([] if self.reserve is None else [self.reserve])]

    def runtime(self, target: Profile, recipe: Recipe) -> TargetRuntime:
        """Return what runs an artifact of a recipe on a target."""
        return TargetRuntime(target, recipe.family)

    def greedy(self) -> Asking:
        """Return how the reported sets are asked: greedily, once."""
        return Asking(self.config.decoding.as_decoding(threads=self.threads, temperature=0.0), seed=self.seed)

    def sampled(self) -> Asking:
        """Return how the labelled problems are asked: greedily once, or several times at a temperature."""
        decoding, n = self.config.decoding, self.config.feedback.num_return_sequences
        temperature = decoding.temperature if n > 1 else 0.0
        return Asking(
            decoding.as_decoding(threads=self.threads, temperature=temperature), num_return_sequences=n, seed=self.seed
        )
