"""The stage that compares an artifact with its float model, and what its certificates say."""

from __future__ import annotations

from fdd_edge.artifacts.recipe import Recipe
from fdd_edge.operations.certify import packaged_prompts
from fdd_edge.operations.run_certificates import certify, certify_untuned
from fdd_edge.parity import CERTIFICATE_VERSION, Certificate
from fdd_edge.pipeline.run import Run
from fdd_edge.runs import ArtifactsLayout, RoundLayout

__all__ = ["certify_artifact", "failed_certificates"]

VERSION = CERTIFICATE_VERSION + 1
"""Follows the certificates' own; 1 was added when few prompts began to suffice in a run."""


def certify_artifact(run: Run, layout: ArtifactsLayout, recipe: Recipe) -> bool:
    """Write an artifact's certificate, passed or failed; return whether it had to be made."""
    runtime = run.runtime(run.certified_on, recipe)
    options = {"recipe": recipe, "bounds": recipe.parity, "runtime": runtime, "threads": runtime.threads(run.threads)}
    artifact = layout.artifact(recipe.name)
    if isinstance(layout, RoundLayout):
        return run.stages.ensure(
            layout.parity(recipe.name),
            certify,
            version=VERSION,
            inputs={"artifact": artifact, "merged": layout.merged, "reference": layout.reference},
            is_file=True,
            **options,
        )
    return run.stages.ensure(
        layout.parity(recipe.name),
        certify_untuned,
        version=VERSION,
        inputs={"artifact": artifact, "problems": [run.layout.seed_problems, run.layout.valid]},
        is_file=True,
        student=run.student,
        template=run.template,
        seed=run.seed,
        packaged=packaged_prompts(),
        **options,
    )


def failed_certificates(run: Run, layout: ArtifactsLayout) -> dict[str, Certificate]:
    """Return the failed certificates of a round, or of the untuned student, by recipe."""
    made = [recipe for recipe in run.certified if run.parity and layout.parity(recipe).is_file()]
    certificates = {recipe: Certificate.read(layout.parity(recipe)) for recipe in made}
    return {recipe: certificate for recipe, certificate in certificates.items() if not certificate.passed}
