"""The stage that makes an artifact: from the student, or from the float artifact of the same family."""

from __future__ import annotations

from fdd_edge.artifacts.artifact_labels import ArtifactLabels
from fdd_edge.artifacts.recipe import Recipe
from fdd_edge.operations.export import export_from_student, quantize
from fdd_edge.operations.imatrix import imatrix_path
from fdd_edge.pipeline.run import Run
from fdd_edge.runs import ArtifactsLayout, RoundLayout

__all__ = ["export_artifact"]

VERSION = 3


def export_artifact(run: Run, layout: ArtifactsLayout, recipe: Recipe) -> None:
    """Write one artifact of a round's student, or of the untuned one."""
    out = layout.artifact(recipe.name)
    if recipe.needs_float_artifact:
        float_artifact = layout.artifact(run.named.float_recipe.name)
        imatrix = imatrix_path(recipe, layout.imatrix)
        inputs = {"float_artifact": float_artifact, "imatrix": imatrix}
        run.stages.ensure(out, quantize, version=VERSION, inputs=inputs, recipe=recipe)
    else:
        run.stages.ensure(
            out,
            export_from_student,
            version=VERSION,
            inputs={"merged": layout.merged},
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
