"""Labelling a round's problems and evolving them, as stages of its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fdd_edge.operations import evolve as feedback
from fdd_edge.operations import problem_sets as problems
from fdd_edge.pipeline.evaluations import evaluate
from fdd_edge.pipeline.exports import failed_certificates
from fdd_edge.pipeline.run import Run
from fdd_edge.runs.layout import NON_EASY, POOL

__all__ = ["curate_problems", "evolve_problems", "split_by_judge"]


def split_by_judge(this: Run, number: int) -> None:
    """Label a sample of the round's problems by what the judge solves of them on its target."""
    rules, place = this.config.feedback, this.layout.round(number)
    bands = {"easy_at": rules.easy_at, "hard_at": rules.hard_at}
    pool = feedback.draw_pool(place.train, rules.limit, this.config.seed + number, reserve=this.reserve)
    rows = evaluate(this, place, this.judge, rules.target, POOL, pool, this.sampled())
    inputs = {"pool": place.train, "rows": rows / "rows.jsonl"}
    if this.reserve is not None:
        inputs["reserve"] = this.reserve
    float_rows: Path | None = None
    if this.judge != this.float_recipe and this.float_recipe not in failed_certificates(this, place):
        missed = feedback.non_easy(pool, rows, **bands)
        if missed:
            float_rows = evaluate(this, place, this.float_recipe, "local", NON_EASY, missed, this.sampled())
            inputs["float_rows"] = float_rows / "rows.jsonl"
    this.stages.ensure(
        place.split,
        lambda out: feedback.split(pool, rows, float_rows, out, **bands),
        version=feedback.SPLIT_VERSION,
        params={"limit": rules.limit, "seed": this.config.seed + number} | bands,
        inputs=inputs,
    )


def evolve_problems(this: Run, number: int) -> None:
    """Let the teacher write more complex problems from easy ones, and similar ones from hard ones."""
    rules, place = this.config.feedback, this.layout.round(number)
    settings: dict[str, Any] = {
        "teacher": this.config.teacher.evolve,
        "per_easy": rules.per_easy,
        "per_hard": rules.per_hard,
        "max_depth": rules.max_depth,
        "policy": rules.policy,
        "round_number": number,
        "seed": this.config.seed + number,
    }

    def make(out: Path) -> None:
        this.manifest.facts.setdefault("declined", {})[place.root.name] = feedback.evolve(place.split, out, **settings)

    this.stages.ensure(
        place.evolved,
        make,
        version=feedback.EVOLVE_VERSION,
        params=settings,
        inputs={"split": place.split},
        is_file=True,
    )


def curate_problems(this: Run, number: int) -> None:
    """Part what the teacher wrote into what the next round trains on and what it does not, each with its reason."""
    place = this.layout.round(number)
    known = {"train": place.train} | ({} if this.reserve is None else {"reserve": this.reserve})
    settings: dict[str, Any] = {"max_new": this.config.feedback.max_new, "seed": this.config.seed + number}
    this.stages.ensure(
        place.curated,
        lambda out: problems.curate_offspring(place.evolved, list(known.values()), this.reported, out, **settings),
        version=problems.CURATION_VERSION,
        params=settings,
        inputs=known | this.protected | {"evolved": place.evolved},
    )
