"""The stage that labels a round's problems: easy, hard, borderline, format or lost, by what the judge's file solves."""

from __future__ import annotations

from pathlib import Path

from fdd_edge.feedback import Bands
from fdd_edge.operations.split import draw_pool, non_easy, split
from fdd_edge.pipeline.certificates import failed_certificates
from fdd_edge.pipeline.evaluations import complete
from fdd_edge.pipeline.run import Run
from fdd_edge.pipeline.section_options import take
from fdd_edge.runs import RoundLayout
from fdd_edge.runs.stage_files import NON_EASY, POOL
from fdd_edge.targets import load_profile

__all__ = ["label_problems"]

_VERSION = 2


def label_problems(run: Run, round_dir: RoundLayout) -> None:
    """Label a sample of the round's problems by what the judge solves of them on its target."""
    rules, named = run.config.feedback, run.named
    bands = take(Bands, rules)
    pool = draw_pool(round_dir.train, rules.limit, run.seed + round_dir.number, reserve=run.reserve)
    rows = complete(run, round_dir, named.judge, named.judge_target, POOL, pool, run.sampled())
    float_rows: Path | None = None
    if named.judge != named.float_recipe and named.float_recipe.name not in failed_certificates(run, round_dir):
        missed = non_easy(pool, rows, bands)
        if missed:
            local = load_profile("local")
            float_rows = complete(run, round_dir, named.float_recipe, local, NON_EASY, missed, run.sampled())
    run.stages.ensure(
        round_dir.split,
        split,
        version=_VERSION,
        inputs={"rows": rows, "float_rows": float_rows},
        pool=pool,
        bands=bands,
    )
