"""What every step of a run needs, and how it decodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fdd_edge.artifacts.recipe import GgufRecipe, Recipe, float_recipe_of, load_gguf_recipe, load_recipe
from fdd_edge.config import Config
from fdd_edge.operations.evaluate import Decoding
from fdd_edge.resolve.dataset import DatasetSpec
from fdd_edge.resolve.student import Student
from fdd_edge.runs import Manifest, RunLayout, Stages
from fdd_edge.runs.layout import VALID
from fdd_edge.targets import is_emulated, load_profile

__all__ = ["Run"]


@dataclass(frozen=True)
class Run:
    """What every round needs: config, folder, student, data sets by role, and whether artifacts are certified."""

    config: Config
    layout: RunLayout
    stages: Stages
    manifest: Manifest
    student: Student
    sets: Mapping[str, Sequence[DatasetSpec]]
    template: str
    recipes: list[Recipe]
    threads: int
    parity: bool = True

    @property
    def judge(self) -> str:
        """Recipe of the artifact that splits easy from hard."""
        named = self.config.feedback.artifact
        return self.float_recipe if named == "float" else load_recipe(named).name

    @property
    def float_recipe(self) -> str:
        """Recipe of the float artifact."""
        return float_recipe_of(self.recipes)

    @property
    def aware_of(self) -> GgufRecipe | None:
        """The recipe whose rounding the student is trained for."""
        named = self.config.training.quantization_aware
        return None if named == "none" else load_gguf_recipe(named, "training.quantization_aware")

    @property
    def recipe_names(self) -> list[str]:
        """Names of the recipes that every round exports."""
        return [recipe.name for recipe in self.recipes]

    @property
    def target_names(self) -> list[str]:
        """Names of the targets; a config may hold paths."""
        return [load_profile(target).name for target in self.config.targets]

    @property
    def reported(self) -> dict[str, Path]:
        """The sets that every artifact is evaluated on: valid, then eval."""
        named = {d.label: self.layout.eval_set(d.label) for d in self.config.data.eval}
        return {VALID: self.layout.valid} | named

    @property
    def protected(self) -> dict[str, Path]:
        """The same sets as inputs of a stage that keeps them out of training."""
        return {f"protected/{name}": path for name, path in self.reported.items()}

    @property
    def reserve(self) -> Path | None:
        """The seed problems that are labelled before they are trained on; None in a run that labels trained ones."""
        return self.layout.round(0).reserve if self.config.feedback.pool == "fresh" else None

    @property
    def evaluated(self) -> list[str]:
        """Recipes that are evaluated on the reported sets: those of the config, and the judge."""
        return list(dict.fromkeys([*self.recipe_names, self.judge]))

    @property
    def certified(self) -> list[str]:
        """Recipes that are held against their float model: all that are evaluated, the float artifact for ``lost``."""
        return list(dict.fromkeys([self.float_recipe, *self.evaluated]))

    @property
    def certified_on(self) -> str:
        """Where certificates are made: on the judge's target; an emulated one would take an hour for each."""
        target = self.config.feedback.target
        return "local" if is_emulated(load_profile(target)) else target

    def greedy(self) -> Decoding:
        """How the reported sets are decoded."""
        d = self.config.decoding
        return Decoding(d.max_new_tokens, d.sequences, self.threads, 0.0, d.wave, seed=self.config.seed)

    def sampled(self) -> Decoding:
        """How the labelled problems are decoded: greedily, or several times by chance."""
        d, samples = self.config.decoding, self.config.feedback.samples
        temperature = d.temperature if samples > 1 else 0.0
        return Decoding(
            d.max_new_tokens, d.sequences, self.threads, temperature, d.wave, samples=samples, seed=self.config.seed
        )
