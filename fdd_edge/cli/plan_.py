"""``fdd-edge plan``."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from fdd_edge.cli.click_options import Command, json_option, set_option

if TYPE_CHECKING:
    from fdd_edge.pipeline.run_plan import RunPlan, TooMuch

_LABEL_WIDTH = 12


@click.command("plan", cls=Command)
@click.argument("config")
@set_option("Override a key, such as feedback.limit=100; repeatable.")
@click.option(
    "--hours", type=click.FloatRange(min=0, min_open=True), help="Say what would have to shrink to fit into H hours."
)
@json_option()
def command(config: str, overrides: tuple[str, ...], hours: float | None, as_json: bool) -> None:
    """Say what a run of CONFIG will take: problems, calls, cost, hours, disk, memory and sizes of files.

    Nothing is downloaded, trained or spent. How fast this machine is, is measured once, in seconds, and kept in the
    cache; a call's tokens are those of earlier calls in the ledger, if it has any. CONFIG is as for `run`. Of a run
    folder, the plan with which the run began is shown beside what it really took.
    """
    import json

    from fdd_edge import api

    plan = api.plan(config, overrides=overrides, hours=hours)
    if as_json:
        click.echo(json.dumps(plan.to_dict()))
    else:
        _print(plan, overrides)


def _print(plan: RunPlan, overrides: tuple[str, ...]) -> None:
    from fdd_edge.cli.console import print_labelled, print_lines, print_text
    from fdd_edge.cli.plan_table import print_compared, print_plan

    if plan.compared:
        print_compared(plan.compared)
        return
    print_plan(plan.figures)
    print_lines("")
    notes = [("" if number else "note", note) for number, note in enumerate(plan.notes)]
    print_labelled([*notes, *_too_much(plan.too_much)], width=_LABEL_WIDTH)
    if notes or plan.too_much:
        print_lines("")
    settings = "".join(f" --set {shlex.quote(setting)}" for setting in overrides)
    print_text("To begin:")
    print_lines("", f"  fdd-edge run {shlex.quote(plan.name)}{settings}", "")


def _too_much(limits: Iterable[TooMuch]) -> Iterator[tuple[str, str]]:
    """Yield what is said about limits that a plan does not keep to."""
    from fdd_edge.cli.plan_table import format_figure

    for one in limits:
        what = one.name.partition(".")[2]
        subject = {"time.all": "the run"}.get(one.name, what)
        limit, high = format_figure(one.unit, one.limit), format_figure(one.unit, one.high)
        yield "too much", f"{subject} may take {high}, more than {limit}"
        for way in one.ways:
            yield "fits with", f"--set {shlex.quote(way.setting)}  (at most {format_figure(one.unit, way.value)})"
        if not one.ways:
            yield "", "no single key brings it below that; change several, or choose a smaller student or data set"
