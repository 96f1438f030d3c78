"""The stages that make a student's files: one per recipe, and the importance matrix that some recipes need."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.recipe import Recipe
from fdd_edge.operations.export import export_from_student, quantize
from fdd_edge.operations.imatrix import imatrix_path, measure_imatrix
from fdd_edge.pipeline.run import Run
from fdd_edge.runs import RoundLayout
from fdd_edge.runs.layout import ArtifactsLayout

__all__ = ["export_artifacts", "merged_of", "model_outputs"]

_EXPORT_VERSION = 3
_IMATRIX_VERSION = 2


def export_artifacts(run: Run, layout: ArtifactsLayout, recipes: Iterable[Recipe]) -> None:
    """Write the float artifact of a round's student, or of the untuned one, and those of recipes."""
    float_recipe = run.named.float_recipe
    wanted = {recipe.name: recipe for recipe in (float_recipe, *recipes)}
    for recipe in wanted.values():
        if recipe.needs_float_artifact:
            _quantize(run, layout, recipe)
        else:
            _export(run, layout, recipe)


def merged_of(layout: ArtifactsLayout) -> Path | None:
    """Return a round's merged student; None for the untuned student."""
    return layout.merged if isinstance(layout, RoundLayout) else None


def model_outputs(run: Run, round_dir: RoundLayout) -> list[Path]:
    """Return the outputs of a round that ``keep`` deletes, by far its largest: merged student, artifacts, reference."""
    artifacts = dict.fromkeys([run.named.float_recipe.name, *run.named.recipes])
    return [round_dir.merged, *(round_dir.artifact(name) for name in artifacts), round_dir.reference]


def _export(run: Run, layout: ArtifactsLayout, recipe: Recipe) -> None:
    run.stages.ensure(
        layout.artifact(recipe.name),
        export_from_student,
        version=_EXPORT_VERSION,
        inputs={"merged": merged_of(layout)},
        student=run.student,
        labels=_labels(run, layout),
        recipe=recipe,
    )


def _labels(run: Run, layout: ArtifactsLayout) -> ArtifactLabels:
    """Return what an artifact says about its model."""
    trained, qat_recipe = isinstance(layout, RoundLayout), run.named.qat_recipe
    return ArtifactLabels(
        name=f"{run.student.name} {layout.name}",
        prompt_template=run.template,
        license=run.student.license,
        base=run.student.name if trained else None,
        round=layout.number if isinstance(layout, RoundLayout) else None,
        quantization_aware=qat_recipe.type if trained and qat_recipe else None,
        trained=trained,
    )


def _quantize(run: Run, layout: ArtifactsLayout, recipe: Recipe) -> None:
    if recipe.measures_imatrix:
        _measure_imatrix(run, layout)
    run.stages.ensure(
        layout.artifact(recipe.name),
        quantize,
        version=_EXPORT_VERSION,
        inputs={
            "float_artifact": layout.artifact(run.named.float_recipe.name),
            "imatrix": imatrix_path(recipe, layout.imatrix),
        },
        recipe=recipe,
    )


def _measure_imatrix(run: Run, layout: ArtifactsLayout) -> None:
    """Measure the importance of each weight on problems that the student is trained on."""
    run.stages.ensure(
        layout.imatrix,
        measure_imatrix,
        version=_IMATRIX_VERSION,
        inputs={
            "merged": merged_of(layout),
            "problems": layout.train if isinstance(layout, RoundLayout) else run.layout.seed_problems,
        },
        is_file=True,
        student=run.student,
        template=run.template,
        seed=run.seed,
    )
