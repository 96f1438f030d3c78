"""The stages that compare a student's files with the float model: its outputs, and a certificate per artifact."""

from __future__ import annotations

from collections.abc import Iterable

from fdd_edge.artifacts.recipe import Recipe
from fdd_edge.errors import ParityError
from fdd_edge.operations.certify import certify, compute_reference, failure_message, packaged_sha256
from fdd_edge.parity import CERTIFICATE_VERSION, Certificate
from fdd_edge.pipeline.exports import merged_of
from fdd_edge.pipeline.run import Run
from fdd_edge.progress import announce
from fdd_edge.runs import RoundLayout
from fdd_edge.runs.layout import ArtifactsLayout

__all__ = ["certify_artifacts", "check_judge", "failed_certificates", "raise_if_any_failed"]


def certify_artifacts(run: Run, layout: ArtifactsLayout, recipes: Iterable[Recipe]) -> None:
    """Compare artifacts with their float model; failures are recorded and announced."""
    run.manifest.facts.setdefault("parity", {})[layout.name] = "made" if run.parity else "skipped"
    run.manifest.write()
    if not run.parity:
        return
    student, merged = run.student, merged_of(layout)
    run.stages.ensure(
        layout.reference,
        compute_reference,
        version=CERTIFICATE_VERSION,
        inputs={"merged": merged, "problems": [run.layout.seed_problems, run.layout.valid]},
        is_file=True,
        student=student,
        template=run.template,
        trained=isinstance(layout, RoundLayout),
        seed=run.seed,
        threads=run.config.training.threads,
        packaged=packaged_sha256(),
    )
    for recipe in recipes:
        runtime = run.runtime(run.certified_on, recipe)
        made = run.stages.ensure(
            layout.parity(recipe.name),
            certify,
            version=CERTIFICATE_VERSION,
            inputs={"artifact": layout.artifact(recipe.name), "merged": merged, "reference": layout.reference},
            is_file=True,
            student=student,
            recipe=recipe,
            bounds=recipe.parity,
            runtime=runtime,
            threads=runtime.threads(run.threads),
        )
        # The other certificates may be damaged; each is checked in its turn.
        if made and not (certificate := Certificate.read(layout.parity(recipe.name))).passed:
            announce(failure_message([certificate], f"the evaluations of {layout.name}"))


def failed_certificates(run: Run, layout: ArtifactsLayout) -> dict[str, Certificate]:
    """Return the failed certificates of a round, or of the untuned student, by recipe."""
    made = [recipe for recipe in run.certified if run.parity and layout.parity(recipe).is_file()]
    certificates = {recipe: Certificate.read(layout.parity(recipe)) for recipe in made}
    return {recipe: certificate for recipe, certificate in certificates.items() if not certificate.passed}


def check_judge(run: Run, round_dir: RoundLayout) -> None:
    """Refuse to label problems with an artifact that does not match its float model.

    Raises:
        ParityError: The judge's artifact failed its certificate.
    """
    failed = failed_certificates(run, round_dir)
    if run.named.judge.name in failed:
        raise ParityError(failure_message([failed[run.named.judge.name]], f"{round_dir.name}, which it should judge"))


def raise_if_any_failed(run: Run) -> None:
    """Report every artifact of the run that failed its certificate.

    Raises:
        ParityError: There are some; each was left out of the evaluations.
    """
    places = [run.layout.untuned, *map(run.layout.round, range(run.config.rounds))]
    messages = [
        failure_message(list(failed.values()), f"the evaluations of {layout.name}")
        for layout in places
        if (failed := failed_certificates(run, layout))
    ]
    if messages:
        raise ParityError("\n".join(messages))
