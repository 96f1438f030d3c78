"""Running artifacts over the sets that are reported, as stages of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fdd_edge.operations import bench
from fdd_edge.operations import evaluate as evaluation
from fdd_edge.operations import throughput as pace
from fdd_edge.operations.evaluate import Decoding
from fdd_edge.pipeline.exports import certify, export_artifacts, failed_certificates
from fdd_edge.pipeline.run import Run
from fdd_edge.progress import announce
from fdd_edge.records import Problem, hash_problems, read_problems
from fdd_edge.resolve.prompts import requested_prompt, shot_stops, worked_examples
from fdd_edge.runs import RoundLayout
from fdd_edge.runs.layout import VALID, ArtifactsLayout
from fdd_edge.targets import load_profile

__all__ = ["evaluate", "evaluate_reported", "evaluate_untuned"]


def evaluate_reported(this: Run, place: RoundLayout) -> None:
    """Run every artifact whose certificate did not fail on every target over valid and the eval sets.

    A gate on what the judge's artifact drops needs its float artifact on valid too.
    """
    failed = failed_certificates(this, place)
    for target in this.config.targets:
        if load_profile(target).transport != "local":
            foresee(this, place, target)
        for recipe in [name for name in this.evaluated if name not in failed]:
            measure(this, place, recipe, target)
            for name, path in this.reported.items():
                evaluate(this, place, recipe, target, name, read_problems(path), this.greedy())
    if this.config.gates.max_drop is not None and this.float_recipe not in failed:
        evaluate(this, place, this.float_recipe, "local", VALID, read_problems(this.layout.valid), this.greedy())


def foresee(this: Run, place: RoundLayout, target: str) -> None:
    """Say how long a round takes on a target, from a few problems, before it begins."""
    name, rules = load_profile(target).name, this.config.feedback
    asked, model = read_problems(this.layout.valid), place.model(this.judge)
    out, decoding = place.pace(name), this.greedy()
    this.stages.ensure(
        out,
        lambda file: pace.write_throughput(model, asked, file, target=target, decoding=decoding),
        version=pace.THROUGHPUT_VERSION,
        params=decoding.fingerprint(target, model),
        inputs={"artifact": place.artifact(this.judge), "problems": this.layout.valid},
        is_file=True,
    )
    reported = [len(read_problems(path)) for path in this.reported.values()] * len(this.evaluated)
    judges = load_profile(rules.target).name == name
    pool = place.train if this.reserve is None else this.reserve
    labelled = min(rules.limit, len(read_problems(pool))) if judges else 0
    work = pace.Work(tuple(reported), labelled, rules.samples, decoding.wave)
    announce(pace.forecast(name, pace.read_throughput(out), work))


def measure(this: Run, place: ArtifactsLayout, recipe: str, target: str) -> None:
    """Measure what one artifact costs on one target."""
    model = place.model(recipe)
    this.stages.ensure(
        place.bench(load_profile(target).name, recipe),
        lambda out: bench.write_measurement(model, out, target=target, threads=this.threads),
        version=bench.BENCH_VERSION,
        params=bench.bench_params(target, this.threads, model),
        inputs={"artifact": place.artifact(recipe)},
        is_file=True,
    )


def evaluate_untuned(this: Run) -> None:
    """Evaluate the student before training, with worked examples in its prompt, as the judge's recipe."""
    assert this.config.baseline is not None
    baseline, place = this.config.baseline, this.layout.untuned
    announce(f"The untuned student, {baseline.shots} worked examples in its prompt")
    export_artifacts(this, place, this.student.folder, [recipe for recipe in this.recipes if recipe.name == this.judge])
    certify(this, place, this.student, [this.judge])
    if failed_certificates(this, place):
        return
    decoding = replace(
        this.greedy(),
        prompt=requested_prompt(baseline.prompt),
        shots=worked_examples(baseline.shots),
        stop=shot_stops(baseline.shots, baseline.prompt),
    )
    for name, path in this.reported.items():
        evaluate(this, place, this.judge, this.config.feedback.target, name, read_problems(path), decoding)


def evaluate(
    this: Run,
    place: ArtifactsLayout,
    recipe: str,
    target: str,
    dataset: str,
    asked: Sequence[Problem],
    decoding: Decoding,
) -> Path:
    """Run one artifact on one target over one set; return the evaluation's folder."""
    name = load_profile(target).name
    out = place.evaluation(name, recipe, dataset)
    title = f"{place.root.name} {recipe} on {name}: {dataset}"
    model = place.model(recipe)
    this.stages.ensure(
        out,
        lambda folder: evaluation.complete(model, asked, folder, target=target, decoding=decoding, title=title),
        version=evaluation.EVAL_VERSION,
        params={"problems": hash_problems(asked), "decoding": decoding.fingerprint(target, model)},
        inputs={"artifact": place.artifact(recipe)},
    )
    return out
