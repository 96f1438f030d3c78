"""The stage that measures how fast a slow target is, so that the length of a round is known before it begins."""

from __future__ import annotations

from fdd_edge.operations.asking import Asking
from fdd_edge.operations.throughput import Work, forecast, measure_throughput, read_throughput
from fdd_edge.pipeline.run import Run
from fdd_edge.progress import announce
from fdd_edge.records import read_problems
from fdd_edge.runs import RoundLayout
from fdd_edge.targets import Profile

__all__ = ["announce_eta"]

VERSION = 3


def announce_eta(run: Run, round_dir: RoundLayout, target: Profile, asking: Asking) -> None:
    """Announce how long the round will take on a target that is asked in some way."""
    rules, judge = run.config.feedback, run.named.judge
    runtime = run.runtime(target, judge)
    out = round_dir.throughput(target.name)
    run.stages.ensure(
        out,
        measure_throughput,
        version=VERSION,
        inputs={"artifact": round_dir.artifact(judge.name), "problems": run.layout.valid},
        is_file=True,
        runtime=runtime,
        asking=asking,
    )
    reported = [len(read_problems(path)) for path in run.reported.values()] * len(run.evaluated)
    pool = round_dir.train if run.reserve is None else run.reserve
    judges = run.named.judge_target.name == target.name
    labelled = min(rules.limit, len(read_problems(pool))) if judges else 0
    work = Work(tuple(reported), labelled, rules.num_return_sequences, asking.decoding.wave)
    announce(forecast(target.name, read_throughput(out), work))
